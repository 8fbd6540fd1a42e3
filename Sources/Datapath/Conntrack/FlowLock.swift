internal import Synchronization
internal import Tables

/// The lock of a flow record, which two workers take that have packets of one flow at the same time.
///
/// Theory of operation: who takes the lock takes the deadline out of the record, a word that every established packet writes
/// anyway, and leaves a mark in its place; who gives it back puts a deadline there. So it costs one atomic
/// instruction and no memory. It is held for some tens of instructions, and only within the short way
/// (`SharedPipeline`): whoever has the maps to itself never sees the mark. A process that is killed while it has the lock
/// leaves the mark in a pinned map; the next one takes it for the longest time that the flow may live (`Pipeline.restore`).
package enum FlowLock {
    /// What stands for the deadline while somebody has the lock; no clock comes near it.
    private static let mark = UInt64.max

    /// Takes the lock of a record, waiting for whoever has it; the deadline of the flow.
    @inline(__always) static func acquire(_ flow: UnsafeMutablePointer<Flow>) -> UInt64 {
        let word = unsafe deadline(flow)
        let found = unsafe word.pointee.exchange(mark, ordering: .acquiring)
        return found != mark ? found : unsafe wait(word)
    }

    /// Gives the lock back, and with it the deadline that the flow now has.
    @inline(__always) static func release(_ flow: UnsafeMutablePointer<Flow>, deadline next: UInt64) {
        unsafe deadline(flow).pointee.store(next, ordering: .releasing)
    }

    @inline(never) private static func wait(_ word: UnsafeMutablePointer<Atomic<UInt64>>) -> UInt64 {
        var pause = SpinWait()
        while true {
            pause.wait()
            if unsafe word.pointee.load(ordering: .relaxed) == mark { continue }
            let found = unsafe word.pointee.exchange(mark, ordering: .acquiring)
            if found != mark { return found }
        }
    }

    /// The deadline as an atomic word.
    @inline(__always) private static func deadline(
        _ flow: UnsafeMutablePointer<Flow>
    ) -> UnsafeMutablePointer<Atomic<UInt64>> {
        // Safe: an atomic word is a word in memory, and a deadline is one, aligned.
        unsafe (UnsafeMutableRawPointer(flow) + deadlineOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Where the deadline stands in a record, in bytes; a test looks that it does.
    package static let deadlineOffset = 48
}
