internal import Glibc

/// The text of an `errno` value, as strerror(3) has it.
func errorText(_ code: Int32) -> String {
    // Safe: strerror always gives a terminated string, copied at once. Another thread's call could only replace its text.
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
}

/// Whether `path` (`-` is standard output) is a terminal, on which no trace should be written.
package func isTerminal(output path: String) -> Bool {
    guard path != "-" else { return isatty(STDOUT_FILENO) == 1 }
    // Safe: a terminated string goes in.
    let descriptor = unsafe open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return isatty(descriptor) == 1
}
