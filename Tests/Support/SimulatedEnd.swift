package import Wire

/// One end of a TCP connection, as far as a datapath sees it: numbers, windows, SACK blocks, retransmissions.
///
/// It obeys RFC 9293, RFC 7323 and RFC 2018, and is otherwise as unruly as those allow: it sends when it likes, repeats what
/// was not acknowledged, and opens and closes its window. Numbers are absolute and wrap around.
package struct SimulatedEnd {
    /// What an end sends.
    package struct Segment: Sendable {
        package var flags: TCPFlags
        package var sequence: UInt32
        package var acknowledgment: UInt32
        /// As the header has it.
        package var window: UInt16
        package var length: Int
        package var options: [UInt8]

        package init(
            flags: TCPFlags,
            sequence: UInt32,
            acknowledgment: UInt32,
            window: UInt16,
            length: Int,
            options: [UInt8]
        ) {
            self.flags = flags
            self.sequence = sequence
            self.acknowledgment = acknowledgment
            self.window = window
            self.length = length
            self.options = options
        }
    }

    private let first: UInt32
    /// How many bytes it wants to send; a FIN follows them.
    private let total: UInt64
    /// The shift of its own windows, and of those of the other end; nil until both have offered one.
    private let shift: UInt8
    private let otherShift: UInt8
    private let usesSACK: Bool
    private let usesTimestamps: Bool
    private let otherFirst: UInt32
    /// The room for what it receives.
    private let room: UInt64

    // Offsets from the first number of either side, as 64 bits, so that in here nothing wraps around.
    private var unacknowledged: UInt64 = 1
    private var next: UInt64 = 1
    private var allowed: UInt64
    private var received: UInt64 = 1
    private var ahead: [ClosedRange<UInt64>] = []
    private var offered: UInt64
    private var otherFIN: UInt64?

    /// An end after its handshake; `allowed` is the window of the other end's SYN.
    package init(
        first: UInt32,
        otherFirst: UInt32,
        total: Int,
        shift: UInt8,
        otherShift: UInt8,
        usesSACK: Bool,
        usesTimestamps: Bool,
        window: UInt16,
        otherWindow: UInt16
    ) {
        self.first = first
        self.otherFirst = otherFirst
        self.total = UInt64(total)
        self.shift = shift
        self.otherShift = otherShift
        self.usesSACK = usesSACK
        self.usesTimestamps = usesTimestamps
        room = UInt64(window) << UInt64(shift)
        allowed = 1 + UInt64(otherWindow)
        offered = 1 + UInt64(window)
    }

    private var finOffset: UInt64 { 1 + total }
    /// Whether everything was sent, and acknowledged, and everything came, the FINs included.
    package var isDone: Bool { unacknowledged == finOffset + 1 && otherFIN.map { received == $0 + 1 } ?? false }

    /// What it sends next: new data or a FIN, something again, or only an ACK.
    package mutating func send(_ generator: inout TestGenerator) -> Segment {
        let kind = generator.pick(0..<10)
        let end = finOffset + 1
        if kind < 5 && next < end && next < allowed {
            return segment(from: next, most: min(allowed, end), &generator)
        }
        // What is unacknowledged may be sent again from any place; the oldest is what the other end waits for.
        if kind < 8 && unacknowledged < next {
            let from = generator.chance(60) ? unacknowledged : UInt64(generator.pick(Int(unacknowledged)..<Int(next)))
            return segment(from: from, most: next, &generator)
        }
        // A window of nothing is asked whether it has opened, with a byte that was sent before.
        if kind == 8 && unacknowledged < next {
            return segment(from: unacknowledged, most: unacknowledged + 1, &generator)
        }
        return acknowledgment(&generator)
    }

    private mutating func segment(from: UInt64, most: UInt64, _ generator: inout TestGenerator) -> Segment {
        var segment = acknowledgment(&generator)
        let length = min(UInt64(generator.pick(1..<1401)), most - from)
        segment.sequence = first &+ UInt32(truncatingIfNeeded: from)
        let hasFIN = from + length == finOffset + 1
        segment.length = Int(length) - (hasFIN ? 1 : 0)
        segment.flags = hasFIN ? [.fin, .ack] : [.psh, .ack]
        next = max(next, from + length)
        return segment
    }

    private mutating func acknowledgment(_ generator: inout TestGenerator) -> Segment {
        // The window closes at times, and opens again; its right edge never goes back (RFC 9293 section 3.8.6).
        let open = generator.chance(20) ? UInt64(generator.pick(0..<Int(room) + 1)) : room
        offered = max(offered, received + open)
        let window = min((offered - received) >> UInt64(shift), 0xffff)
        var options: [UInt8] = usesTimestamps ? [1, 1, 8, 10] + generator.bytes(8) : []
        if usesSACK && !ahead.isEmpty {
            let blocks = ahead.shuffled(using: &generator).prefix(3)
            options += [1, 1, 5, UInt8(2 + 8 * blocks.count)]
            for block in blocks {
                for edge in [block.lowerBound, block.upperBound] {
                    let number = otherFirst &+ UInt32(truncatingIfNeeded: edge)
                    options += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
                }
            }
        }
        return Segment(
            flags: .ack,
            sequence: first &+ UInt32(truncatingIfNeeded: next),
            acknowledgment: otherFirst &+ UInt32(truncatingIfNeeded: received),
            window: UInt16(window),
            length: 0,
            options: options
        )
    }

    /// Takes in what has arrived.
    package mutating func receive(_ segment: Segment) {
        let acknowledged = unacknowledged &+ offset(segment.acknowledgment, from: first, near: unacknowledged)
        if acknowledged > unacknowledged && acknowledged <= next { unacknowledged = acknowledged }
        if acknowledged >= 1 && acknowledged <= next {
            allowed = max(allowed, acknowledged + UInt64(segment.window) << UInt64(otherShift))
        }
        let start = received &+ offset(segment.sequence, from: otherFirst, near: received)
        let hasFIN = segment.flags.contains(.fin)
        if hasFIN { otherFIN = start + UInt64(segment.length) }
        let end = start + UInt64(segment.length) + (hasFIN ? 1 : 0)
        guard end > start, end <= offered + 1 else { return }
        ahead.append(start...end)
        while let place = ahead.firstIndex(where: { $0.lowerBound <= received }) {
            received = max(received, ahead.remove(at: place).upperBound)
        }
    }

    /// How far a number is from an offset that is known, as a signed distance in 64 bits.
    private func offset(_ number: UInt32, from first: UInt32, near known: UInt64) -> UInt64 {
        let distance = Int32(bitPattern: number &- (first &+ UInt32(truncatingIfNeeded: known)))
        return UInt64(bitPattern: Int64(distance))
    }
}
