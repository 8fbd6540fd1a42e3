internal import CShims
internal import Glibc

/// Waits for another thread that will be done in a moment.
///
/// Theory of operation: what is waited for takes nanoseconds while its thread runs, and milliseconds when the kernel has taken
/// the processor from it. So a few rounds are spent on this processor, telling it so; then it is given away.
public struct SpinWait {
    private var rounds = 0

    /// A wait that has not begun.
    public init() {}

    /// One round.
    public mutating func wait() {
        rounds += 1
        if rounds < 100 { culvert_pause() } else { sched_yield() }
    }
}
