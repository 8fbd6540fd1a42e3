/// What a flow is worth when a full table needs room for another; the order is that of eviction.
package enum EvictionClass: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// TCP whose handshake is not complete.
    case halfOpen
    /// TCP that is over: both sides have said so, or a RST has.
    case closed
    /// TCP of which one side has ended.
    case closing
    /// UDP that nobody has answered, ICMP queries, and TCP that was picked up and whose other side was never seen.
    case unreplied
    /// UDP that was answered; never evicted.
    case replied
    /// TCP in a connection; never evicted.
    case established

    /// The classes that may be evicted, the first to go first.
    static let evictable: [4 of EvictionClass] = [.halfOpen, .closed, .closing, .unreplied]

    /// The same while few are half-open: these were begun just now.
    static let evictableUnlessFlooded: [4 of EvictionClass] = [.closed, .closing, .unreplied, .halfOpen]

    /// Whether flows of the class may be evicted.
    package var isEvictable: Bool { rawValue <= EvictionClass.unreplied.rawValue }

    /// The word of counters and metrics.
    package var word: String {
        switch self {
        case .halfOpen: "halfOpen"
        case .closed: "closed"
        case .closing: "closing"
        case .unreplied: "unreplied"
        case .replied: "replied"
        case .established: "established"
        }
    }
}

/// A number for each eviction class.
package struct ClassCounts: Sendable, Equatable {
    private var values: [6 of UInt64] = [0, 0, 0, 0, 0, 0]

    /// Zeros.
    package init() {}

    /// All classes together.
    package var total: UInt64 { EvictionClass.allCases.reduce(0) { $0 &+ self[$1] } }

    /// The number of a class.
    package subscript(eviction: EvictionClass) -> UInt64 {
        get { values[Int(eviction.rawValue)] }
        set { values[Int(eviction.rawValue)] = newValue }
    }

    /// Adds those of another worker.
    package static func &+= (left: inout ClassCounts, right: ClassCounts) {
        for eviction in EvictionClass.allCases { left[eviction] &+= right[eviction] }
    }

    /// Compares all numbers.
    package static func == (left: ClassCounts, right: ClassCounts) -> Bool {
        EvictionClass.allCases.allSatisfy { left[$0] == right[$0] }
    }
}
