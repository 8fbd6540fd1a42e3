internal import CTun
internal import Glibc

/// A file descriptor and the duty to close it.
package struct Descriptor: ~Copyable, Sendable {
    /// The number, for epoll and for system calls; valid as long as this value lives.
    package let number: Int32

    /// Takes over an open descriptor: nobody else may close it.
    package init(owning number: Int32) {
        self.number = number
    }

    // No check: after close(2) on Linux the number is free whatever it returns (close(2), NOTES).
    deinit { _ = Glibc.close(number) }

    /// Takes the descriptor out of a shim's result.
    ///
    /// Throws the failure, whose call is `open` at the step that opened what was asked for.
    init(_ result: ctun_result, open: SystemError.Call, object: String) throws(SystemError) {
        guard result.fd < 0 else {
            number = result.fd
            return
        }
        let call: SystemError.Call =
            switch result.step {
            case CTUN_STEP_HOME: .open
            case CTUN_STEP_SETNS: .setns
            case CTUN_STEP_UNSHARE: .unshare
            case CTUN_STEP_TUNSETIFF: .tunSetInterface
            case CTUN_STEP_SOCKET: .socket
            case CTUN_STEP_SOCKOPT: .setsockopt
            case CTUN_STEP_CONNECT: .connect
            default: open
            }
        let object = result.step == CTUN_STEP_HOME ? "/proc/thread-self/ns/net" : object
        throw SystemError(call: call, object: object, code: result.error)
    }
}

/// Runs a system call again as long as a signal interrupts it (EINTR, signal(7)).
///
/// Returns what it returned, or the negated errno. For calls that do not sleep: those with a timeout must account for
/// the time that has passed.
@inline(__always)
func uninterrupted(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { return -Int(code) }
    }
}
