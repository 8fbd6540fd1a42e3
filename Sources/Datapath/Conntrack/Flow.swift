internal import Tables
package import Wire

/// What is known of one tracked flow: two cache lines, plain numbers only.
///
/// Both tuples are as in nf_conntrack: `original` is what the client sends, `reply` what comes back to the datapath
/// before it is translated back. So the two say all about the translation: a packet of one direction leaves with the
/// reverse of the other direction's tuple.
package struct Flow: TimerElement, Sendable {
    // First line: all that an established packet reads or writes.
    /// What the client sends, as it arrives.
    package var original: FlowTuple
    /// What comes back, as it arrives.
    package var reply: FlowTuple
    /// 0 in a record that is not in use.
    package var transport: TransportProtocol
    /// Where the flow stands; the timeout follows from it.
    package var state: FlowState
    /// What holds for the flow as a whole.
    package var flags: FlowFlags
    /// A number that a SYN or an ACK carried which was let through without effect: see `FlowFlags.notedSYN`.
    var noted: UInt32
    /// When the flow ends unless another packet comes, in nanoseconds of the pipeline's clock.
    package var deadline: UInt64
    /// What the client's packets add to the complement of the IP header checksum (RFC 1624), the TTL's decrement included.
    package var originalHeaderDelta: UInt16
    /// The same for the IP header of replies; it includes the decrement too.
    package var replyHeaderDelta: UInt16
    /// The same for the transport header of what the client sends.
    package var originalTransportDelta: UInt16
    /// The same for the transport header of replies.
    package var replyTransportDelta: UInt16
    /// The interface that the client's packets leave by.
    package var originalEgress: UInt16
    /// The interface that replies leave by.
    package var replyEgress: UInt16
    /// The stable number of the ServicePort, 0 for none.
    package var service: UInt32
    /// The number of the flow in events: counts from 1, never reused.
    package var identifier: UInt64

    // Second line: counters, windows, and what only the timer wheel touches.
    /// Packets and bytes of both directions.
    package var counts: FlowCounts
    /// Sequence numbers and windows of TCP.
    package var windows: TCPWindows
    /// How the client asked for the Service.
    package var frontend: FrontendKind
    /// The slot of the timer wheel plus one; 0 in none.
    package var timerSlot: UInt16
    /// The next flow in that slot, 0 for none.
    package var nextTimer: UInt32
    /// The previous flow in that slot, 0 for the first.
    package var previousTimer: UInt32

    /// The link of the slab's free list shares the place of a timer link: a free record is in no slot.
    package var link: UInt32 {
        get { nextTimer }
        set { nextTimer = newValue }
    }

    /// A flow that was just seen for the first time.
    init(original: FlowTuple, reply: FlowTuple, transport: TransportProtocol, identifier: UInt64) {
        self.original = original
        self.reply = reply
        self.transport = transport
        self.identifier = identifier
        state = .none
        flags = []
        noted = 0
        deadline = 0
        originalHeaderDelta = 0
        replyHeaderDelta = 0
        originalTransportDelta = 0
        replyTransportDelta = 0
        originalEgress = 0
        replyEgress = 0
        service = 0
        counts = FlowCounts()
        windows = TCPWindows()
        frontend = .none
        timerSlot = 0
        nextTimer = 0
        previousTimer = 0
        computeDeltas()
    }

    /// The tuple that packets of a direction arrive with.
    @inline(__always) package func tuple(_ direction: FlowDirection) -> FlowTuple {
        direction == .original ? original : reply
    }

    /// The tuple that packets of a direction leave with.
    @inline(__always) package func translated(_ direction: FlowDirection) -> FlowTuple {
        (direction == .original ? reply : original).reversed
    }

    /// The interface that packets of a direction come in by: the one that answers to them leave by.
    @inline(__always) func ingress(_ direction: FlowDirection) -> UInt16 {
        direction == .original ? replyEgress : originalEgress
    }

    /// Whether packets leave with other addresses or ports than they came with.
    @inline(__always) package var isTranslated: Bool { flags.contains(.translated) }

    /// The backend of a Service flow: the one that replies.
    package var backend: FlowEndpoint { FlowEndpoint(address: reply.source, port: reply.sourcePort) }

    /// Computes once what every packet adds to its checksums (RFC 1624).
    private mutating func computeDeltas() {
        // The TTL is the high byte of its word: one less is 0x0100 less (RFC 1141's example, by RFC 1624's equation).
        let decrement = Checksum.delta(from: UInt16(0x0100), to: UInt16(0))
        let forth = Self.delta(from: original, to: reply.reversed)
        let back = Self.delta(from: reply, to: original.reversed)
        originalHeaderDelta = Checksum.add(forth.addresses, decrement)
        replyHeaderDelta = Checksum.add(back.addresses, decrement)
        // ICMP has no pseudo-header, and one port of each tuple is the identifier.
        if transport == .icmp {
            originalTransportDelta = Checksum.delta(from: original.sourcePort, to: reply.destinationPort)
            replyTransportDelta = Checksum.delta(from: reply.destinationPort, to: original.sourcePort)
        } else {
            originalTransportDelta = Checksum.add(forth.addresses, forth.ports)
            replyTransportDelta = Checksum.add(back.addresses, back.ports)
        }
        if original != reply.reversed { flags.insert(.translated) }
    }

    private static func delta(from old: FlowTuple, to new: FlowTuple) -> (addresses: UInt16, ports: UInt16) {
        let addresses = Checksum.add(
            Checksum.delta(from: old.source.bits, to: new.source.bits),
            Checksum.delta(from: old.destination.bits, to: new.destination.bits)
        )
        let ports = Checksum.add(
            Checksum.delta(from: old.sourcePort, to: new.sourcePort),
            Checksum.delta(from: old.destinationPort, to: new.destinationPort)
        )
        return (addresses, ports)
    }
}

