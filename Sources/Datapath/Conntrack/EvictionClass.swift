internal import Tables

/// What a flow is worth when a full table needs room for another; the order is that of eviction.
package enum EvictionClass: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// TCP whose handshake is not complete.
    case halfOpen
    /// TCP that is over: both sides have said so, or a RST has.
    case closed
    /// TCP of which one side has ended.
    case closing
    /// UDP that nobody has answered, and ICMP queries.
    case unreplied
    /// UDP that was answered; never evicted.
    case replied
    /// TCP in a connection; never evicted.
    case established

    /// The classes that may be evicted, the first to go first.
    static let evictable: [4 of EvictionClass] = [.halfOpen, .closed, .closing, .unreplied]

    /// Whether flows of the class may be evicted.
    var isEvictable: Bool { rawValue <= EvictionClass.unreplied.rawValue }

    /// The word of counters and metrics.
    package var word: String {
        switch self {
        case .halfOpen: "half-open"
        case .closed: "closed"
        case .closing: "closing"
        case .unreplied: "unreplied"
        case .replied: "replied"
        case .established: "established"
        }
    }
}

/// A number for each eviction class.
package struct EvictionCounts: Sendable {
    private var values: [6 of UInt64] = [0, 0, 0, 0, 0, 0]

    /// The number of a class.
    package subscript(eviction: EvictionClass) -> UInt64 {
        @inline(__always) get { values[Int(eviction.rawValue)] }
        @inline(__always) set { values[Int(eviction.rawValue)] = newValue }
    }
}

/// The flows of each class that may be evicted, in the order in which they came into it.
///
/// Theory of operation: a list for each class runs through a slab of links beside the records, eight bytes a flow; so a
/// victim is found at once, and a flow changes its class with a few writes. It keeps its place while it stays in its class:
/// the first is the one that has been in it longest.
struct EvictionLists: ~Copyable {
    private struct Links: BitwiseCopyable {
        var next: UInt32
        var previous: UInt32
    }

    private var links: FixedArray<Links>
    private var first: [4 of UInt32] = [0, 0, 0, 0]
    private var last: [4 of UInt32] = [0, 0, 0, 0]
    /// How many flows are in each class, those included that are never evicted.
    private(set) var counts = EvictionCounts()

    /// Room for records with numbers up to `capacity`.
    init(capacity: Int) { links = FixedArray(count: capacity + 1) }

    /// The size in bytes.
    var byteCount: Int { links.byteCount }

    /// The flow that has been in a class longest; 0 for none.
    func oldest(_ eviction: EvictionClass) -> UInt32 { eviction.isEvictable ? first[Int(eviction.rawValue)] : 0 }

    /// Adds a flow, which is in no class, at the end of one.
    mutating func enter(_ number: UInt32, _ eviction: EvictionClass) {
        counts[eviction] &+= 1
        guard eviction.isEvictable else { return }
        let place = Int(eviction.rawValue)
        let previous = last[place]
        links[number] = Links(next: 0, previous: previous)
        if previous != 0 { links[previous].next = number } else { first[place] = number }
        last[place] = number
    }

    /// Takes a flow out of the class that it is in.
    mutating func leave(_ number: UInt32, _ eviction: EvictionClass) {
        counts[eviction] &-= 1
        guard eviction.isEvictable else { return }
        let place = Int(eviction.rawValue)
        let here = links[number]
        if here.previous != 0 { links[here.previous].next = here.next } else { first[place] = here.next }
        if here.next != 0 { links[here.next].previous = here.previous } else { last[place] = here.previous }
    }
}
