internal import Tables
internal import Wire

/// Moves flows from state to state: the rules of `TCPTransition` and `Timeouts`, laid out as flat tables, and the windows.
///
/// Theory of operation: a segment without SYN, FIN and RST that is simply the next one of an established connection, and a
/// datagram of a stream, only move numbers on (`advance`). All others go to `update`, and TCP to `trackTCP`, which tells
/// what fits from what is let through without effect and from what is invalid.
struct FlowTracker: ~Copyable {
    /// By direction, event and state: the next state, or one of the two marks below.
    private var transitions: FixedArray<UInt8>
    /// By state, in nanoseconds.
    private var durations: FixedArray<UInt64>
    /// The two of them that nearly every packet asks for.
    let steady: SteadyDurations

    private static let ignored: UInt8 = 0xfe
    private static let invalid: UInt8 = 0xff
    private static let stateCount = 16

    /// What tracking says of a packet of a known flow.
    enum Judgment: UInt8 {
        /// It belongs there: state, windows and deadline follow it.
        case fits
        /// It is let through without effect: whom it goes to will know what to make of it.
        case ignored
        /// It cannot belong to the flow as it stands, and nothing was changed.
        case invalid
    }

    /// How long flows live after a packet that does not change their state, in nanoseconds.
    struct SteadyDurations: BitwiseCopyable {
        let established: UInt64
        let replied: UInt64
    }

    init(_ timeouts: Timeouts) {
        transitions = FixedArray(count: 2 * 8 * Self.stateCount)
        durations = FixedArray(count: Self.stateCount)
        steady = SteadyDurations(
            established: timeouts.duration(of: .established),
            replied: timeouts.duration(of: .replied)
        )
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

    /// What a segment means for a connection by its flags alone.
    func transition(_ event: TCPEvent, _ direction: FlowDirection, in state: FlowState) -> TCPTransition {
        let next = transitions[Self.slot(direction, event, state)]
        if next == Self.ignored { return .ignored }
        return FlowState(rawValue: next).map { .to($0) } ?? .invalid
    }

    /// Enters a packet of an existing flow that changes nothing but numbers, whose transport header is at `place` of
    /// `frame`, `length` bytes with what it carries.
    ///
    /// The flow's `deadline` is left to the caller. False, with nothing changed, when it needs a closer look: then `update`
    /// is to be asked.
    @inline(__always) static func advance(
        _ flow: inout Flow,
        _ direction: FlowDirection,
        _ frame: RawSpan,
        at place: Int,
        length: Int,
        flags: TCPFlags,
        now: UInt64,
        _ durations: SteadyDurations,
        deadline: inout UInt64
    ) -> Bool {
        if flow.state == .replied {
            deadline = now &+ durations.replied
            return true
        }
        // Both sides are known, nothing was let through that is still to be answered, and no SACK block can be there.
        let known: FlowFlags = [.originalAcknowledged, .replyAcknowledged]
        let unusual: FlowFlags = [.notedSYN, .notedACK, .orphaned]
        guard flow.state == .established, flow.flags.intersection(known.union(unusual)) == known,
            flags.intersection([.fin, .syn, .rst, .ack]) == .ack
        else { return false }
        let segment = SegmentVariables(frame, at: place, length: length, flags: flags)
        guard segment.optionsLength == 0 || TCPOptions.areTimestampsOnly(frame, segment.options),
            flow.windows.advance(direction, segment)
        else { return false }
        deadline = now &+ durations.established
        return true
    }

    /// Enters any other packet of an existing flow; for the parameters see `advance`.
    @inline(never) func update(
        _ flow: inout Flow,
        _ direction: FlowDirection,
        _ frame: RawSpan,
        at place: Int,
        length: Int,
        flags: TCPFlags,
        now: UInt64
    ) -> Judgment {
        switch flow.transport {
        case .tcp:
            let segment = SegmentVariables(frame, at: place, length: length, flags: flags)
            return trackTCP(&flow, direction, segment, frame, now: now)
        case .udp:
            settle(&flow, direction, in: direction == .reply ? .replied : flow.state, now: now)
        default:
            settle(&flow, direction, in: flow.state, now: now)
        }
        return .fits
    }

    /// Sets the state that a packet led to, and the deadline that follows from it.
    @inline(__always) func settle(_ flow: inout Flow, _ direction: FlowDirection, in state: FlowState, now: UInt64) {
        if direction == .reply && !flow.flags.contains(.seenReply) { flow.flags.insert(.seenReply) }
        flow.state = state
        flow.deadline = now &+ durations[Int(state.rawValue)]
    }

    /// Ends a connection on both sides' behalf.
    func close(_ flow: inout Flow, now: UInt64) {
        flow.state = .close
        flow.deadline = now &+ durations[Int(FlowState.close.rawValue)]
    }

    /// The state of a flow after its first packet.
    func begin(_ flow: inout Flow, _ packet: inout Packet, _ frame: RawSpan) {
        switch flow.transport {
        case .tcp:
            let segment = SegmentVariables(
                frame,
                at: Int(packet.headerLength),
                length: packet.carriedLength,
                flags: packet.flags
            )
            beginTCP(&flow, segment, frame)
        case .udp: flow.state = .unreplied
        default: flow.state = .icmpQuery
        }
        flow.deadline = packet.now &+ durations[Int(flow.state.rawValue)]
    }
}
