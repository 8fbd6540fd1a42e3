internal import Tables

/// All ports from 1024 to 65535, each once, in an order that a generator draws (RFC 6056 section 3.3.1: so that the
/// next port cannot be guessed from the last).
struct PortPermutation {
    static let first: UInt16 = 1024
    private static let count: UInt32 = 64512

    private var at: UInt32
    private let stride: UInt32
    private var left = PortPermutation.count

    init(_ generator: inout SplitMix64) {
        at = generator.next(below: Self.count)
        // A stride without a common divisor with 64512 = 2^10 * 3^2 * 7 reaches every port.
        var stride = generator.next(below: Self.count) | 1
        while stride % 3 == 0 || stride % 7 == 0 { stride += 2 }
        self.stride = stride
    }

    mutating func next() -> UInt16? {
        guard left > 0 else { return nil }
        left -= 1
        let port = Self.first + UInt16(truncatingIfNeeded: at)
        at = (at + stride) % Self.count
        return port
    }
}