/// An address and a port.
package struct FlowEndpoint: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
    /// The address.
    package var address: IPv4Address
    /// The port in host byte order; 0 where there is none.
    package var port: UInt16

    /// An address with a port.
    @inlinable package init(address: IPv4Address, port: UInt16) {
        self.address = address
        self.port = port
    }

    /// The form of events: `10.0.0.1:80`.
    package var description: String { "\(address):\(port)" }
}

/// What holds for a flow as a whole.
package struct FlowFlags: OptionSet, Sendable, BitwiseCopyable {
    /// The bits, as the record has them.
    package var rawValue: UInt16
    /// The flags of those bits.
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// A packet came back.
    package static let seenReply = FlowFlags(rawValue: 1 << 0)
    /// Addresses or ports are changed.
    package static let translated = FlowFlags(rawValue: 1 << 1)
    /// The source was replaced by an address of the node.
    package static let masquerade = FlowFlags(rawValue: 1 << 2)
    /// A TCP connection whose endpoint is gone, and which is to be reset.
    package static let orphaned = FlowFlags(rawValue: 1 << 3)
    /// The original side may be sent selective acknowledgments (RFC 2018).
    static let originalPermitsSACK = FlowFlags(rawValue: 1 << 4)
    /// The reply side may.
    static let replyPermitsSACK = FlowFlags(rawValue: 1 << 5)
    /// The original side has acknowledged something, so that its `maxAck` counts.
    static let originalAcknowledged = FlowFlags(rawValue: 1 << 6)
    /// The reply side has.
    static let replyAcknowledged = FlowFlags(rawValue: 1 << 7)
    /// TCP that was picked up in its middle: nobody knows whether its windows are scaled, so they say nothing.
    static let pickedUp = FlowFlags(rawValue: 1 << 8)
    /// A SYN of the client on an open connection was let through; `noted` is what acknowledges it.
    static let notedSYN = FlowFlags(rawValue: 1 << 9)
    /// An answer to the first SYN that was no SYN was let through; `noted` is what it acknowledged.
    static let notedACK = FlowFlags(rawValue: 1 << 10)
    /// The SYN that was let through permits selective acknowledgments.
    static let notedPermitsSACK = FlowFlags(rawValue: 1 << 11)

    /// The shift count that the SYN offers which was let through; it has the four high bits.
    var notedScale: UInt8 {
        get { UInt8(truncatingIfNeeded: rawValue >> 12) }
        set { rawValue = rawValue & 0x0fff | UInt16(newValue) << 12 }
    }

    @inline(__always) static func permitsSACK(_ direction: FlowDirection) -> FlowFlags {
        direction == .original ? originalPermitsSACK : replyPermitsSACK
    }

    @inline(__always) static func acknowledged(_ direction: FlowDirection) -> FlowFlags {
        direction == .original ? originalAcknowledged : replyAcknowledged
    }
}

/// Packets and bytes of both directions of a flow, in 20 bytes.
package struct FlowCounts: Equatable, Sendable, BitwiseCopyable {
    /// Packets from the client; wraps around.
    package private(set) var originalPackets: UInt32 = 0
    /// Packets to the client; wraps around.
    package private(set) var replyPackets: UInt32 = 0
    private var originalLow: UInt32 = 0
    private var replyLow: UInt32 = 0
    private var originalHigh: UInt16 = 0
    private var replyHigh: UInt16 = 0

    /// Bytes from the client, IP headers included; 48 bits, then it wraps around.
    package var originalBytes: UInt64 { UInt64(originalHigh) << 32 | UInt64(originalLow) }
    /// Bytes to the client, IP headers included; 48 bits, then it wraps around.
    package var replyBytes: UInt64 { UInt64(replyHigh) << 32 | UInt64(replyLow) }

    /// Counts a packet of a direction.
    @inline(__always) mutating func count(_ direction: FlowDirection, length: Int) {
        let length = UInt32(truncatingIfNeeded: length)
        if direction == .original {
            originalPackets &+= 1
            let (sum, carry) = originalLow.addingReportingOverflow(length)
            originalLow = sum
            if carry { originalHigh &+= 1 }
        } else {
            replyPackets &+= 1
            let (sum, carry) = replyLow.addingReportingOverflow(length)
            replyLow = sum
            if carry { replyHigh &+= 1 }
        }
    }
}
