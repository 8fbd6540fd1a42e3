internal import CTun
internal import Glibc

/// A timer that epoll sees, on the monotonic clock (timerfd_create(2)).
package struct TimerFD: ~Copyable, Sendable {
    /// What epoll watches: readable once the timer has expired.
    package let descriptor: Descriptor

    /// Makes a timer that is not armed.
    package init() throws(SystemError) {
        let flags = Int32(TFD_CLOEXEC | TFD_NONBLOCK)
        let number = timerfd_create(CLOCK_MONOTONIC, flags)
        guard number >= 0 else { throw SystemError(call: .timerCreate, object: "timer", code: errno) }
        descriptor = Descriptor(owning: number)
    }

    /// Arms the timer, in place of what it was armed for.
    ///
    /// - Parameters:
    ///   - nanoseconds: from now to the first expiry; 0 means at once
    ///   - interval: nanoseconds between expiries after that; 0 for a single one
    /// - Throws: `SystemError`
    package func arm(afterNanoseconds nanoseconds: UInt64, every interval: UInt64 = 0) throws(SystemError) {
        // Zero would disarm it.
        try set(first: max(nanoseconds, 1), interval: interval)
    }

    /// Disarms the timer, and forgets expiries that were not cleared.
    package func disarm() throws(SystemError) {
        try set(first: 0, interval: 0)
    }

    /// Takes the expiries since the last call; 0 if there were none.
    @discardableResult
    package func clear() throws(SystemError) -> UInt64 {
        try drainCounter(of: descriptor, object: "timer")
    }

    private func set(first: UInt64, interval: UInt64) throws(SystemError) {
        var time = itimerspec(it_interval: Self.time(interval), it_value: Self.time(first))
        // Safe: the kernel reads one `itimerspec`, and the old one is not asked for.
        guard unsafe timerfd_settime(descriptor.number, 0, &time, nil) == 0 else {
            throw SystemError(call: .timerSet, object: "timer", code: errno)
        }
    }

    private static func time(_ nanoseconds: UInt64) -> timespec {
        timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}
