/// A Maglev lookup table (Eisenbud et al., NSDI 2016), filled as Cilium fills it, entry by entry.
///
/// Theory of operation: every member has a permutation of the slots, given by an offset and a skip that are hashed from its
/// key. In turns each member takes the next slot of its permutation that is still free, until all are taken. So members
/// have equal shares, and a member that goes moves little but its own slots. The order in which members take turns is
/// that of their keys, so that only the set matters, not its order.
/// A weight makes a member wait: it takes part in a turn only as often as its share asks for (pkg/maglev of Cilium).
public enum MaglevTable {
    /// The seed of the hash: the first four bytes of Cilium's default, `JLfvgnHc2kaSUFaI`.
    public static var defaultSeed: UInt32 { 0x24b7_ef82 }

    /// A member of the table.
    public struct Member: Sendable {
        /// What it is hashed and ordered by.
        public var key: [UInt8]
        /// Its share against those of the others; 1 unless told otherwise.
        public var weight: UInt32

        /// A member by its key.
        public init(key: [UInt8], weight: UInt32 = 1) {
            self.key = key
            self.weight = weight
        }
    }

    /// The member of each slot, by its index in `members`; empty without members.
    ///
    /// `size` is a prime, and there are fewer members than slots and than 65,536.
    public static func build(_ members: [Member], size: Int, seed: UInt32 = defaultSeed) -> [UInt16] {
        guard !members.isEmpty, size > 1, members.count <= min(size, 65535) else { return [] }
        let order = members.indices.sorted { members[$0].key.lexicographicallyPrecedes(members[$1].key) }
        var places: [UInt64] = []
        var skips: [UInt64] = []
        for index in order {
            let (first, second) = Murmur3.hash(members[index].key, seed: seed)
            places.append(first % UInt64(size))
            skips.append(second % UInt64(size - 1) + 1)
        }
        let sum = members.reduce(0.0) { $0 + Double($1.weight) }
        let isWeighted = UInt64(sum) / UInt64(members.count) > 1
        var counters = order.map { Double(members[$0].weight) / Double(members.count) }
        let weights = order.map { Double(members[$0].weight) }

        var table = [UInt16](repeating: .max, count: size)
        for slot in 0..<size {
            var member = slot % order.count
            if isWeighted {
                while Double(slot + 1) * weights[member] < counters[member] { member = (member + 1) % order.count }
                counters[member] += sum
            }
            while table[Int(places[member])] != .max {
                places[member] = (places[member] + skips[member]) % UInt64(size)
            }
            table[Int(places[member])] = UInt16(order[member])
        }
        return table
    }
}
