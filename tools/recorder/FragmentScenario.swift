internal import Wire

/// `fragments`: datagrams that are longer than the MTU, captured at the node; the packets are those that enter it.
enum FragmentScenario {
    /// What a fragment carries where the MTU is 1500, and where it is 576.
    private static let size = 1480
    private static let smallSize = 552
    private static let text = Array(HTTP.lines(60).utf8)

    static func record() -> Recording {
        var recording = Recording(day: 22, second: 30000)

        // 4,000 bytes in order, and the answer of the backend, 1,500 bytes.
        send(fragments(60001, identification: 0x2001), &recording)
        recording.wait(microseconds: 500)
        send(answer(60001, identification: 0x7001), &recording)

        // The last one first: two are held until the first one comes.
        recording.wait(milliseconds: 20)
        send(fragments(60002, identification: 0x2002, length: 3000).reversed(), &recording)

        // One fragment twice, as a network may do: that is no overlap.
        recording.wait(milliseconds: 20)
        let whole = smallFragments(60003, identification: 0x2003, length: 700)
        send([whole[0], whole[0], whole[1]], &recording)

        // The second one reaches back into the first: the datagram is lost, and what still comes of it.
        recording.wait(milliseconds: 20)
        let torn = smallFragments(60004, identification: 0x2004)
        send([torn[0], piece(0x2004, at: smallSize - 8, smallSize, isLast: false), torn[2]], &recording)

        // From outside to the NodePort: all fragments get the node's address as source, only the first has a port.
        recording.wait(milliseconds: 20)
        var outside = PacketBuilder(from: Hosts.outside1, to: Hosts.node)
        outside.identification = 0x5005
        outside.timeToLive = 58
        let datagram = outside.udpDatagram(43210, 30090, payload: Array(text.prefix(700)))
        send(outside.fragments(.udp, payload: datagram, size: smallSize), &recording)

        hostile(&recording)

        // Two whose first one never comes: they are given up after thirty seconds, when the next fragment shows the time.
        recording.wait(milliseconds: 20)
        send(Array(smallFragments(60006, identification: 0x2006).dropFirst()), &recording)
        recording.wait(milliseconds: 31_000)
        send(smallFragments(60007, identification: 0x2007, length: 700), &recording)
        return recording
    }

    /// Fragments that are wrong by themselves: too short for the ports, not a multiple of eight bytes, empty, and beyond
    /// the end of what a datagram can be.
    private static func hostile(_ recording: inout Recording) {
        recording.wait(milliseconds: 20)
        var tiny = PacketBuilder(from: Hosts.outside2, to: Hosts.node)
        tiny.flagsAndOffset = FragmentField.moreFragmentsBit
        tiny.identification = 0x6001
        // Eight bytes of a TCP header: the ports, but not the flags (RFC 1858).
        recording.add(tiny.packet(.tcp, payload: [0x9c, 0x40, 0x75, 0x80, 0, 0, 0, 1]))
        for (at, length, isLast) in [(1480, 1001, false), (2480, 0, true), (65520, 64, true)] {
            recording.wait(milliseconds: 2)
            recording.add(piece(0x6002 + UInt16(at & 0xff), at: at, length, isLast: isLast))
        }
    }

    private static func send(_ packets: [[UInt8]], _ recording: inout Recording) {
        for packet in packets {
            recording.add(packet)
            recording.wait(microseconds: 12)
        }
    }

    /// A client's datagram to the echo Service, in fragments for an MTU of 1500.
    private static func fragments(_ port: UInt16, identification: UInt16, length: Int = 4000) -> [[UInt8]] {
        cut(
            Endpoint(Hosts.client, port),
            Endpoint(Hosts.echoVIP, 9000),
            identification,
            Array(text.prefix(length)),
            size: size
        )
    }

    /// A client's datagram to the echo Service, in fragments for an MTU of 576.
    private static func smallFragments(_ port: UInt16, identification: UInt16, length: Int = 1300) -> [[UInt8]] {
        cut(
            Endpoint(Hosts.client, port),
            Endpoint(Hosts.echoVIP, 9000),
            identification,
            Array(text.prefix(length)),
            size: smallSize
        )
    }

    /// The backend's answer.
    private static func answer(_ port: UInt16, identification: UInt16) -> [[UInt8]] {
        cut(
            Endpoint(Hosts.web1, 9001),
            Endpoint(Hosts.client, port),
            identification,
            Array(text.prefix(1500)),
            size: size
        )
    }

    private static func cut(
        _ source: Endpoint,
        _ destination: Endpoint,
        _ identification: UInt16,
        _ payload: [UInt8],
        size: Int
    ) -> [[UInt8]] {
        var builder = PacketBuilder(from: source.address, to: destination.address)
        builder.identification = identification
        return builder.fragments(
            .udp,
            payload: builder.udpDatagram(source.port, destination.port, payload: payload),
            size: size
        )
    }

    /// One fragment by itself.
    private static func piece(_ identification: UInt16, at offset: Int, _ length: Int, isLast: Bool) -> [UInt8] {
        var builder = PacketBuilder(from: Hosts.client, to: Hosts.echoVIP)
        builder.identification = identification
        builder.flagsAndOffset = UInt16(offset / 8) | (isLast ? 0 : FragmentField.moreFragmentsBit)
        return builder.packet(.udp, payload: [UInt8](repeating: 0x78, count: length))
    }
}
