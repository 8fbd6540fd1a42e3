import Wire

/// Packets that make the datapath do everything that it can: each verdict, both legs, fragments, generated packets.
enum VerifyScenario {
    static let packets: [[UInt8]] = conversation + datagrams + pings + fragments + refusals + leftovers

    private static let text = [UInt8]("GET / HTTP/1.1\r\nHost: web\r\n\r\n".utf8)

    /// A TCP connection to a ClusterIP, and an ICMP error about one of its packets.
    private static var conversation: [[UInt8]] {
        let forth = PacketBuilder(from: Host.pod, to: Host.web)
        let back = PacketBuilder(from: Host.backend, to: Host.pod)
        let sent = PacketBuilder(from: Host.pod, to: Host.backend).tcp(41000, 8080, flags: [.ack], sequence: 101)
        return [
            forth.tcp(41000, 80, flags: [.syn], sequence: 100, tcpOptions: [2, 4, 5, 0xb4]),
            back.tcp(
                8080,
                41000,
                flags: [.syn, .ack],
                sequence: 500,
                acknowledgment: 101,
                tcpOptions: [2, 4, 5, 0xb4]
            ),
            forth.tcp(41000, 80, flags: [.ack], sequence: 101, acknowledgment: 501),
            forth.tcp(41000, 80, flags: [.psh, .ack], sequence: 101, acknowledgment: 501, payload: text),
            back.tcp(8080, 41000, flags: [.ack], sequence: 501, acknowledgment: 131, payload: text + text),
            PacketBuilder(from: Host.router, to: Host.pod).icmp(.timeExceeded, payload: Array(sent.prefix(28))),
            PacketBuilder(from: Host.router, to: Host.pod).icmp(.destinationUnreachable, code: 1, payload: sent),
            forth.tcp(41000, 80, flags: [.fin, .ack], sequence: 131, acknowledgment: 561),
            back.tcp(8080, 41000, flags: [.fin, .ack], sequence: 561, acknowledgment: 132),
            forth.tcp(41000, 80, flags: [.ack], sequence: 132, acknowledgment: 562),
        ]
    }

    /// UDP over a NodePort, masqueraded: with a checksum, without, and with a wrong one.
    private static var datagrams: [[UInt8]] {
        let forth = PacketBuilder(from: Host.client, to: Host.node)
        let back = PacketBuilder(from: Host.echo, to: Host.node)
        var wrong = forth.udp(50001, 30090, payload: [1, 2, 3])
        wrong[26] ^= 0x55
        return [
            forth.udp(50001, 30090, payload: text), back.udp(9001, 50001, payload: text),
            forth.udp(50002, 30090, payload: text, checksum: false),
            back.udp(9001, 50002, payload: [7], checksum: false),
            wrong,
        ]
    }

    private static var pings: [[UInt8]] {
        [
            PacketBuilder(from: Host.pod, to: Host.client).icmp(.echoRequest, rest: 0x1234_0001, payload: text),
            PacketBuilder(from: Host.client, to: Host.pod).icmp(.echoReply, rest: 0x1234_0001, payload: text),
            PacketBuilder(from: Host.pod, to: Host.node).icmp(.echoRequest, rest: 0x1234_0002, payload: text),
        ]
    }

    /// Fragments in order and out of order, and a packet that leaves in fragments.
    private static var fragments: [[UInt8]] {
        let data = (0..<120).map { UInt8($0) }
        var forth = PacketBuilder(from: Host.client, to: Host.node)
        forth.identification = 77
        let inOrder = forth.fragments(.udp, payload: forth.udpDatagram(50003, 30090, payload: data), size: 64)
        forth.identification = 78
        let late = forth.fragments(.udp, payload: forth.udpDatagram(50004, 30090, payload: data), size: 64)
        var long = PacketBuilder(from: Host.client, to: Host.node)
        long.flagsAndOffset = 0
        long.options = [0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0]
        return inOrder + late.reversed() + [long.udp(50005, 30090, payload: [UInt8](repeating: 0x5a, count: 1600))]
    }

    /// What is refused with an ICMP error.
    private static var refusals: [[UInt8]] {
        var late = PacketBuilder(from: Host.pod, to: Host.web)
        late.timeToLive = 1
        let long = [UInt8](repeating: 1, count: 1700)
        var wrong = PacketBuilder(from: Host.pod, to: Host.empty).tcp(41004, 80, flags: [.syn])
        wrong[36] ^= 1
        return [
            // Dropped for its checksum, which shows that checksums are verified.
            wrong,
            PacketBuilder(from: Host.pod, to: Host.empty).tcp(41001, 80, flags: [.syn]),
            late.tcp(41000, 80, flags: [.ack]),
            PacketBuilder(from: Host.client, to: Host.node).udp(50001, 30090, payload: long),
        ]
    }

    /// What is dropped, left to the node, or nobody's business.
    private static var leftovers: [[UInt8]] {
        [
            PacketBuilder(from: IPv4Address(127, 0, 0, 1), to: Host.web).tcp(1, 2, flags: [.syn]),
            PacketBuilder(from: Host.pod, to: Host.web).tcp(41002, 80, flags: [.ack]),
            PacketBuilder(from: Host.client, to: Host.node).udp(40000, 40001, payload: text),
            PacketBuilder(from: Host.pod, to: Host.client).packet(TransportProtocol(rawValue: 47), payload: text),
            PacketBuilder(from: Host.pod, to: Host.client).tcp(41003, 443, flags: [.syn]),
            [0x45, 0, 0], [0x60] + [UInt8](repeating: 0, count: 39),
        ]
    }
}
