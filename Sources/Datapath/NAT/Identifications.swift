internal import Tables
internal import Wire

/// Identifications for the fragments of masqueraded datagrams.
///
/// Theory of operation: many senders come to share one address, and each chooses its identifications by itself, so
/// that fragments of two of them could be put together at the receiver. RFC 6864 section 5.3.1 asks whoever shares an
/// address to give them identifications that no other datagram with the same source, destination and protocol has at
/// that time. Each triple counts on its own, in one of 4,096 counters that it may share with others; a secret
/// bijection hides the count.
/// Limits: a counter repeats after 65,536 datagrams, which lasts for the 30 s of a reassembly up to 2,184 datagrams a
/// second, the rate that IPv4 has for any sender.
struct Identifications: ~Copyable {
    private static let counterCount = 4096

    var counters = FixedArray<UInt16>(count: Identifications.counterCount)
    private let hash: SeededHash
    /// The bijection: times an odd number, and turned over by another one.
    private let factor: UInt16
    private let mask: UInt16

    init(seed: UInt64) {
        hash = SeededHash(seed: seed)
        factor = UInt16(truncatingIfNeeded: hash.first >> 16) | 1
        mask = UInt16(truncatingIfNeeded: hash.second >> 16)
    }

    /// The next identification for datagrams from a source to a destination.
    mutating func next(_ source: IPv4Address, _ destination: IPv4Address, _ transport: TransportProtocol) -> UInt16 {
        let hashed = hash(UInt64(source.bits) << 32 | UInt64(destination.bits), UInt64(transport.rawValue))
        let place = Int(truncatingIfNeeded: hashed) & (Self.counterCount - 1)
        counters[place] &+= 1
        return counters[place] &* factor ^ mask
    }
}
