internal import Tables
internal import Wire

/// Moves flows from state to state: the rules of `TCPTransition` and `Timeouts`, laid out as flat tables so that an
/// established packet costs one load each.
struct FlowTracker: ~Copyable {
    /// By direction, event and state: the next state, or one of the two marks below.
    private var transitions: FixedArray<UInt8>
    /// By state, in nanoseconds.
    private var durations: FixedArray<UInt64>

    private static let ignored: UInt8 = 0xfe
    private static let invalid: UInt8 = 0xff
    private static let stateCount = 16

    init(_ timeouts: Timeouts) {
        transitions = FixedArray(count: 2 * 8 * Self.stateCount)
        durations = FixedArray(count: Self.stateCount)
        for state in FlowState.allCases {
            durations[Int(state.rawValue)] = timeouts.duration(of: state)
            for direction in [FlowDirection.original, .reply] {
                for event in TCPEvent.allCases {
                    let slot = Self.slot(direction, event, state)
                    switch TCPTransition.after(event, direction, in: state) {
                    case .to(let next): transitions[slot] = next.rawValue
                    case .ignored: transitions[slot] = Self.ignored
                    case .invalid: transitions[slot] = Self.invalid
                    }
                }
            }
        }
    }

    @inline(__always) private static func slot(_ direction: FlowDirection, _ event: TCPEvent, _ state: FlowState) -> Int
    {
        (Int(direction.rawValue) << 3 | Int(event.rawValue)) << 4 | Int(state.rawValue)
    }

    /// Enters a packet of an existing flow.
    ///
    /// Returns false when it does not fit the flow's state; it is translated all the same (the liberal rule), but
    /// neither changes the state nor prolongs it.
    @inline(__always) func update(_ flow: inout Flow, _ direction: FlowDirection, flags: TCPFlags, now: UInt64) -> Bool
    {
        var state = flow.state
        switch flow.transport {
        case .tcp:
            let next = transitions[Self.slot(direction, TCPEvent(flags), state)]
            if next >= Self.ignored { return next == Self.ignored }
            state = FlowState(rawValue: next) ?? state
        case .udp:
            if direction == .reply { state = .replied }
        default:
            break
        }
        if direction == .reply && !flow.flags.contains(.seenReply) { flow.flags.insert(.seenReply) }
        flow.state = state
        flow.deadline = now &+ durations[Int(state.rawValue)]
        return true
    }

    /// Ends a connection on both sides' behalf.
    func close(_ flow: inout Flow, now: UInt64) {
        flow.state = .close
        flow.deadline = now &+ durations[Int(FlowState.close.rawValue)]
    }

    /// The state of a flow after its first packet.
    func begin(_ flow: inout Flow, flags: TCPFlags, now: UInt64) {
        switch flow.transport {
        case .tcp:
            switch TCPEvent(flags) {
            case .syn: flow.state = .synSent
            case .rst: flow.state = .close
            // Half of a handshake is no connection yet, and must not live as long as one.
            case .synAck: flow.state = .synReceived
            case .fin: flow.state = .finWait
            default: flow.state = .established  // picked up in the middle
            }
        case .udp: flow.state = .unreplied
        default: flow.state = .icmpQuery
        }
        flow.deadline = now &+ durations[Int(flow.state.rawValue)]
    }
}
