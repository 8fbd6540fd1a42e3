// Theory of operation
//
// A worker waits for its queues, its stop event and its timer at once (epoll(7)). Descriptors are level-triggered: a
// queue that still has frames is reported again, so a worker may stop reading after a batch. Each descriptor carries a
// token of the worker's own, usually an index.
//
// `wait` fills a fixed buffer that `subscript` reads, so that waiting allocates nothing. A signal does not end a wait:
// it goes on for the time that is left.

internal import CTun
internal import Glibc

/// A set of descriptors to wait for.
@safe package struct Epoll: ~Copyable {
    /// What happened to a descriptor.
    package struct Event: Equatable, Sendable {
        /// What the descriptor was added with.
        package let token: UInt64
        /// A read would not block.
        package let isReadable: Bool
        /// A write would not block; seen only by those who asked for it.
        package let isWritable: Bool
        /// The descriptor is in error or hung up: a deleted TUN, a closed peer.
        package let isFailed: Bool
    }

    private let descriptor: Descriptor
    private let capacity: Int
    private var filled = 0
    // Safe: `events` is owned, has room for `capacity` elements, all initialized, and never escapes this type.
    private let events: UnsafeMutablePointer<epoll_event>

    /// Makes an empty set; at most `capacity` events are reported by one wait, the others by the next.
    package init(capacity: Int = 64) throws(SystemError) {
        let number = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard number >= 0 else { throw SystemError(call: .epollCreate, object: "event queue", code: errno) }
        descriptor = Descriptor(owning: number)
        self.capacity = min(max(capacity, 1), 1024)
        unsafe events = UnsafeMutablePointer<epoll_event>.allocate(capacity: self.capacity)
        unsafe events.initialize(repeating: epoll_event(), count: self.capacity)
    }

    // Safe: allocated by `init`, and elements of this type need no deinitialization.
    deinit { unsafe events.deallocate() }

    /// Adds a descriptor, which must stay open until it is removed or this set goes.
    package func add(_ number: Int32, token: UInt64, writable: Bool = false) throws(SystemError) {
        try control(EPOLL_CTL_ADD, number, token: token, writable: writable)
    }

    /// Changes what an added descriptor is watched for.
    package func modify(_ number: Int32, token: UInt64, writable: Bool) throws(SystemError) {
        try control(EPOLL_CTL_MOD, number, token: token, writable: writable)
    }

    /// Removes a descriptor.
    package func remove(_ number: Int32) throws(SystemError) {
        try control(EPOLL_CTL_DEL, number, token: 0, writable: false)
    }

    private func control(_ operation: Int32, _ number: Int32, token: UInt64, writable: Bool) throws(SystemError) {
        let interest = EPOLLIN.rawValue | (writable ? EPOLLOUT.rawValue : 0)
        // Safe: `u64` is the union's widest member and the only one used here; the kernel reads one `epoll_event`.
        var event = unsafe epoll_event(events: interest, data: epoll_data_t(u64: token))
        guard unsafe epoll_ctl(descriptor.number, operation, number, &event) == 0 else {
            throw SystemError(call: .epollControl, object: "descriptor \(number)", code: errno)
        }
    }

    /// Waits until something happens, at most for the time given.
    ///
    /// - Parameter milliseconds: 0 looks without waiting, nil waits for ever
    /// - Returns: the number of events, for `subscript`
    /// - Throws: `SystemError`, never for a signal
    package mutating func wait(milliseconds: Int32?) throws(SystemError) -> Int {
        // Looking without waiting is done often, and needs no clock.
        let deadline = milliseconds.map { $0 > 0 ? monotonicNanoseconds() &+ Int64($0) * 1_000_000 : 0 }
        var left = milliseconds.map { max($0, 0) } ?? -1
        filled = 0
        while true {
            // Safe: the kernel writes at most `capacity` events, which the buffer has room for.
            let count = unsafe epoll_wait(descriptor.number, events, Int32(capacity), left)
            if count >= 0 {
                filled = min(Int(count), capacity)
                return filled
            }
            let code = errno
            guard code == EINTR else { throw SystemError(call: .epollWait, object: "event queue", code: code) }
            guard let deadline else { continue }
            // Rounded up, so that the wait is never shorter than asked for.
            left = Int32(clamping: max(0, (deadline &- monotonicNanoseconds() &+ 999_999) / 1_000_000))
        }
    }

    /// An event of the last wait, by its number from 0.
    package subscript(index: Int) -> Event {
        precondition(index >= 0 && index < filled, "no such event")
        // Safe: `index` is within what the last wait filled; `u64` is the member that `control` wrote.
        let event = unsafe events[index]
        let bits = unsafe event.events
        return Event(
            token: unsafe event.data.u64,
            isReadable: bits & EPOLLIN.rawValue != 0,
            isWritable: bits & EPOLLOUT.rawValue != 0,
            isFailed: bits & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
        )
    }
}

/// The monotonic clock in nanoseconds (clock_gettime(2)).
package func monotonicNanoseconds() -> Int64 {
    var now = timespec()
    // Safe: the kernel writes one `timespec`. With this clock and address it cannot fail.
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) &* 1_000_000_000 &+ Int64(now.tv_nsec)
}
