internal import Synchronization

// # Theory of operation
//
// A worker hands the packets of its trace to the writer's thread through a ring of bytes, allocated once. One thread
// puts entries in (`TraceProducer`), one takes them out (`TraceConsumer`); head and tail only grow, and lie in cache
// lines of their own. An entry is contiguous: where it does not fit before the end of the memory, the rest there is
// skipped. It takes a multiple of 8 bytes, and there are four kinds:
//
//   blocks   8 bytes of header, and finished Enhanced Packet Blocks one behind the other: what most packets of a pcapng
//            trace become. The writer hands them to the kernel from where they lie.
//   record   a packet that the writer's thread formats, since that takes time or knowledge which the worker has not: what
//            has a comment, and all of a classic trace. 40 bytes of header, an annotation that the ring does not look into,
//            and the packet.
//   boundary where a trace goes on in another file, between the packets of two batches. 8 bytes of header, and what was put
//            in so far for each capture point.
//   skip     nothing, up to the end of the memory.
//
// A packet takes at most a quarter of the ring, so that it always fits once the ring is half empty. Longer ones are cut.
//
// The producer makes entries visible in groups (`flush`, and by itself every so many bytes): that spares both sides
// the traffic for the shared lines. Who sleeps when, and who wakes whom: `TraceWake`.
//
// Blocking (replay): the producer waits, nothing is lost. Lossy (live): the packet is left out and counted for its capture
// point.
//
// Races: the counts of lost packets are read while they grow; in a trace that rotates, a packet that is lost while one file ends may
// be counted in the next. They are exact after the producer's last call.

/// Whether a full ring makes the worker wait, or leave the record out.
package enum TraceMode: Sendable {
    /// Wait for the writer; nothing is lost (replay).
    case blocking
    /// Count the record and go on (live).
    case lossy
}

/// The fixed part of a record, and where it lies in the ring.
struct TraceRecord: BitwiseCopyable {
    /// Bytes from this header to the next one, a multiple of 8; first, so that a skipped end needs no more than it.
    var size: UInt32
    var point: UInt16
    var annotationLength: UInt16
    var packetID: UInt64
    var time: UInt64
    var capturedLength: UInt32
    var originalLength: UInt32
    /// epb_flags.
    var flags: UInt32
    /// Only 0…255 is a verdict.
    var verdict: UInt16

    /// The size of the header.
    static let headerSize = 40
    /// In place of a capture point: there is nothing up to the end of the ring.
    static let skip = UInt16.max
    /// In place of a capture point: finished blocks; the length of an annotation is then that of the padding behind them.
    static let blocks = UInt16.max - 1
    /// In place of a capture point: the beginning of another file.
    static let boundary = UInt16.max - 2
    /// The size of the header of an entry of blocks, and of a boundary.
    static let blocksHeaderSize = 8
}

/// What a producer has put in for a capture point.
struct TraceTotals: BitwiseCopyable {
    var records: UInt64 = 0
    /// The time of the last one.
    var time: UInt64 = 0
}

/// The memory and the positions that a producer and a consumer share.
@safe final class TraceRing: Sendable {
    // Safe: the producer writes only between head and tail, the consumer reads only between tail and head.
    nonisolated(unsafe) let base: UnsafeMutableRawPointer
    let capacity: Int
    let mode: TraceMode
    let wake: TraceWake
    /// Per capture point, the records that found no room.
    ///
    /// Written by the producer alone.
    nonisolated(unsafe) private let lost: UnsafeMutablePointer<Atomic<UInt64>>
    let pointCount: Int
    /// Whether packets without an annotation become blocks.
    let makesBlocks: Bool
    /// Which epb_verdict the blocks have.
    let verdicts: TraceVerdictKind?
    // Safe: `pointCount` elements, written by the producer before it makes the records visible, and read by the consumer once it
    // has seen all of them.
    nonisolated(unsafe) let totals: UnsafeMutablePointer<TraceTotals>
    /// When the trace goes on in another file.
    let rotation: TraceRotation?
    /// Set once the producer has been handed out.
    let taken = Atomic<Bool>(false)

    private let spaceBeforeHead = InlineArray<16, UInt64>(repeating: 0)
    /// Bytes ever made visible by the producer.
    let head = Atomic<UInt64>(0)
    private let spaceBeforeTail = InlineArray<16, UInt64>(repeating: 0)
    /// Bytes ever given back by the consumer.
    let tail = Atomic<UInt64>(0)
    let producerWaits = Atomic<Bool>(false)
    private let spaceBehind = InlineArray<16, UInt64>(repeating: 0)

    /// The capacity is rounded up to a power of two between 4 KiB and 1 GiB.
    init(_ options: TraceOptions, wake: TraceWake) {
        var size = 1 << 12
        while size < min(options.ringCapacity, 1 << 30) { size <<= 1 }
        capacity = size
        mode = options.mode
        self.wake = wake
        pointCount = options.points.count
        makesBlocks = options.format == .pcapng
        verdicts = options.verdicts
        rotation = options.rotation
        unsafe totals = .allocate(capacity: max(pointCount, 1))
        unsafe totals.initialize(repeating: TraceTotals(), count: max(pointCount, 1))
        unsafe base = .allocate(byteCount: size, alignment: 128)
        unsafe lost = .allocate(capacity: max(pointCount, 1))
        for index in 0..<pointCount { unsafe (lost + index).initialize(to: Atomic(0)) }
    }

    deinit {
        // Safe: producer and consumer hold a reference each, so both are gone.
        unsafe base.deallocate()
        unsafe totals.deallocate()
        unsafe lost.deinitialize(count: pointCount)
        unsafe lost.deallocate()
    }

    /// How many bytes are worth waking the writer for.
    var batchSize: Int { min(capacity / 8, 1 << 20) }

    /// How many bytes the consumer has not given back.
    var backlog: Int {
        let tail = tail.load(ordering: .sequentiallyConsistent)
        return Int(truncatingIfNeeded: head.load(ordering: .sequentiallyConsistent) &- tail)
    }

    func countLoss(point: UInt16) {
        guard point < pointCount else { return }
        // Safe: the index is checked.
        unsafe lost[Int(point)].add(1, ordering: .relaxed)
    }

    /// How many records of a capture point were left out so far.
    func losses(point: Int) -> UInt64 {
        guard (0..<pointCount).contains(point) else { return 0 }
        // Safe: the index is checked.
        return unsafe lost[point].load(ordering: .relaxed)
    }
}
