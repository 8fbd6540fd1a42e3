internal import Synchronization
internal import Tables

/// The lock of a flow record, which two workers take that have packets of one flow at the same time.
///
/// Theory of operation: the lock is the highest bit of the deadline, a word that every established packet writes anyway, so
/// that it costs one atomic instruction and no memory. It is held for some tens of instructions, and only within the
/// short way (`SharedPipeline`): whoever has the maps to itself never sees the bit. No clock comes near it: 2^63
/// nanoseconds are 292 years.
package enum FlowLock {
    private static let bit: UInt64 = 1 << 63

    /// Takes the lock of a record, waiting for whoever has it; the deadline of the flow.
    @inline(__always) static func acquire(_ flow: UnsafeMutablePointer<Flow>) -> UInt64 {
        let word = unsafe deadline(flow)
        let seen = unsafe word.pointee.load(ordering: .relaxed) & ~bit
        let (exchanged, _) = unsafe word.pointee.compareExchange(
            expected: seen,
            desired: seen | bit,
            ordering: .acquiring
        )
        return exchanged ? seen : unsafe wait(word)
    }

    /// Gives the lock back, and with it the deadline that the flow now has.
    @inline(__always) static func release(_ flow: UnsafeMutablePointer<Flow>, deadline next: UInt64) {
        unsafe deadline(flow).pointee.store(next, ordering: .releasing)
    }

    @inline(never) private static func wait(_ word: UnsafeMutablePointer<Atomic<UInt64>>) -> UInt64 {
        var pause = SpinWait()
        while true {
            pause.wait()
            let seen = unsafe word.pointee.load(ordering: .relaxed)
            if seen & bit != 0 { continue }
            if unsafe word.pointee.compareExchange(expected: seen, desired: seen | bit, ordering: .acquiring).exchanged
            {
                return seen
            }
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
