internal import Synchronization

/// The numbers of packets, from 1, which several workers take from.
final class PacketNumbers: Sendable {
    private let next = Atomic<UInt64>(1)

    /// Takes as many numbers as asked for; the first of them.
    func take(_ count: UInt64) -> UInt64 { next.wrappingAdd(count, ordering: .relaxed).oldValue }
}
