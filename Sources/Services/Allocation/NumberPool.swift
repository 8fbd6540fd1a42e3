internal import Tables
internal import Wire

/// Free numbers of some ranges: addresses or ports.
///
/// Theory of operation: what is taken points at its successor, which may be taken too, so the next free number is found by
/// following. Ways that were followed are shortened (as in a disjoint-set forest), so that a nearly full range costs
/// hardly more than an empty one. Memory grows with what is taken, not with the range.
/// The search for a name begins at a place drawn from a hash of it: so the same set of names gets the same numbers
/// whatever order its files have, and a name mostly gets the same one in another set too.
struct NumberPool {
    private var successors: [Int: Int] = [:]

    /// Takes a number; false if it was taken already.
    @discardableResult
    mutating func take(_ number: Int) -> Bool {
        guard successors[number] == nil else { return false }
        successors[number] = number + 1
        return true
    }

    /// Takes the first free number of a range at or after the place of `name`, going round at its end.
    mutating func take(for name: String, in range: Range<Int>) -> Int? {
        guard !range.isEmpty else { return nil }
        let start = range.lowerBound + Int(Murmur3.hash(Array(name.utf8), seed: 0).0 % UInt64(range.count))
        for part in [start..<range.upperBound, range.lowerBound..<start] {
            let number = free(from: part.lowerBound)
            if part.contains(number) {
                take(number)
                return number
            }
        }
        return nil
    }

    private mutating func free(from first: Int) -> Int {
        var end = first
        while let next = successors[end] { end = next }
        var number = first
        while let next = successors[number], next != end {
            successors[number] = end
            number = next
        }
        return end
    }
}

/// The two halves of a range: automatic allocation uses the upper band, and the lower one only when that is full, so that
/// those who choose for themselves have a band with few collisions.
struct Bands {
    let lower: Range<Int>
    let upper: Range<Int>

    /// ClusterIPs (KEP-3070; pkg/registry/core/service/ipallocator `calculateRangeOffset`).
    static func addresses(_ block: IPv4Prefix) -> Bands {
        Bands(block.hosts, size: Int(block.count), step: 16, most: 256)
    }

    /// NodePorts (KEP-3668; pkg/registry/core/service/portallocator `calculateRangeOffset`).
    static func ports(_ range: ClosedRange<UInt16>) -> Bands {
        Bands(Int(range.lowerBound)..<Int(range.upperBound) + 1, size: range.count, step: 32, most: 128)
    }

    /// Bands of a range: the lower one is a `step`th of `size`, 16 at least and `most` at most; small ranges have none.
    private init(_ range: Range<Int>, size: Int, step: Int, most: Int) {
        let offset = size <= 16 ? 0 : min(max(16, size / step), most)
        let border = min(range.lowerBound + offset, range.upperBound)
        lower = range.lowerBound..<border
        upper = border..<range.upperBound
    }
}

extension NumberPool {
    /// Takes a number for a name from the upper band, or else from the lower one.
    mutating func take(for name: String, in bands: Bands) -> Int? {
        take(for: name, in: bands.upper) ?? take(for: name, in: bands.lower)
    }
}
