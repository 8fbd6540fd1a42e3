package import Tables

/// The memory of the maps that outlive the process: what the eBPF world calls pinned.
///
/// Theory of operation: only records are kept, those of conntrack and of session affinity. Everything else (indexes, timer
/// wheels, free lists, maps of ports) is made anew from them, so that it never matters at which instruction a
/// process was killed. A record is complete before the one store that makes it count (`Flow.state`,
/// `AffinityTable.Entry.deadline`), and stops counting with one store; a fence keeps the compiler from moving
/// others past it. What a later process finds is taken record by record, checked, into fresh maps (`Pipeline.restore`); nothing
/// of it is used in place.
/// The first `recordOffset` bytes of a region are for whoever keeps the file.
package struct PinnedMaps: ~Copyable {
    /// Counts the changes of what a record looks like: a file of another layout is not read.
    package static let layout: UInt32 = 2
    /// Where the records begin, in bytes: a page.
    package static let recordOffset = 4096

    /// The size of a flow's record in bytes.
    package static var flowSize: Int { MemoryLayout<Flow>.stride }
    /// The size of a remembered client's record in bytes.
    package static var affinitySize: Int { MemoryLayout<AffinityTable.Entry>.stride }
    /// How many clients are remembered.
    package static var affinityCapacity: Int { AffinityTable.capacity }

    /// The bytes that a region needs for `capacity` flows.
    package static func conntrackByteCount(capacity: Int) -> Int {
        recordOffset + Slab<Flow>.byteCount(capacity: capacity)
    }

    /// The bytes that a region needs for session affinity.
    package static var affinityByteCount: Int {
        recordOffset + Slab<AffinityTable.Entry>.byteCount(capacity: affinityCapacity)
    }

    /// The flows; nil: they go with the process.
    var conntrack: Region?
    /// The remembered clients; nil: they go with the process.
    var affinity: Region?

    /// Nothing outlives the process.
    package init() {
        conntrack = nil
        affinity = nil
    }

    /// Regions of zeros but for their first page, as large as the two functions say.
    package init(conntrack: consuming Region?, affinity: consuming Region?) {
        self.conntrack = conntrack
        self.affinity = affinity
    }
}

/// What came of the records that an earlier process left.
package struct Restoration: Equatable, Sendable {
    /// Flows that go on.
    package var flows = 0
    /// Clients whose backend is remembered.
    package var clients = 0
    /// Records whose time is over.
    package var expired = 0
    /// Records that were half written, damaged, or do not fit the configuration any more.
    package var refused = 0

    /// Nothing was there.
    package init() {}
}
