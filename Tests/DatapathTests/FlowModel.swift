import Datapath
import TestSupport
import Wire

/// The conntrack table as its documentation reads: a list of flows, each with a state and the end of its time.
///
/// No hash, no wheel, no records: it is looked through from front to back, and shares nothing with the table but the names of
/// states. Segments of TCP are those of well-behaved ends, so that windows need no model.
struct FlowModel {
    struct Entry: Equatable {
        var original: FlowTuple
        var reply: FlowTuple
        var transport: TransportProtocol
        var state: FlowState
        /// In nanoseconds.
        var deadline: UInt64
        var identifier: UInt64
        /// The number of the ServicePort that chose the backend, 0 for none.
        var service: UInt32
    }

    /// Flows that live, and those that have died since the last `bury`.
    private(set) var entries: [Entry] = []
    private(set) var lastIdentifier: UInt64 = 0
    var now: UInt64 = DatapathHarness.epoch

    /// How long a state lasts, in seconds, as docs/conntrack.md has it.
    static func seconds(_ state: FlowState) -> UInt64 {
        switch state {
        case .none, .synSent, .synSent2, .synReceived, .icmpQuery: 60
        case .established: 24 * 3600
        case .finWait, .timeWait, .replied: 120
        case .closeWait: 3600
        case .lastAck, .unreplied: 30
        case .close: 10
        }
    }

    var live: [Entry] { entries.filter { $0.deadline > now } }

    /// The place of the flow that owns a tuple, and whether it is that of the client.
    func owner(_ tuple: FlowTuple, _ transport: TransportProtocol) -> (place: Int, isOriginal: Bool)? {
        for place in entries.indices where entries[place].transport == transport && entries[place].deadline > now {
            if entries[place].original == tuple { return (place, true) }
            if entries[place].reply == tuple { return (place, false) }
        }
        return nil
    }

    /// Enters a flow that a packet has begun.
    mutating func begin(
        _ original: FlowTuple,
        _ reply: FlowTuple,
        _ transport: TransportProtocol,
        identifier: UInt64,
        service: UInt32
    ) {
        let state: FlowState = transport == .tcp ? .synSent : transport == .udp ? .unreplied : .icmpQuery
        lastIdentifier = max(lastIdentifier, identifier)
        entries.append(
            Entry(
                original: original,
                reply: reply,
                transport: transport,
                state: state,
                deadline: now + Self.seconds(state) * 1_000_000_000,
                identifier: identifier,
                service: service
            )
        )
    }

    /// Enters a packet into the flow that it belongs to.
    mutating func follow(_ place: Int, isOriginal: Bool, _ flags: TCPFlags) {
        let old = entries[place].state
        switch entries[place].transport {
        case .udp: entries[place].state = isOriginal ? old : .replied
        case .tcp: entries[place].state = Self.state(after: flags, isOriginal: isOriginal, in: old)
        default: break
        }
        entries[place].deadline = now + Self.seconds(entries[place].state) * 1_000_000_000
    }

    /// What a segment that fits leads to.
    private static func state(after flags: TCPFlags, isOriginal: Bool, in old: FlowState) -> FlowState {
        if flags.contains(.rst) { return .close }
        if flags.contains(.syn) { return flags.contains(.ack) ? .synReceived : old }
        if flags.contains(.fin) { return old == .established ? .finWait : .lastAck }
        switch old {
        case .synReceived: return .established
        case .finWait: return .closeWait
        case .lastAck: return .timeWait
        default: return old
        }
    }

    /// A process that begins anew counts on from the flows that it takes over.
    mutating func renumber() { lastIdentifier = live.map(\.identifier).max() ?? 0 }

    /// Takes away the flows of which `isGone` is true.
    mutating func remove(where isGone: (Entry) -> Bool) { entries.removeAll { $0.deadline > now && isGone($0) } }

    /// Forgets the flows whose time is over, and returns them.
    mutating func bury() -> [Entry] {
        let dead = entries.filter { $0.deadline <= now }
        entries.removeAll { $0.deadline <= now }
        return dead
    }
}
