import Services
import Tables
import TestSupport
import Testing

/// Every published table that there is to compare with, entry by entry through a digest.
@Suite("Maglev tables that others have computed")
struct MaglevVectorTests {
    @Test("Cilium's: keys hash to their offsets and skips", arguments: MaglevVector.all)
    func permutations(_ vector: MaglevVector) {
        for member in vector.members {
            let permutation = MaglevTable.permutation(of: Array(member.key.utf8), size: vector.size)
            #expect(permutation.offset == member.offset && permutation.skip == member.skip, "\(member.key)")
        }
    }

    @Test("Cilium's: the same tables, whatever the order of the members", arguments: MaglevVector.all)
    func tables(_ vector: MaglevVector) {
        var generator = TestGenerator(seed: 7)
        for _ in 0..<4 {
            let members = vector.members.shuffled(using: &generator)
            let built = MaglevTable.build(
                members.map { MaglevTable.Member(key: Array($0.key.utf8), weight: $0.weight) },
                size: vector.size
            )
            let table = built.map { members[Int($0)].number }
            #expect(Array(table.prefix(16)) == vector.beginning)
            #expect(Self.digest(table) == vector.digest)
            for member in members { #expect(table.count { $0 == member.number } == member.slots) }
        }
    }

    /// Katran fills its tables in the same way from other hashes, so that they try the filling once more.
    @Test("Katran's: ring, slots and flows of its fixtures")
    func katran() {
        let reals = KatranVector.reals.sorted { $0.hash < $1.hash }
        for real in KatranVector.reals {
            #expect(KatranVector.hash(of: real.address) == real.hash)
            let permutation = KatranVector.permutation(of: real.hash)
            #expect(permutation.offset == real.offset && permutation.skip == real.skip)
        }
        let filled = MaglevTable.fill(
            reals.map { KatranVector.permutation(of: $0.hash) },
            weights: [1, 1, 1],
            size: KatranVector.size
        )
        let ring = filled.map { reals[Int($0)].number }
        #expect(Self.digest(ring) == KatranVector.digest)
        for real in reals { #expect(ring.count { $0 == real.number } == real.slots) }
        for flow in KatranVector.flows {
            #expect(flow.place == flow.slot)
            #expect(ring[flow.place] == flow.real)
        }
    }

    private static func digest(_ table: [Int]) -> String {
        let text = table.map(String.init).joined(separator: ",")
        return SHA256.digest(Array(text.utf8)).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        .joined()
    }
}
