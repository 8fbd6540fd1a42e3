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

    /// The order in which a member wants the slots: from `offset` on in steps of `skip`, around the table.
    public struct Permutation: Sendable {
        /// The slot that it wants first.
        public var offset: UInt64
        /// How far the next one is, 1 or more; what is below the size and no divisor of it reaches every slot.
        public var skip: UInt64

        /// A permutation from its parts.
        public init(offset: UInt64, skip: UInt64) {
            self.offset = offset
            self.skip = skip
        }
    }

    /// The permutation of a key, of two slots at least.
    public static func permutation(of key: [UInt8], size: Int, seed: UInt32 = defaultSeed) -> Permutation {
        let (first, second) = Murmur3.hash(key, seed: seed)
        return Permutation(offset: first % UInt64(size), skip: second % UInt64(size - 1) + 1)
    }

    /// The member of each slot, by its index in `members`; empty without members.
    ///
    /// `size` is a prime, and there are fewer members than slots and than 65,536.
    public static func build(_ members: [Member], size: Int, seed: UInt32 = defaultSeed) -> [UInt16] {
        guard !members.isEmpty, size > 1, members.count <= min(size, 65535) else { return [] }
        let order = members.indices.sorted { members[$0].key.lexicographicallyPrecedes(members[$1].key) }
        let permutations = order.map { permutation(of: members[$0].key, size: size, seed: seed) }
        let table = fill(permutations, weights: order.map { members[$0].weight }, size: size)
        return table.map { UInt16(order[Int($0)]) }
    }

    /// Fills the slots from permutations that take their turns in this order: the place of one for each slot.
    ///
    /// There are as many weights as permutations, no more of them than slots, and one at least; offsets and skips are below the
    /// size.
    public static func fill(_ permutations: [Permutation], weights: [UInt32], size: Int) -> [UInt16] {
        let count = permutations.count
        precondition(count == weights.count && (1...min(size, 65535)).contains(count))
        var places = permutations.map { Int($0.offset) }
        let skips = permutations.map { Int($0.skip) }
        let shares = weights.map { Double($0) }
        let sum = shares.reduce(0, +)
        let isWeighted = UInt64(sum) / UInt64(count) > 1
        var counters = shares.map { $0 / Double(count) }

        var table = [UInt16](repeating: .max, count: size)
        for slot in 0..<size {
            var member = slot % count
            if isWeighted {
                while Double(slot + 1) * shares[member] < counters[member] { member = (member + 1) % count }
                counters[member] += sum
            }
            var place = places[member]
            let skip = skips[member]
            while table[place] != .max {
                place += skip
                if place >= size { place -= size }
            }
            table[place] = UInt16(member)
            places[member] = place
        }
        return table
    }
}
