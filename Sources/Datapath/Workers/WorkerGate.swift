internal import Synchronization
internal import Tables

/// Lets several workers in at once, or one alone.
///
/// Theory of operation: a "big reader" lock. Every worker has a word of its own, in a cache line of its own: that it is in, or
/// not. To come in costs a store and a look at the word that all share: whether somebody wants to be alone. Who wants to be
/// alone says so there, and waits until all the others are out; the others wait before they come in. The store and the look are in one order for all
/// threads (sequentially consistent), so that of two who meet at least one sees the other; who wants to be alone then has
/// precedence. Nobody stays in for longer than a batch takes.
/// States of a worker: out, in, alone. It may be alone only when it is out.
@safe final class WorkerGate: Sendable {
    // Safe: allocated in init, given back in deinit, and never outside of `count` places; the words are atomic.
    private nonisolated(unsafe) let places: UnsafeMutablePointer<Line>
    /// How many workers there are.
    let count: Int
    private let isWanted = Atomic<Bool>(false)

    /// The size of a place: two cache lines, which some processors load together.
    private typealias Line = [16 of UInt64]

    init(count: Int) {
        self.count = max(count, 1)
        unsafe places = UnsafeMutablePointer<Line>.allocate(capacity: self.count)
        unsafe places.initialize(repeating: Line(repeating: 0), count: self.count)
    }

    deinit { unsafe places.deallocate() }

    /// Comes in, beside the others.
    func enter(_ worker: Int) {
        let place = unsafe place(worker)
        while true {
            unsafe place.pointee.store(true, ordering: .sequentiallyConsistent)
            if !isWanted.load(ordering: .sequentiallyConsistent) { return }
            unsafe place.pointee.store(false, ordering: .releasing)
            var pause = SpinWait()
            while isWanted.load(ordering: .relaxed) { pause.wait() }
        }
    }

    /// Goes out.
    func leave(_ worker: Int) { unsafe place(worker).pointee.store(false, ordering: .releasing) }

    /// Waits until all workers are out, and keeps them out; the caller is.
    func lock() {
        var pause = SpinWait()
        while !isWanted.compareExchange(expected: false, desired: true, ordering: .sequentiallyConsistent).exchanged {
            pause.wait()
        }
        for worker in 0..<count {
            var pause = SpinWait()
            while unsafe place(worker).pointee.load(ordering: .sequentiallyConsistent) { pause.wait() }
        }
    }

    /// Lets the workers in again.
    func unlock() { isWanted.store(false, ordering: .releasing) }

    private func place(_ worker: Int) -> UnsafeMutablePointer<Atomic<Bool>> {
        precondition(worker >= 0 && worker < count)
        // Safe: within the places, by the line above; an atomic Bool is a byte, and zero is false.
        return unsafe UnsafeMutableRawPointer(places + worker).assumingMemoryBound(to: Atomic<Bool>.self)
    }
}
