package import Wire

/// A seeded generator for property tests: xorshift64*, so that it shares nothing with the generator under test.
///
/// A failure names the seed, and the seed gives the same test again.
package struct TestGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: Int) {
        state = UInt64(truncatingIfNeeded: seed) &* 0x9e37_79b9_7f4a_7c15 ^ 0x1234_5678_9abc_def1
        if state == 0 { state = 1 }
        for _ in 0..<8 { _ = next() }
    }

    package mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }

    /// A number in `range`.
    package mutating func pick(_ range: Range<Int>) -> Int { Int.random(in: range, using: &self) }

    /// One of `choices`, which are not empty.
    package mutating func pick<Choice>(_ choices: [Choice]) -> Choice { choices[pick(0..<choices.count)] }

    /// True in `percent` of all cases.
    package mutating func chance(_ percent: Int) -> Bool { pick(0..<100) < percent }

    /// Random bytes.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) }
    }

    package mutating func word() -> UInt32 { UInt32(truncatingIfNeeded: next() >> 16) }
    package mutating func address() -> IPv4Address { IPv4Address(bits: word()) }
    package mutating func port() -> UInt16 { UInt16(truncatingIfNeeded: next() >> 24) }
}
