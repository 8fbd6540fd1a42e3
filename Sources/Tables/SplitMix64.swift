/// A seeded generator whose whole state is one word.
///
/// The algorithm is that of Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. Good enough to choose backends and ports, small enough to be saved with the tables.
public struct SplitMix64: RandomNumberGenerator, Sendable, BitwiseCopyable {
    /// All there is to save and restore; the next number follows from it alone.
    public var state: UInt64

    /// A generator that goes on from a state; a new one takes its seed.
    @inlinable public init(state: UInt64) { self.state = state }

    /// The next 64 bits, all values equally likely.
    @inlinable public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number in `0..<bound`, 0 for a bound of 0.
    ///
    /// Made by multiplication instead of division; the bias is below 2^-32.
    @inlinable public mutating func next(below bound: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: ((next() >> 32) &* UInt64(bound)) >> 32)
    }
}
