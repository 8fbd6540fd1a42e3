internal import Wire

/// `drops`: a tour of the reasons why a packet is not sent on, captured at the node; the packets are those that enter it.
///
/// Two are sent on, to compare: the first one, and one from a client that the source ranges admit. Every other one has
/// one defect; the order is about that in which a datapath looks for them.
enum DropScenario {
    static func record() -> Recording {
        var recording = Recording(day: 23, second: 79200)
        // One that nothing is wrong with, to compare.
        recording.add(syn(Hosts.client, Hosts.webVIP, 80))
        for packet in headers() + addresses() + options() + transports() + services() {
            recording.wait(milliseconds: 10)
            recording.add(packet)
        }
        // The capture kept 30 bytes of it, which is less than its headers.
        recording.wait(milliseconds: 10)
        recording.add(syn(Hosts.client, Hosts.webVIP, 80), kept: 30)
        return recording
    }

    /// The IPv4 header: cut short, another version, impossible lengths, a wrong checksum.
    private static func headers() -> [[UInt8]] {
        let good = syn(Hosts.client, Hosts.webVIP, 80)
        var sum = good
        sum[10] ^= 0x01
        // A neighbour solicitation, which every interface hears when it comes up (RFC 4861).
        var neighbour: [UInt8] = [0x60, 0, 0, 0, 0, 24, 58, 255]
        neighbour += [UInt8](repeating: 0, count: 16)
        neighbour += [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xf4, 0x00, 0x05]
        neighbour += [135, 0, 0x68, 0xdd, 0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x08, 0x58, 0x0a, 0xff, 0xfe]
        neighbour += [0xf4, 0x00, 0x05]
        return [
            Array(good.prefix(12)),
            neighbour,
            patched(good, at: 0, [0x75]),
            patched(good, at: 0, [0x44]),
            patched(good, at: 2, [0x05, 0xdc]),
            sum,
        ]
    }

    /// Addresses that no packet may have: martians, the node's and a Service's as source, the same twice.
    private static func addresses() -> [[UInt8]] {
        [
            syn(IPv4Address(127, 0, 0, 1), Hosts.webVIP, 80),
            syn(IPv4Address(240, 1, 2, 3), Hosts.node, 30080),
            syn(Hosts.outside1, IPv4Address(127, 0, 0, 1), 10250),
            PacketBuilder(from: Hosts.client, to: IPv4Address(224, 0, 0, 251)).udp(
                5353,
                5353,
                payload: DNS.query(0, "web.local", .address)
            ),
            syn(Hosts.web1, Hosts.web1, 8080),
            syn(Hosts.webVIP, Hosts.client, 40000),
            syn(Hosts.node, Hosts.webVIP, 80),
        ]
    }

    /// IP options: a route that the sender wants (RFC 7126 section 4.3), and an option longer than the header.
    private static func options() -> [[UInt8]] {
        // The checksum of TCP is that of the route's end (RFC 9293 section 3.1): the pod that the sender aims at.
        var builder = PacketBuilder(from: Hosts.outside1, to: Hosts.web1)
        builder.options = [131, 7, 4, 10, 244, 0, 11, 0]
        let routed = patched(
            builder.tcp(40001, 8080, flags: .syn),
            at: 16,
            [192, 0, 2, 10],
            header: IPv4Packet.minimumHeaderLength + builder.options.count
        )
        builder.destination = Hosts.node
        builder.options = [68, 40, 5, 0]
        return [routed, builder.tcp(40002, 30080, flags: .syn)]
    }

    /// Transport headers: cut short, impossible lengths, flags and ports, a wrong checksum where an answer would be due.
    private static func transports() -> [[UInt8]] {
        let builder = PacketBuilder(from: Hosts.client, to: Hosts.webVIP)
        let good = builder.tcp(40100, 80, flags: .syn)
        var sum = PacketBuilder(from: Hosts.client, to: Hosts.emptyVIP).tcp(40101, 80, flags: .syn)
        sum[37] ^= 0x10
        var ended = builder
        ended.timeToLive = 0
        return [
            builder.packet(.tcp, payload: Array(good[20..<32])),
            patched(good, at: 32, [0x40]),
            builder.tcp(40102, 80, flags: [.syn, .fin]),
            builder.tcp(40103, 80, flags: []),
            patched(
                PacketBuilder(from: Hosts.client, to: Hosts.echoVIP).udp(40104, 9000, payload: Array("hello\n".utf8)),
                at: 24,
                [0x00, 0x20]
            ),
            builder.tcp(40105, 0, flags: .syn),
            // SCTP to a Service's address: an INIT chunk's header.
            builder.packet(
                TransportProtocol(rawValue: 132),
                payload: [0x9c, 0x40, 0x0b, 0x59, 0, 0, 0, 0, 0, 0, 0, 0]
            ),
            sum,
            ended.tcp(40106, 80, flags: .syn),
        ]
    }

    /// What the Services refuse: unknown ports and addresses, no endpoints, policies, connections without a beginning.
    private static func services() -> [[UInt8]] {
        [
            syn(Hosts.client, Hosts.webVIP, 8443),
            syn(Hosts.client, Hosts.nobodyVIP, 80),
            syn(Hosts.client, Hosts.emptyVIP, 80),
            syn(Hosts.outside1, Hosts.node, 30081),
            syn(Hosts.stranger, Hosts.balancerVIP, 80),
            syn(Hosts.outside1, Hosts.balancerVIP, 80),
            PacketBuilder(from: Hosts.client, to: Hosts.webVIP).tcp(
                40200,
                80,
                flags: [.psh, .ack],
                sequence: 0x1234_5678,
                acknowledgment: 0x8765_4321,
                window: 502,
                payload: Array(HTTP.get("/", host: "web").utf8)
            ),
            PacketBuilder(from: Hosts.client, to: Hosts.webVIP).tcp(
                40201,
                80,
                flags: [.syn, .ack],
                sequence: 0x0bad_cafe,
                acknowledgment: 1,
                window: 65160
            ),
        ]
    }

    /// A SYN with the options that Linux sends.
    private static func syn(_ source: IPv4Address, _ destination: IPv4Address, _ port: UInt16) -> [UInt8] {
        var conversation = Conversation(
            from: Endpoint(source, 40000 + port % 97),
            to: Endpoint(destination, port)
        )
        return conversation.segment(.client, .syn, at: 79_200_000)
    }

    /// A packet with other bytes somewhere, and the header checksum that goes with them.
    private static func patched(
        _ packet: [UInt8],
        at offset: Int,
        _ bytes: [UInt8],
        header: Int = IPv4Packet.minimumHeaderLength
    ) -> [UInt8] {
        var copy = packet
        copy.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        copy.store(big: 0, at: 10)
        copy.store(big: ~Checksum.sum(copy, to: header), at: 10)
        return copy
    }
}
