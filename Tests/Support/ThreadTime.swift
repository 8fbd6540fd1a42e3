internal import Glibc

/// The processor time of this thread in nanoseconds: what other tests and other programs take meanwhile is not in it.
package func threadTime() -> UInt64 {
    var time = timespec()
    // Safe: the call writes one `timespec`.
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
