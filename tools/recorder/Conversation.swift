internal import Wire

/// A TCP connection between two Linux hosts, as one place on the way sees it.
///
/// Each side has its own sequence numbers, window, IP identifications and timestamp clock, and acknowledges all that the
/// other one has sent. Where addresses are translated, the two directions need not mirror each other: each side says
/// from where to where its packets are seen to go.
struct Conversation {
    enum Side { case client, server }

    /// One end of the connection.
    struct End {
        let source: Endpoint
        var destination: Endpoint
        /// The TTL with which its packets are seen.
        var timeToLive: UInt8 = 64
        /// The next sequence number, and that of the segment before, to send it once more.
        var next: UInt32
        fileprivate var last: UInt32
        /// The windows of a SYN and of the rest, the latter scaled by 7 bits.
        fileprivate let windows: (syn: UInt16, scaled: UInt16)
        fileprivate var identification: UInt16
        fileprivate let clockOffset: UInt32
        fileprivate var lastTimestamp: UInt32 = 0
        fileprivate var hasSent = false

        init(_ source: Endpoint, _ destination: Endpoint, sequence: UInt32, isServer: Bool) {
            self.source = source
            self.destination = destination
            next = sequence
            last = sequence
            windows = isServer ? (65160, 509) : (64240, 502)
            identification = UInt16(truncatingIfNeeded: sequence >> 7)
            clockOffset = sequence &* 2_654_435_761
        }
    }

    /// What a full segment carries: MTU 1500 less 20 bytes of IP, 20 of TCP and 12 of timestamps.
    static let segmentSize = 1448

    var client: End
    var server: End

    /// A connection whose client sends to `service`, and whose server's packets are seen as `replies` says.
    init(from client: Endpoint, to service: Endpoint, replies: (source: Endpoint, destination: Endpoint)? = nil) {
        let seed = UInt32(client.port) &* 0x9e37_79b1 ^ client.address.bits
        self.client = End(client, service, sequence: seed, isServer: false)
        server = End(
            replies?.source ?? service,
            replies?.destination ?? client,
            sequence: seed &* 0x85eb_ca6b &+ 77,
            isServer: true
        )
    }

    /// SYN, SYN and ACK, ACK.
    mutating func open(_ recording: inout Recording, delay: UInt64 = 80) {
        send(.client, .syn, &recording)
        recording.wait(microseconds: delay)
        send(.server, [.syn, .ack], &recording)
        recording.wait(microseconds: delay)
        send(.client, .ack, &recording)
    }

    /// A request in one segment, with its acknowledgment.
    mutating func request(_ text: String, _ recording: inout Recording, delay: UInt64 = 60) {
        recording.wait(microseconds: 45)
        send(.client, [.psh, .ack], &recording, payload: Array(text.utf8))
        recording.wait(microseconds: delay)
        send(.server, .ack, &recording)
    }

    /// A response in as many segments as it takes; the client acknowledges every other one, and the last.
    mutating func respond(_ bytes: [UInt8], _ recording: inout Recording, delay: UInt64 = 60) {
        recording.wait(microseconds: 350)
        var at = 0
        var unacknowledged = 0
        while at < bytes.count {
            let end = min(at + Self.segmentSize, bytes.count)
            let flags: TCPFlags = end == bytes.count ? [.psh, .ack] : .ack
            send(.server, flags, &recording, payload: Array(bytes[at..<end]))
            at = end
            unacknowledged += 1
            recording.wait(microseconds: unacknowledged == 2 || at == bytes.count ? delay : 4)
            if unacknowledged == 2 || at == bytes.count {
                send(.client, .ack, &recording)
                recording.wait(microseconds: 8)
                unacknowledged = 0
            }
        }
    }

    /// FIN both ways, `first` first.
    mutating func close(_ first: Side, _ recording: inout Recording, delay: UInt64 = 60) {
        let second: Side = first == .client ? .server : .client
        recording.wait(microseconds: delay)
        send(first, [.fin, .ack], &recording)
        recording.wait(microseconds: delay)
        send(second, [.fin, .ack], &recording)
        recording.wait(microseconds: delay)
        send(first, .ack, &recording)
    }

    /// Records the next segment of a side.
    mutating func send(_ side: Side, _ flags: TCPFlags, _ recording: inout Recording, payload: [UInt8] = []) {
        recording.add(segment(side, flags, payload, at: recording.milliseconds))
    }

    /// Records the client's SYN once more.
    mutating func repeatSYN(_ recording: inout Recording) {
        client.next = client.last
        send(.client, .syn, &recording)
    }

    /// Records what the client sent last once more, in smaller pieces.
    mutating func resend(_ pieces: [[UInt8]], _ recording: inout Recording) {
        client.next = client.last
        for piece in pieces {
            send(.client, [.psh, .ack], &recording, payload: piece)
            recording.wait(microseconds: 5)
        }
    }

    /// The next segment of a side, to be recorded or quoted.
    mutating func segment(_ side: Side, _ flags: TCPFlags, _ payload: [UInt8] = [], at time: UInt32) -> [UInt8] {
        switch side {
        case .client: Self.segment(&client, hears: server, flags, payload, at: time)
        case .server: Self.segment(&server, hears: client, flags, payload, at: time)
        }
    }

    private static func segment(
        _ end: inout End,
        hears peer: End,
        _ flags: TCPFlags,
        _ payload: [UInt8],
        at time: UInt32
    ) -> [UInt8] {
        var builder = PacketBuilder(from: end.source.address, to: end.destination.address)
        builder.timeToLive = end.timeToLive
        // A SYN and ACK and what answers for no socket carry no identification.
        builder.identification = flags == [.syn, .ack] || flags.contains(.rst) ? 0 : end.identification
        if builder.identification != 0 { end.identification &+= 1 }
        let stamp = time &+ end.clockOffset
        let options = flags.contains(.rst) ? [] : tcpOptions(flags, stamp, echo: peer.lastTimestamp)
        let isBare = flags.contains(.rst) && !end.hasSent
        let bytes = builder.tcp(
            end.source.port,
            end.destination.port,
            flags: flags,
            sequence: isBare ? 0 : end.next,
            acknowledgment: flags.contains(.ack) ? peer.next : 0,
            window: flags.contains(.rst) ? 0 : flags.contains(.syn) ? end.windows.syn : end.windows.scaled,
            tcpOptions: options,
            payload: payload
        )
        end.hasSent = true
        end.lastTimestamp = stamp
        end.last = end.next
        end.next &+= UInt32(payload.count) &+ (flags.isDisjoint(with: [.syn, .fin]) ? 0 : 1)
        return bytes
    }

    /// The options as Linux orders them: MSS, SACK permitted, timestamps, window scale; later only timestamps.
    private static func tcpOptions(_ flags: TCPFlags, _ stamp: UInt32, echo: UInt32) -> [UInt8] {
        var options: [UInt8] = flags.contains(.syn) ? [2, 4, 0x05, 0xb4, 4, 2, 8, 10] : [1, 1, 8, 10]
        options.append(big: stamp)
        options.append(big: flags.contains(.ack) ? echo : 0)
        if flags.contains(.syn) { options += [1, 3, 3, 7] }
        return options
    }
}
