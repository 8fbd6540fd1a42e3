/// Longest-prefix match from 32-bit keys to small values.
///
/// Theory of operation: a trie with a stride of eight bits; a lookup follows at most four links. An entry is either a
/// value (with the length of the prefix it came from, so that a shorter prefix never replaces a longer one) or the
/// number of the next node. Built once, then only read.
package struct PrefixTrie: Sendable {
    @usableFromInline package struct Node: Sendable {
        /// Low bit set: the rest is the number of the child node. Else the value plus one, shifted; zero is no value.
        @usableFromInline package var entries: [UInt32]
        @usableFromInline package var lengths: [UInt8]
    }

    @usableFromInline package var nodes: [Node]
    /// How many prefixes were entered.
    package private(set) var count = 0

    package init() { nodes = [Self.emptyNode] }

    private static let emptyNode = Node(
        entries: [UInt32](repeating: 0, count: 256), lengths: [UInt8](repeating: 0, count: 256))

    /// Enters a value for the keys whose first `length` bits are those of `prefix`; values are below 2^30.
    package mutating func insert(_ prefix: UInt32, length: UInt8, value: UInt32) {
        precondition(length <= 32 && value < 1 << 30)
        count += 1
        var node = 0
        var depth: UInt8 = 0
        while length > depth + 8 {
            node = child(of: node, at: Int(prefix >> (24 - UInt32(depth)) & 255))
            depth += 8
        }
        let first = Int(prefix >> (24 - UInt32(depth)) & 255)
        fill(node, first..<(first + (1 << Int(8 - (length - depth)))), length: length, value: value)
    }

    private mutating func child(of node: Int, at slot: Int) -> Int {
        let entry = nodes[node].entries[slot]
        if entry & 1 == 1 { return Int(entry >> 1) }
        var fresh = Self.emptyNode
        // What the entry said holds for all keys below it.
        for index in 0..<256 {
            fresh.entries[index] = entry
            fresh.lengths[index] = nodes[node].lengths[slot]
        }
        nodes.append(fresh)
        nodes[node].entries[slot] = UInt32(nodes.count - 1) << 1 | 1
        return nodes.count - 1
    }

    private mutating func fill(_ node: Int, _ slots: Range<Int>, length: UInt8, value: UInt32) {
        for slot in slots {
            let entry = nodes[node].entries[slot]
            if entry & 1 == 1 {
                fill(Int(entry >> 1), 0..<256, length: length, value: value)
            } else if nodes[node].lengths[slot] <= length {
                nodes[node].entries[slot] = (value + 1) << 1
                nodes[node].lengths[slot] = length
            }
        }
    }

    /// The value of the longest prefix that `key` begins with.
    @inlinable package func lookup(_ key: UInt32) -> UInt32? {
        var node = 0
        var shift: UInt32 = 24
        while true {
            let entry = nodes[node].entries[Int(key >> shift & 255)]
            if entry & 1 == 0 { return entry == 0 ? nil : (entry >> 1) &- 1 }
            node = Int(entry >> 1)
            shift &-= 8
        }
    }
}
