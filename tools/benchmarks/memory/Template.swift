import Datapath
import Wire

/// Addresses and ports of a packet.
struct Tuple: BitwiseCopyable {
    var source: IPv4Address
    var destination: IPv4Address
    var sourcePort: UInt16
    var destinationPort: UInt16
}

/// A TCP packet without addresses and ports: 64 bytes, or what is left of it when it is cut.
///
/// Packets are made from it and a tuple, so that a million flows need 12 bytes each and not a frame each, whose cache
/// misses would be part of the measurement.
struct Template: ~Copyable {
    private let pool: FramePool
    let length: Int
    private let headerSum: UInt64
    private let segmentSum: UInt64

    init(_ flags: TCPFlags, sequence: UInt32 = 1, acknowledgment: UInt32 = 0, cut: Int = 64) {
        let builder = PacketBuilder(from: .any, to: .any)
        let payload = [UInt8](repeating: 0, count: 24)
        var bytes = builder.tcp(
            0,
            0,
            flags: flags,
            sequence: sequence,
            acknowledgment: acknowledgment,
            payload: payload
        )
        let total = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        bytes.store(big: UInt16(cut), at: 2)
        length = cut
        // What the header's sum is without its check, taken from a check that was right for the full length.
        headerSum = UInt64(~(UInt16(bytes[10]) << 8 | UInt16(bytes[11]))) + UInt64(~total) + UInt64(cut)
        segmentSum = UInt64(~(UInt16(bytes[36]) << 8 | UInt16(bytes[37])))
        var pool = FramePool(count: 1, capacity: 64)
        var frame = pool.frame(0, length: cut)
        for offset in 0..<cut { frame.store8(bytes[offset], at: offset) }
        self.pool = pool
    }

    /// Writes the packet of a tuple to a frame of a batch.
    @inline(__always) func write(_ tuple: Tuple, to frames: inout FramePool, _ place: Int) {
        frames.copy(from: pool, 0, 0..<length, to: place, at: 0)
        patch(tuple, frames.frame(place, length: length))
    }

    @inline(__always) private func patch(_ tuple: Tuple, _ bytes: consuming MutableRawSpan) {
        let addresses = words(tuple.source.bits) + words(tuple.destination.bits)
        bytes.storeBE(~Checksum.fold(headerSum + addresses), at: 10)
        bytes.storeBE(tuple.source.bits, at: 12)
        bytes.storeBE(tuple.destination.bits, at: 16)
        bytes.storeBE(tuple.sourcePort, at: 20)
        bytes.storeBE(tuple.destinationPort, at: 22)
        guard length >= 40 else { return }
        let ports = UInt64(tuple.sourcePort) + UInt64(tuple.destinationPort)
        bytes.storeBE(~Checksum.fold(segmentSum + addresses + ports), at: 36)
    }

    @inline(__always) private func words(_ bits: UInt32) -> UInt64 { UInt64(bits >> 16) + UInt64(bits & 0xffff) }
}
