internal import Capture
internal import Glibc

/// Writes a line for people.
func writeToStandardError(_ text: String) { _ = write(all: Array(text.utf8), to: STDERR_FILENO) }

/// Writes data; a closed pipe or a full disk is an error.
func writeToStandardOutput(_ bytes: [UInt8]) throws(CaptureError) {
    let code = write(all: bytes, to: STDOUT_FILENO)
    if code == 0 { return }
    let reason = unsafe String(cString: strerror(code))
    throw CaptureError(code == EPIPE ? .closedPipe : .write, file: "standard output", reason: reason)
}

/// Writes text as data.
func writeToStandardOutput(_ text: String) throws(CaptureError) { try writeToStandardOutput(Array(text.utf8)) }

/// Writes all bytes, whatever write(2) takes at once; the errno of a failure, 0 for none.
private func write(all bytes: [UInt8], to descriptor: Int32) -> Int32 {
    // Safe: the buffer is used within the closure only.
    unsafe bytes.withUnsafeBytes { buffer in
        var done = 0
        while done < buffer.count, let base = buffer.baseAddress {
            // Safe: `done` is below the count, so the rest lies within the array.
            let count = unsafe Glibc.write(descriptor, base + done, buffer.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                return errno
            }
            done += count
        }
        return 0
    }
}
