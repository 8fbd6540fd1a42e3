internal import Tables

/// The flows of each class that may be evicted, in the order in which they came into it.
///
/// Theory of operation: a list for each class runs through an array of links beside the records, eight bytes a flow; so a
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
    private(set) var counts = ClassCounts()

    /// Room for records with numbers up to `capacity`.
    init(capacity: Int) { links = FixedArray(count: capacity + 1) }

    /// The size in bytes.
    var byteCount: Int { links.byteCount }

    /// The flow that has been in a class longest; 0 for none.
    func oldest(_ eviction: EvictionClass) -> UInt32 { eviction.isEvictable ? first[Int(eviction.rawValue)] : 0 }

    /// The flow that came into the class after this one; 0 for none.
    func following(_ number: UInt32) -> UInt32 { links[number].next }

    /// Whether a flow is in the list of a class, in a table that no flow has left yet.
    func contains(_ number: UInt32, _ eviction: EvictionClass) -> Bool {
        links[number].previous != 0 || oldest(eviction) == number
    }

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
