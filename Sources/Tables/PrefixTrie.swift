/// Longest-prefix match from 32-bit keys to small values.
///
/// Theory of operation: a trie with a stride of eight bits; a lookup follows at most four links. An entry is either a
/// value (with the length of the prefix it came from, so that a shorter prefix never replaces a longer one) or the
/// number of the next node. Built once, then only read.
public struct PrefixTrie: Sendable {
    /// 256 entries a node, all nodes in one array.
    ///
    /// 0 is an empty entry. The lowest bit tells a link (1) from a value (0); above it stands the number of the next node,
    /// or the value plus one.
    public var entries: [UInt32]
    private var lengths: [UInt8]
    /// How many prefixes were entered.
    public private(set) var count = 0

    /// A trie without prefixes, in which every lookup finds nothing.
    public init() {
        entries = [UInt32](repeating: 0, count: 256)
        lengths = [UInt8](repeating: 0, count: 256)
    }

    /// Enters a value for the keys whose first `length` bits are those of `prefix`, whose other bits do not matter.
    ///
    /// Of two values for the same prefix the later one counts. Traps when `length` is over 32 or `value` is 2^30 or more.
    public mutating func insert(_ prefix: UInt32, length: UInt8, value: UInt32) {
        precondition(length <= 32 && value < 1 << 30)
        count += 1
        let prefix = length == 0 ? 0 : prefix & UInt32.max << (32 - UInt32(length))
        var node = 0
        var depth: UInt8 = 0
        while length > depth + 8 {
            node = child(at: node << 8 | Int(prefix >> (24 - UInt32(depth)) & 255))
            depth += 8
        }
        let first = node << 8 | Int(prefix >> (24 - UInt32(depth)) & 255)
        fill(first..<(first + (1 << Int(8 - (length - depth)))), length: length, value: value)
    }

    /// The node below an entry, made from what the entry said for all keys below it.
    private mutating func child(at place: Int) -> Int {
        let entry = entries[place]
        if entry & 1 == 1 { return Int(entry >> 1) }
        let node = entries.count >> 8
        entries.append(contentsOf: repeatElement(entry, count: 256))
        lengths.append(contentsOf: repeatElement(lengths[place], count: 256))
        entries[place] = UInt32(node) << 1 | 1
        return node
    }

    private mutating func fill(_ places: Range<Int>, length: UInt8, value: UInt32) {
        for place in places {
            let entry = entries[place]
            if entry & 1 == 1 {
                let node = Int(entry >> 1)
                fill(node << 8..<(node + 1) << 8, length: length, value: value)
            } else if lengths[place] <= length {
                entries[place] = (value + 1) << 1
                lengths[place] = length
            }
        }
    }

    /// The value of the longest prefix that `key` begins with; nil when there is none.
    @inlinable public func lookup(_ key: UInt32) -> UInt32? {
        var node = 0
        var shift: UInt32 = 24
        while true {
            let entry = entries[node << 8 | Int(key >> shift & 255)]
            if entry & 1 == 0 { return entry == 0 ? nil : (entry >> 1) &- 1 }
            node = Int(entry >> 1)
            shift = shift &- 8
        }
    }
}
