/// Counts how often keys are in a set, in a fixed amount of memory (Cormode and Muthukrishnan, 2005).
///
/// Theory of operation: two rows of counters; a key has one place in each, by the two halves of its hash, and its count is
/// the lesser of the two. It is never too small. It is too large only by what shares both places with it, and whoever does
/// not know the seed of the hash cannot choose keys that do. What was added can be taken away again.
public struct CountMinSketch: ~Copyable {
    /// How many counters a row has, a power of two.
    public let width: Int
    /// Both rows, one after the other.
    public var counters: FixedArray<UInt32>

    /// All counts are zero; `width` is rounded up to a power of two.
    public init(width: Int) {
        var rounded = 1
        while rounded < width { rounded *= 2 }
        self.width = rounded
        counters = FixedArray(count: 2 * rounded)
    }

    /// The size in bytes.
    public var byteCount: Int { counters.byteCount }

    @inlinable func places(_ hash: UInt64) -> (Int, Int) {
        let mask = UInt64(width &- 1)
        return (Int(hash & mask), width &+ Int(hash >> 32 & mask))
    }

    /// The count of a key, by its hash.
    @inlinable public func count(_ hash: UInt64) -> UInt32 {
        let (first, second) = places(hash)
        return min(counters[first], counters[second])
    }

    /// Counts a key once more.
    @inlinable public mutating func add(_ hash: UInt64) {
        let (first, second) = places(hash)
        counters[first] &+= 1
        counters[second] &+= 1
    }

    /// Counts a key once less, which must have been added before.
    @inlinable public mutating func remove(_ hash: UInt64) {
        let (first, second) = places(hash)
        counters[first] &-= 1
        counters[second] &-= 1
    }
}
