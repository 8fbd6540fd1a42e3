internal import CTun
internal import Glibc

/// An event that threads raise and epoll sees (eventfd(2)).
package struct EventFD: ~Copyable, Sendable {
    /// What epoll watches: readable while the event is raised.
    package let descriptor: Descriptor

    /// Makes an event that is not raised.
    package init() throws(SystemError) {
        let number = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard number >= 0 else { throw SystemError(call: .eventfd, object: "event", code: errno) }
        descriptor = Descriptor(owning: number)
    }

    /// Raises the event; from any thread, and in a signal handler (signal-safety(7)).
    package func signal() throws(SystemError) {
        let number = descriptor.number
        var one: UInt64 = 1
        // Safe: eight bytes are read, from a variable of eight bytes.
        let written = uninterrupted { unsafe Glibc.write(number, &one, 8) }
        // EAGAIN: the counter is full, so the event is raised.
        guard written == 8 || written == -Int(EAGAIN) else {
            throw SystemError(call: .write, object: "event", code: written < 0 ? Int32(-written) : EIO)
        }
    }

    /// Lowers the event; whether it was raised.
    @discardableResult
    package func clear() throws(SystemError) -> Bool {
        try drainCounter(of: descriptor, object: "event") > 0
    }
}

/// Reads the counter of an eventfd or timerfd; 0 if there is nothing to read.
func drainCounter(of descriptor: borrowing Descriptor, object: String) throws(SystemError) -> UInt64 {
    let number = descriptor.number
    var counter: UInt64 = 0
    // Safe: eight bytes are written, into a variable of eight bytes.
    let count = uninterrupted { unsafe Glibc.read(number, &counter, 8) }
    if count == 8 { return counter }
    if count == -Int(EAGAIN) { return 0 }
    throw SystemError(call: .read, object: object, code: count < 0 ? Int32(-count) : EIO)
}
