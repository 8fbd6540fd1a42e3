internal import Wire

/// The state of a flow: for TCP those of net/netfilter/nf_conntrack_proto_tcp.c, for UDP and ICMP whether a reply came.
package enum FlowState: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// A record that no packet was entered into yet.
    case none
    /// The client's SYN came.
    case synSent
    /// The other side answered with SYN and ACK.
    case synReceived
    /// The handshake is complete.
    case established
    /// One side has sent a FIN.
    case finWait
    /// That FIN was acknowledged.
    case closeWait
    /// Both sides have sent a FIN.
    case lastAck
    /// Both were acknowledged.
    case timeWait
    /// A RST came.
    case close
    /// A second SYN came from the other side (simultaneous open).
    case synSent2
    /// UDP that nobody has answered.
    case unreplied
    /// UDP that was answered.
    case replied
    /// An ICMP query, answered or not.
    case icmpQuery

    /// The name as conntrack(8) prints it.
    package var name: String {
        switch self {
        case .none: "NONE"
        case .synSent: "SYN_SENT"
        case .synReceived: "SYN_RECV"
        case .established: "ESTABLISHED"
        case .finWait: "FIN_WAIT"
        case .closeWait: "CLOSE_WAIT"
        case .lastAck: "LAST_ACK"
        case .timeWait: "TIME_WAIT"
        case .close: "CLOSE"
        case .synSent2: "SYN_SENT2"
        case .unreplied: "UNREPLIED"
        case .replied: "REPLIED"
        case .icmpQuery: "ICMP"
        }
    }

    /// Whether a SYN from the client begins a new connection with the same tuple at once.
    @inline(__always) var isReusable: Bool { self == .timeWait || self == .close }

    /// Whether TCP is on its way out: a FIN or a RST was seen.
    var isClosing: Bool {
        switch self {
        case .finWait, .closeWait, .lastAck, .timeWait, .close: true
        default: false
        }
    }

    /// What a flow is worth in this state when room is needed, if its other side was seen; see `Flow.evictionClass`.
    fileprivate var evictionClass: EvictionClass {
        switch self {
        case .none, .synSent, .synSent2, .synReceived: .halfOpen
        case .lastAck, .timeWait, .close: .closed
        case .finWait, .closeWait: .closing
        case .unreplied, .icmpQuery: .unreplied
        case .replied: .replied
        case .established: .established
        }
    }
}

extension Flow {
    /// Whether the flow was picked up in its middle, and only one side of it was ever seen.
    var isOneSided: Bool { flags.intersection([.pickedUp, .seenReply]) == .pickedUp }

    /// What the flow is worth when room is needed.
    ///
    /// A connection that was picked up from one side's word alone is not established to anybody else: as in the kernel,
    /// where it is not ASSURED, it gives way. Else whoever sends ACKs from made-up ports could fill the table for a day.
    var evictionClass: EvictionClass {
        state == .established && isOneSided ? .unreplied : state.evictionClass
    }
}

/// What a TCP segment means for the state of its connection.
enum TCPEvent: UInt8, CaseIterable {
    case syn, synAck, fin, ack, rst, other

    /// The order of the tests is that of nf_conntrack: RST, then SYN, then FIN, then ACK.
    @inline(__always) init(_ flags: TCPFlags) {
        if flags.contains(.rst) {
            self = .rst
        } else if flags.contains(.syn) {
            self = flags.contains(.ack) ? .synAck : .syn
        } else if flags.contains(.fin) {
            self = .fin
        } else {
            self = flags.contains(.ack) ? .ack : .other
        }
    }
}

/// What becomes of a connection when a segment comes.
enum TCPTransition: Equatable {
    /// The connection is now in this state.
    case to(FlowState)
    /// The segment changes nothing and is let through: the other side will sort it out.
    case ignored
    /// The segment cannot belong to the connection in its state.
    case invalid

    /// The rules of nf_conntrack, by what comes from whom: the first FIN leads to FIN_WAIT, the ACK after it to
    /// CLOSE_WAIT, the second FIN to LAST_ACK, its ACK to TIME_WAIT, a RST to CLOSE.
    static func after(_ event: TCPEvent, _ direction: FlowDirection, in state: FlowState) -> TCPTransition {
        switch event {
        case .syn: direction == .original ? synFromClient(state) : synFromServer(state)
        case .synAck: direction == .original ? synAckFromClient(state) : synAckFromServer(state)
        case .fin: fin(state)
        case .ack: ack(direction, state)
        case .rst: .to(.close)
        case .other: .invalid
        }
    }

    private static func synFromClient(_ state: FlowState) -> TCPTransition {
        switch state {
        case .none, .synSent, .timeWait, .close: .to(.synSent)
        case .synSent2: .to(.synSent2)
        default: .ignored  // a SYN on an open connection: the peer answers with a challenge ACK (RFC 5961)
        }
    }

    private static func synFromServer(_ state: FlowState) -> TCPTransition {
        switch state {
        case .synSent, .synSent2: .to(.synSent2)
        case .timeWait: .to(.synSent)
        default: .invalid
        }
    }

    private static func synAckFromClient(_ state: FlowState) -> TCPTransition {
        switch state {
        case .synReceived, .synSent2: .to(.synReceived)
        default: .invalid
        }
    }

    private static func synAckFromServer(_ state: FlowState) -> TCPTransition {
        switch state {
        case .synSent, .synSent2: .to(.synReceived)
        case .none: .invalid
        default: .ignored
        }
    }

    private static func fin(_ state: FlowState) -> TCPTransition {
        switch state {
        case .synReceived, .established: .to(.finWait)
        case .finWait, .closeWait, .lastAck: .to(.lastAck)
        case .timeWait, .close: .to(state)
        default: .invalid
        }
    }

    private static func ack(_ direction: FlowDirection, _ state: FlowState) -> TCPTransition {
        switch state {
        case .none: direction == .original ? .to(.established) : .invalid
        case .synSent, .synSent2: direction == .original ? .invalid : .ignored
        case .synReceived: direction == .original ? .to(.established) : .to(.synReceived)
        case .established: .to(.established)
        case .finWait, .closeWait: .to(.closeWait)
        case .lastAck, .timeWait: .to(.timeWait)
        case .close: .to(.close)
        default: .invalid
        }
    }
}
