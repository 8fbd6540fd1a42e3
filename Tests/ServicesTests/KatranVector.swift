import Tables

/// Katran's ring for three reals, and the flows of its published fixtures (katran/lib/testing), with an implementation of its
/// hashes that shares only Murmur3 with Culvert's own tables.
enum KatranVector {
    struct Real: Sendable {
        var number: Int
        var address: [UInt8]
        var hash: UInt64
        var offset: UInt64
        var skip: UInt64
        var slots: Int
    }

    struct Flow: Sendable {
        var source: [UInt8]
        var sourcePort: UInt16
        /// 0 for a frontend of all ports.
        var port: UInt16
        /// Whether the frontend hashes the destination port only.
        var isPortOnly = false
        var slot: Int
        var real: Int

        /// The slot by `jhash_2words` over address and ports as they lie in memory.
        var place: Int {
            let address: UInt32 = isPortOnly ? 0 : source.reversed().reduce(0) { $0 << 8 | UInt32($1) }
            let first = isPortOnly ? port : sourcePort
            let ports = UInt32(port.byteSwapped) << 16 | UInt32(first.byteSwapped)
            let seed = UInt32(512 * KatranVector.size)
            return Int(KatranVector.jenkins(address, ports, seed)) % KatranVector.size
        }
    }

    static let size = 65537
    static let digest = "f0dac72fe6391fc0569f180549b19b4627100de62480e62b09feec8dcae281d8"

    static let reals = [
        Real(number: 1, address: [10, 0, 0, 1], hash: 0xd671_359d_baa1_5954, offset: 4577, skip: 18292, slots: 21845),
        Real(number: 2, address: [10, 0, 0, 2], hash: 0x2cd4_26d0_08b9_0279, offset: 42248, skip: 16076, slots: 21846),
        Real(number: 3, address: [10, 0, 0, 3], hash: 0x6eb4_a298_9236_785d, offset: 65365, skip: 24158, slots: 21846),
    ]

    static let flows = [
        Flow(source: [192, 168, 1, 1], sourcePort: 31337, port: 80, slot: 48717, real: 3),
        Flow(source: [192, 168, 1, 1], sourcePort: 31337, port: 0, slot: 39962, real: 2),
        Flow(source: [192, 168, 1, 1], sourcePort: 31337, port: 42, isPortOnly: true, slot: 46348, real: 2),
        Flow(source: [192, 168, 1, 100], sourcePort: 1337, port: 42, isPortOnly: true, slot: 46348, real: 2),
        Flow(source: [192, 168, 1, 42], sourcePort: 31337, port: 443, slot: 6078, real: 2),
        Flow(source: [192, 168, 1, 42], sourcePort: 31337, port: 80, slot: 17853, real: 3),
        Flow(source: [172, 16, 0, 1], sourcePort: 31337, port: 80, slot: 43349, real: 2),
    ]

    /// The hash of an address as Folly has it: FNV-1 with signed bytes, then two words mixed into one (CityHash).
    static func hash(of address: [UInt8]) -> UInt64 {
        let low = address.reduce(UInt32(0x811c_9dc5)) { hash, byte in
            hash &* 0x0100_0193 ^ UInt32(bitPattern: Int32(Int8(bitPattern: byte)))
        }
        let multiplier: UInt64 = 0x9ddf_ea08_eb38_2d69
        let family: UInt64 = 2
        var first = (UInt64(low) ^ family) &* multiplier
        first ^= first >> 47
        var second = (family ^ first) &* multiplier
        second ^= second >> 47
        return second &* multiplier
    }

    /// Offset and skip of a real, by its hash.
    static func permutation(of hash: UInt64) -> MaglevTable.Permutation {
        func mixed(_ other: UInt64, seed: UInt32) -> UInt64 {
            let bytes = [hash, other].flatMap { word in
                (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
            }
            return Murmur3.hash(bytes, seed: seed).0
        }
        return MaglevTable.Permutation(
            offset: mixed(42, seed: 0) % UInt64(size),
            skip: mixed(2_718_281_828, seed: 2307) % UInt64(size - 1) + 1
        )
    }

    /// `jhash_2words` of include/linux/jhash.h.
    private static func jenkins(_ first: UInt32, _ second: UInt32, _ seed: UInt32) -> UInt32 {
        func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
        var c = seed &+ 0xdead_beef &+ 8
        var a = first &+ c
        var b = second &+ c
        for (left, middle, right) in [(14, 11, 25), (16, 4, 14)] as [(UInt32, UInt32, UInt32)] {
            c = (c ^ b) &- rotate(b, left)
            a = (a ^ c) &- rotate(c, middle)
            b = (b ^ a) &- rotate(a, right)
        }
        return (c ^ b) &- rotate(b, 24)
    }
}
