public import Synchronization

/// Finds a 32-bit reference by the hash of its key.
///
/// Theory of operation: a bucket is one cache line: seven entries and a word that counts how many keys had to move on
/// to later buckets because this one was full (the scheme of F14). An entry is 32 bits of the hash and the reference;
/// zero is an empty entry. A lookup that finds nothing ends at the first bucket that nobody moved past, which at the
/// load kept here (at most 5 of 7) is nearly always the first. Keys live with the owner of the references: the caller
/// confirms a match. Entries are atomic words: readers on other threads see a whole entry or none.
@safe public struct BucketIndex: ~Copyable {
    /// How many of the eight words of a bucket are entries.
    public static var entriesPerBucket: Int { 7 }
    /// The place in a bucket of the word that counts the keys that moved past it.
    public static var overflowWord: Int { 7 }

    // Safe: points into `region`, which this value owns, and has room for `bucketCount` buckets of eight words.
    /// All buckets, eight words each.
    public let words: UnsafeMutablePointer<Atomic<UInt64>>
    /// The number of buckets, a power of two.
    public let bucketCount: Int
    private let region: Region

    /// An index that never runs out of room with up to `capacity` references.
    public init(capacity: Int) {
        var buckets = 2
        while buckets * 5 < capacity { buckets *= 2 }
        let region = Region(byteCount: buckets * 64)
        // Safe: an atomic word is a word in memory, and zero is a valid one.
        unsafe words = region.base.bindMemory(to: Atomic<UInt64>.self, capacity: buckets * 8)
        bucketCount = buckets
        self.region = region
    }

    /// The size in bytes.
    public var byteCount: Int { bucketCount * 64 }

    @inlinable func home(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (bucketCount &- 1) }

    @inlinable static func tag(_ hash: UInt64) -> UInt64 { (hash | 1 << 63) & 0xffff_ffff_0000_0000 }

    @inlinable func load(_ bucket: Int, _ slot: Int) -> UInt64 {
        // Safe: `bucket` is masked to bucketCount, `slot` is below eight.
        unsafe words[bucket &* 8 &+ slot].load(ordering: .acquiring)
    }

    @inlinable func store(_ word: UInt64, _ bucket: Int, _ slot: Int) {
        // Safe: as in load.
        unsafe words[bucket &* 8 &+ slot].store(word, ordering: .releasing)
    }

    /// Asks the processor to load the bucket of a hash.
    @inlinable public func prefetch(_ hash: UInt64) {
        // Safe: the bucket is masked to bucketCount.
        unsafe Prefetch.line(words + home(hash) &* 8)
    }

    /// The first reference in the bucket of `hash` that may be the one; not confirmed, for prefetching only.
    @inlinable public func candidate(_ hash: UInt64) -> UInt32? {
        let bucket = home(hash)
        let tag = Self.tag(hash)
        for slot in 0..<Self.entriesPerBucket {
            let entry = load(bucket, slot)
            if entry & 0xffff_ffff_0000_0000 == tag { return UInt32(truncatingIfNeeded: entry) }
        }
        return nil
    }

    /// The reference under `hash` that `isMatch` confirms; nil when there is none.
    @inlinable public func find(_ hash: UInt64, where isMatch: (UInt32) -> Bool) -> UInt32? {
        let tag = Self.tag(hash)
        var bucket = home(hash)
        var visited = 0
        while visited < bucketCount {
            for slot in 0..<Self.entriesPerBucket {
                let entry = load(bucket, slot)
                if entry & 0xffff_ffff_0000_0000 == tag {
                    let reference = UInt32(truncatingIfNeeded: entry)
                    if isMatch(reference) { return reference }
                }
            }
            if load(bucket, Self.overflowWord) == 0 { return nil }
            bucket = (bucket &+ 1) & (bucketCount &- 1)
            visited &+= 1
        }
        return nil
    }

    /// Enters a reference; false when every bucket is full, which the capacity rules out.
    @inlinable public mutating func insert(_ hash: UInt64, _ reference: UInt32) -> Bool {
        let word = Self.tag(hash) | UInt64(reference)
        let start = home(hash)
        var bucket = start
        var visited = 0
        while visited < bucketCount {
            for slot in 0..<Self.entriesPerBucket where load(bucket, slot) == 0 {
                store(word, bucket, slot)
                return true
            }
            store(load(bucket, Self.overflowWord) &+ 1, bucket, Self.overflowWord)
            bucket = (bucket &+ 1) & (bucketCount &- 1)
            visited &+= 1
        }
        undoOverflow(from: start, count: visited)
        return false
    }

    /// Takes a reference out; false when it was not there under this hash.
    @inlinable public mutating func remove(_ hash: UInt64, _ reference: UInt32) -> Bool {
        let word = Self.tag(hash) | UInt64(reference)
        let start = home(hash)
        var bucket = start
        var visited = 0
        while visited < bucketCount {
            for slot in 0..<Self.entriesPerBucket where load(bucket, slot) == word {
                store(0, bucket, slot)
                undoOverflow(from: start, count: visited)
                return true
            }
            if load(bucket, Self.overflowWord) == 0 { return false }
            bucket = (bucket &+ 1) & (bucketCount &- 1)
            visited &+= 1
        }
        return false
    }

    /// Counts down the buckets that an entry had moved past.
    @usableFromInline mutating func undoOverflow(from start: Int, count: Int) {
        for step in 0..<count {
            let bucket = (start &+ step) & (bucketCount &- 1)
            store(load(bucket, Self.overflowWord) &- 1, bucket, Self.overflowWord)
        }
    }
}

// Safe: the words are atomic, and inserting and removing need exclusive access by the language's rules.
extension BucketIndex: @unchecked Sendable {}
