internal import Glibc
internal import Synchronization

// # Theory of operation
//
// Nobody spins. A side that can't go on announces that in an atomic flag, looks again, and sleeps on a condition
// variable; the other side stores its position, then reads the flag. All four accesses are sequentially consistent, so that
// one of them sees the other.
//
// The writer sleeps in two ways. Where there is nothing, anything wakes it. Where there is something it rests for some
// milliseconds until there is enough for a large write, so that a busy worker wakes it a few hundred times a second at most, and
// what is piped into Wireshark shows up all the same. A producer that waits for room is woken when half of its ring is free.

/// Where producers and the consumer sleep and wake each other.
@safe final class TraceWake: @unchecked Sendable {
    // Safe to send: pthread mutexes and condition variables are made for several threads, and stay where they are.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let work: UnsafeMutablePointer<pthread_cond_t>
    private let room: UnsafeMutablePointer<pthread_cond_t>
    private let sleep = Atomic<UInt8>(Sleep.none)
    let closing = Atomic<Bool>(false)

    /// What the consumer sleeps for.
    private enum Sleep {
        static let none: UInt8 = 0
        static let anything: UInt8 = 1
        static let much: UInt8 = 2
    }

    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe work = .allocate(capacity: 1)
        unsafe room = .allocate(capacity: 1)
        // Safe: each is initialised once, before anyone uses it.
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(work, &attributes)
        unsafe pthread_cond_init(room, nil)
        unsafe pthread_condattr_destroy(&attributes)
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

    /// Wakes the consumer if it sleeps for what `ring` has now; call it after storing the head.
    @inline(__always)
    func workArrived(in ring: TraceRing) {
        let sleep = sleep.load(ordering: .sequentiallyConsistent)
        if sleep == Sleep.none || (sleep == Sleep.much && ring.backlog < ring.batchSize) { return }
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
        sleep.store(Sleep.anything, ordering: .sequentiallyConsistent)
        while !hasWork() && !closing.load(ordering: .sequentiallyConsistent) { unsafe pthread_cond_wait(work, mutex) }
        sleep.store(Sleep.none, ordering: .sequentiallyConsistent)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Sleeps for some milliseconds, less if `hasMuch`, or after `close`.
    func rest(milliseconds: Int, _ hasMuch: () -> Bool) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        sleep.store(Sleep.much, ordering: .sequentiallyConsistent)
        defer { sleep.store(Sleep.none, ordering: .sequentiallyConsistent) }
        var end = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &end)
        end.tv_nsec += milliseconds * 1_000_000
        end.tv_sec += end.tv_nsec / 1_000_000_000
        end.tv_nsec %= 1_000_000_000
        while !hasMuch() && !closing.load(ordering: .sequentiallyConsistent) {
            if unsafe pthread_cond_timedwait(work, mutex, &end) != 0 { return }
        }
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
