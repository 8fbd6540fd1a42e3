import Tables
import Testing

@Suite("Maglev tables")
struct MaglevTableTests {
    /// A published table of Cilium's own test (pkg/maglev TestReproducible): four members with weights, 251 slots.
    private static let published: [MaglevTable.Member] = [(1, 2), (3, 13), (4, 111), (5, 10)].map { number, weight in
        MaglevTable.Member(key: Array("[0.0.0.\(number):\(number)/TCP,State:active]".utf8), weight: weight)
    }

    private static func members(_ count: Int) -> [MaglevTable.Member] {
        (0..<count).map { MaglevTable.Member(key: Array("[10.0.\($0 / 250).\($0 % 250):80/TCP,State:active]".utf8)) }
    }

    private static func slots(_ table: [UInt16], of count: Int) -> [Int] {
        var slots = [Int](repeating: 0, count: count)
        for entry in table { slots[Int(entry)] += 1 }
        return slots
    }

    @Test("Cilium's published weighted table comes out entry by entry")
    func weighted() {
        let table = MaglevTable.build(Self.published, size: 251)
        #expect(Array(table.prefix(16)) == [2, 2, 2, 2, 2, 3, 2, 2, 2, 1, 2, 2, 0, 2, 3, 2])
        #expect(Self.slots(table, of: 4) == [4, 24, 204, 19])
        #expect(Self.slots(MaglevTable.build(Self.published, size: 1021), of: 4) == [16, 98, 832, 75])
    }

    @Test("equal members have equal shares", arguments: [1, 2, 3, 10, 50, 160])
    func evenness(count: Int) {
        let slots = Self.slots(MaglevTable.build(Self.members(count), size: 16381), of: count)
        #expect(slots.allSatisfy { $0 == 16381 / count || $0 == 16381 / count + 1 })
    }

    @Test("the order of the members does not matter")
    func order() {
        let members = Self.members(20)
        let table = MaglevTable.build(members, size: 1021).map { members[Int($0)].key }
        let mixed = Array(members.reversed())
        #expect(MaglevTable.build(mixed, size: 1021).map { mixed[Int($0)].key } == table)
    }

    @Test("a member that goes moves little besides its own slots", arguments: [(3, 0.008), (10, 0.008), (100, 0.019)])
    func disruption(count: Int, bound: Double) {
        let members = Self.members(count)
        let rest = Array(members.dropLast())
        let before = MaglevTable.build(members, size: 16381).map { members[Int($0)].key }
        let after = MaglevTable.build(rest, size: 16381).map { rest[Int($0)].key }
        let gone = members[count - 1].key
        let moved = zip(before, after).count { $0 != $1 && $0 != gone }
        #expect(Double(moved) / 16381 <= bound)
        #expect(!after.contains(gone))
    }

    @Test("no members, or too many, are no table")
    func refused() {
        #expect(MaglevTable.build([], size: 251).isEmpty)
        #expect(MaglevTable.build(Self.members(252), size: 251).isEmpty)
        #expect(MaglevTable.build(Self.members(2), size: 1).isEmpty)
    }

    @Test("Murmur3 is the published function")
    func murmur() {
        let empty = Murmur3.hash([], seed: 0)
        #expect(empty.0 == 0 && empty.1 == 0)
        let hello = Murmur3.hash(Array("hello".utf8), seed: 0)
        #expect(hello.0 == 0xcbd8_a7b3_41bd_9b02 && hello.1 == 0x5b1e_906a_48ae_1d19)
    }
}
