internal import Tables
package import Wire

/// What is known of one tracked flow: two cache lines, plain numbers only.
///
/// Both tuples are as in nf_conntrack: `original` is what the client sends, `reply` what comes back to the datapath
/// before it is translated back. So the two say all about the translation: a packet of one direction leaves with the
/// reverse of the other direction's tuple.
package struct Flow: TimerElement, Sendable {
    // First line: all that an established packet reads or writes.
    /// What holds for each direction, by `FlowDirection.index`.
    private var sides: [2 of FlowSide]
    /// The interfaces that packets leave by, by `FlowDirection.index`.
    private var egresses: [2 of UInt16]
    /// 0 in a record that is not in use.
    package var transport: TransportProtocol
    /// Where the flow stands; the timeout follows from it.
    package var state: FlowState
    /// What holds for the flow as a whole.
    package var flags: FlowFlags
    /// A number that a SYN or an ACK carried which was let through without effect: see `FlowFlags.notedSYN`.
    var noted: UInt32
    /// The stable number of the ServicePort, 0 for none.
    package var service: UInt32
    /// When the flow ends unless another packet comes, in nanoseconds of the pipeline's clock.
    package var deadline: UInt64
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

    /// A flow that was just seen for the first time, by its tuples as they arrive.
    package init(original: FlowTuple, reply: FlowTuple, transport: TransportProtocol, identifier: UInt64) {
        sides = [
            FlowSide(original, to: reply.reversed, transport),
            FlowSide(reply, to: original.reversed, transport),
        ]
        egresses = [0, 0]
        self.transport = transport
        self.identifier = identifier
        state = .none
        flags = original == reply.reversed ? [] : .translated
        noted = 0
        deadline = 0
        service = 0
        counts = FlowCounts()
        windows = TCPWindows()
        frontend = .none
        timerSlot = 0
        nextTimer = 0
        previousTimer = 0
    }

    /// What the client sends, as it arrives.
    @inline(__always) package var original: FlowTuple { sides[0].tuple }
    /// What comes back, as it arrives.
    @inline(__always) package var reply: FlowTuple { sides[1].tuple }

    /// The tuple that packets of a direction arrive with.
    @inline(__always) package func tuple(_ direction: FlowDirection) -> FlowTuple { sides[direction.index].tuple }

    /// The tuple that packets of a direction leave with.
    @inline(__always) package func translated(_ direction: FlowDirection) -> FlowTuple {
        sides[direction.opposite.index].tuple.reversed
    }

    /// What holds for one direction.
    @inline(__always) package func side(_ direction: FlowDirection) -> FlowSide { sides[direction.index] }

    /// The same of a record where it lies; see `InlineArray.inPlace`.
    @inline(__always) mutating func sideInPlace(_ direction: FlowDirection) -> FlowSide {
        sides.inPlace(direction.index)
    }

    /// The tuple that packets of a direction arrive with, of a record that another worker may have locked.
    ///
    /// `sideInPlace` counts as a change of the record, whatever it does, and of two workers only the one with the lock may
    /// change it. No tuple changes while the short way is open.
    @inline(__always) package static func tuple(
        of flow: UnsafePointer<Flow>,
        _ direction: FlowDirection
    ) -> FlowTuple {
        // Safe: a record begins with its sides, and a side with its tuple; a test looks that they do.
        let place = direction.index &* MemoryLayout<FlowSide>.stride
        return unsafe UnsafeRawPointer(flow).load(fromByteOffset: place, as: FlowTuple.self)
    }

    /// The interface that packets of a direction leave by.
    @inline(__always) package func egress(_ direction: FlowDirection) -> UInt16 { egresses[direction.index] }

    /// The same of a record where it lies.
    @inline(__always) mutating func egressInPlace(_ direction: FlowDirection) -> UInt16 {
        egresses.inPlace(direction.index)
    }

    /// The interface that packets of a direction come in by: the one that answers to them leave by.
    @inline(__always) func ingress(_ direction: FlowDirection) -> UInt16 { egresses[direction.opposite.index] }

    /// Sets the interfaces that both directions leave by.
    mutating func setEgress(original: UInt16, reply: UInt16) { egresses = [original, reply] }

    /// Whether packets leave with other addresses or ports than they came with.
    @inline(__always) package var isTranslated: Bool { flags.contains(.translated) }

    /// The backend of a Service flow: the one that replies.
    package var backend: FlowEndpoint { FlowEndpoint(address: reply.source, port: reply.sourcePort) }
}

/// What is known of one direction of a flow: how its packets arrive, and what is added to their checksums.
package struct FlowSide: Equatable, Sendable, BitwiseCopyable {
    /// The tuple of its packets as they arrive.
    package let tuple: FlowTuple
    /// What its packets add to the complement of the IP header checksum (RFC 1624), the TTL's decrement included.
    package let headerDelta: UInt16
    /// The same for the checksum of the transport header.
    package let transportDelta: UInt16

    /// What a TTL that goes up by one adds to a sum; the TTL is the high byte of its word.
    @inline(__always) static var timeToLiveIncrement: UInt16 { 0x0100 }

    /// A direction whose packets come with one tuple and leave with another one.
    init(_ tuple: FlowTuple, to sent: FlowTuple, _ transport: TransportProtocol) {
        self.tuple = tuple
        // Sums in the byte order of the machine, turned at the end (RFC 1071 section 1.B).
        let old = ~tuple.addresses
        let new = sent.addresses
        let addresses = Checksum.fold((old & 0xffff_ffff) &+ old >> 32 &+ (new & 0xffff_ffff) &+ new >> 32).bigEndian
        let ports = Checksum.fold(UInt64(~tuple.ports) &+ UInt64(sent.ports)).bigEndian
        // One less is 0x0100 less (RFC 1141's example, by RFC 1624's equation).
        headerDelta = Checksum.add(addresses, Checksum.delta(from: Self.timeToLiveIncrement, to: UInt16(0)))
        if transport == .icmp {
            // It has no pseudo-header, and the lower one of its two ports is the identifier.
            let isQuery = tuple.destinationPort == tuple.sourcePort &+ 1
            transportDelta =
                isQuery
                ? Checksum.delta(from: tuple.sourcePort, to: sent.sourcePort)
                : Checksum.delta(from: tuple.destinationPort, to: sent.destinationPort)
        } else {
            transportDelta = Checksum.add(addresses, ports)
        }
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
