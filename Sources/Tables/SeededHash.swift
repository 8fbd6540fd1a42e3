/// A hash of two words under a secret seed.
///
/// Packets choose the keys of the tables, so the hash must not be predictable: the words are mixed with two secret
/// words by full 64 by 64 bit multiplications, the construction of wyhash and of Swift's own fallback hasher.
public struct SeededHash: Sendable, BitwiseCopyable {
    /// The first secret word, an odd number.
    public let first: UInt64
    /// The second secret word, an odd number.
    public let second: UInt64

    /// The hash under a seed; two different seeds give unrelated hashes.
    public init(seed: UInt64) {
        var generator = SplitMix64(state: seed)
        first = generator.next() | 1
        second = generator.next() | 1
    }

    /// The hash of two words: all 64 bits of it depend on all bits of both.
    @inlinable public func callAsFunction(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let mixed = Self.mix(left ^ first, right ^ second)
        return Self.mix(mixed ^ second, first)
    }

    @inlinable static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
