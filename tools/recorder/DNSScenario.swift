internal import Wire

/// `udp-dns`: a pod asks the cluster's DNS Service for names, captured at the pod, with Ethernet headers.
///
/// As glibc does, the A and the AAAA query leave one socket back to back. One pair finds its answers, one runs through
/// the search list, one gets no answer at first.
enum DNSScenario {
    private static let pod: [UInt8] = [0x0a, 0x58, 0x0a, 0xf4, 0x00, 0x05]
    private static let node: [UInt8] = [0x0a, 0x58, 0x0a, 0xf4, 0x00, 0x01]
    private static let gateway = IPv4Address(10, 244, 0, 1)

    static func record() -> Recording {
        var recording = Recording(.ethernet, day: 19, second: 28805)
        resolveGateway(&recording)

        let name = "web.default.svc.cluster.local"
        ask(47001, [DNS.query(0x6a31, name, .address), DNS.query(0x9c04, name, .ipv6Address)], &recording)
        recording.wait(microseconds: 410)
        answer(47001, DNS.answer(0x6a31, name, Hosts.webVIP), &recording)
        recording.wait(microseconds: 35)
        answer(47001, DNS.nothing(0x9c04, name, .ipv6Address, .noError), &recording)

        // The search list: the first try is no name, the answers come in the other order, one without a checksum.
        recording.wait(milliseconds: 140)
        let long = "example.com.default.svc.cluster.local"
        ask(41870, [DNS.query(0x1d50, long, .address), DNS.query(0x2fb7, long, .ipv6Address)], &recording)
        recording.wait(microseconds: 380)
        answer(41870, DNS.nothing(0x2fb7, long, .ipv6Address, .nameError), &recording)
        recording.wait(microseconds: 20)
        answer(41870, DNS.nothing(0x1d50, long, .address, .nameError), checksum: false, &recording)

        // No answer to the A query: after five seconds it is asked once more, from the same socket.
        recording.wait(milliseconds: 2300)
        let echo = "echo.default.svc.cluster.local"
        let lost = DNS.query(0x77e2, echo, .address)
        ask(55310, [lost, DNS.query(0x08ac, echo, .ipv6Address)], &recording)
        recording.wait(microseconds: 450)
        answer(55310, DNS.nothing(0x08ac, echo, .ipv6Address, .noError), &recording)
        recording.wait(milliseconds: 5004)
        ask(55310, [lost], &recording)
        recording.wait(microseconds: 390)
        answer(55310, DNS.answer(0x77e2, echo, Hosts.echoVIP), &recording)

        // A query that nobody ever answers.
        recording.wait(milliseconds: 700)
        ask(38114, [DNS.query(0x5e19, "printer.office.example", .address)], &recording)
        return recording
    }

    /// The pod asks for the gateway's address of the link (RFC 826).
    private static func resolveGateway(_ recording: inout Recording) {
        func message(_ operation: UInt16, _ from: [UInt8], _ source: IPv4Address, _ to: [UInt8], _ target: IPv4Address)
            -> [UInt8]
        {
            var bytes: [UInt8] = [0, 1, 8, 0, 6, 4]
            bytes.append(big: operation)
            bytes += from
            bytes.append(big: source.bits)
            bytes += to
            bytes.append(big: target.bits)
            return bytes
        }
        let nobody = [UInt8](repeating: 0, count: 6)
        let everybody = [UInt8](repeating: 0xff, count: 6)
        recording.add(everybody + pod + [0x08, 0x06] + message(1, pod, Hosts.client, nobody, gateway))
        recording.wait(microseconds: 12)
        recording.add(pod + node + [0x08, 0x06] + message(2, node, gateway, pod, Hosts.client))
        recording.wait(microseconds: 9)
    }

    private static func ask(_ port: UInt16, _ queries: [[UInt8]], _ recording: inout Recording) {
        for (number, query) in queries.enumerated() {
            if number > 0 { recording.wait(microseconds: 18) }
            var builder = PacketBuilder(from: Hosts.client, to: Hosts.dnsVIP)
            builder.identification = port &* 31 &+ UInt16(truncatingIfNeeded: recording.now >> 20)
            recording.add(node + pod + [0x08, 0x00] + builder.udp(port, 53, payload: query))
        }
    }

    private static func answer(
        _ port: UInt16,
        _ message: [UInt8],
        checksum: Bool = true,
        _ recording: inout Recording
    ) {
        var builder = PacketBuilder(from: Hosts.dnsVIP, to: Hosts.client)
        builder.timeToLive = 63
        builder.identification = port &* 17 &+ UInt16(truncatingIfNeeded: recording.now >> 20)
        recording.add(pod + node + [0x08, 0x00] + builder.udp(53, port, payload: message, checksum: checksum))
    }
}
