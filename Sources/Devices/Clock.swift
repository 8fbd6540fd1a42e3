internal import Glibc

/// The wall clock in nanoseconds since 1970 (clock_gettime(2)); it may be set, so nothing is timed by it.
package func realtimeNanoseconds() -> UInt64 {
    var now = timespec()
    // Safe: the kernel writes one `timespec`. With this clock and address it cannot fail.
    _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(max(now.tv_sec, 0)) &* 1_000_000_000 &+ UInt64(max(now.tv_nsec, 0))
}
