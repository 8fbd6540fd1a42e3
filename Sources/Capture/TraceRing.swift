internal import Glibc
internal import Synchronization

// # Theory of operation
//
// A worker hands the packets of its trace to the writer's thread through a ring of bytes, allocated once. One thread
// puts records in (`TraceProducer`), one takes them out (`TraceConsumer`); head and tail only grow, and lie in cache
// lines of their own. A record is contiguous: where it does not fit before the end of the memory, the rest there is
// skipped. It holds a header of 40 bytes, an annotation that the ring does not look into, and the packet; it takes
// at most a quarter of the ring, so that it always fits once the ring is half empty. Longer packets are cut.
//
// The producer makes records visible in groups (`flush`, and by itself every so many bytes): that spares both sides
// the traffic for the shared lines.
//
// Nobody spins. A side that can't go on announces that in an atomic flag, looks again, and sleeps on a condition
// variable; the other side stores its position, then reads the flag. All four accesses are sequentially consistent, so that
// one of them sees the other. A producer that waits is woken when half of the ring is free.
//
// Blocking (replay): the producer waits, nothing is lost. Lossy (live): the record is left out and counted for its capture
// point; the consumer also rests for a millisecond after it has emptied the ring, so that a busy worker rarely has to wake it.
//
// Races: the counts of lost records are read while they grow, and are exact after the producer's last call.

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

    /// `capacity` is rounded up to a power of two between 4 KiB and 1 GiB.
    init(capacity: Int, pointCount: Int, mode: TraceMode, wake: TraceWake) {
        var size = 1 << 12
        while size < min(capacity, 1 << 30) { size <<= 1 }
        self.capacity = size
        self.mode = mode
        self.wake = wake
        self.pointCount = pointCount
        unsafe base = .allocate(byteCount: size, alignment: 128)
        unsafe lost = .allocate(capacity: max(pointCount, 1))
        for index in 0..<pointCount { unsafe (lost + index).initialize(to: Atomic(0)) }
    }

    deinit {
        // Safe: producer and consumer hold a reference each, so both are gone.
        unsafe base.deallocate()
        unsafe lost.deinitialize(count: pointCount)
        unsafe lost.deallocate()
    }

    /// The most bytes that a record may take.
    var recordLimit: Int { capacity / 4 }

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

/// Where producers and the consumer sleep and wake each other.
@safe final class TraceWake: @unchecked Sendable {
    // Safe to send: pthread mutexes and condition variables are made for several threads, and stay where they are.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let work: UnsafeMutablePointer<pthread_cond_t>
    private let room: UnsafeMutablePointer<pthread_cond_t>
    private let consumerWaits = Atomic<Bool>(false)
    let closing = Atomic<Bool>(false)

    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe work = .allocate(capacity: 1)
        unsafe room = .allocate(capacity: 1)
        // Safe: each is initialised once, before anyone uses it.
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(work, nil)
        unsafe pthread_cond_init(room, nil)
    }

    deinit {
        // Safe: nobody sleeps here any more: sleepers hold a reference.
        unsafe pthread_cond_destroy(room)
        unsafe pthread_cond_destroy(work)
        unsafe pthread_mutex_destroy(mutex)
        unsafe room.deallocate()
        unsafe work.deallocate()
        unsafe mutex.deallocate()
    }

    /// Wakes the consumer if it sleeps; call it after storing the head.
    @inline(__always)
    func workArrived() {
        guard consumerWaits.load(ordering: .sequentiallyConsistent) else { return }
        wakeConsumer()
    }

    private func wakeConsumer() {
        unsafe pthread_mutex_lock(mutex)  // Safe: initialised, here and below.
        unsafe pthread_cond_signal(work)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Tells the consumer that no more will come.
    func close() {
        closing.store(true, ordering: .sequentiallyConsistent)
        wakeConsumer()
        roomMade()
    }

    /// Sleeps until `hasWork`, or `close`.
    func waitForWork(_ hasWork: () -> Bool) {
        unsafe pthread_mutex_lock(mutex)
        consumerWaits.store(true, ordering: .sequentiallyConsistent)
        while !hasWork() && !closing.load(ordering: .sequentiallyConsistent) { unsafe pthread_cond_wait(work, mutex) }
        consumerWaits.store(false, ordering: .sequentiallyConsistent)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Wakes the producers that wait for room.
    func roomMade() {
        unsafe pthread_mutex_lock(mutex)
        unsafe pthread_cond_broadcast(room)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Sleeps until the tail of `ring` has reached `position`, or `close`.
    func waitForRoom(in ring: TraceRing, tail position: UInt64) {
        unsafe pthread_mutex_lock(mutex)
        ring.producerWaits.store(true, ordering: .sequentiallyConsistent)
        while ring.tail.load(ordering: .sequentiallyConsistent) < position
            && !closing.load(ordering: .sequentiallyConsistent)
        { unsafe pthread_cond_wait(room, mutex) }
        ring.producerWaits.store(false, ordering: .sequentiallyConsistent)
        unsafe pthread_mutex_unlock(mutex)
    }
}
