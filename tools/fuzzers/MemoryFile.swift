internal import CFuzz
internal import Glibc

/// A file in memory, for readers that want a path.
struct MemoryFile {
    /// Opens the file anew, from its beginning.
    let path: String
    private let descriptor: CInt

    init() {
        descriptor = culvert_fuzz_memory_file()
        precondition(descriptor >= 0, "there is no file in memory to be had")
        path = "/proc/self/fd/\(descriptor)"
    }

    /// Puts other bytes in the place of what was there.
    func replace(with bytes: [UInt8]) {
        let isEmpty = ftruncate(descriptor, 0) == 0
        // Safe: the array has as many bytes as are written.
        let written = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        precondition(isEmpty && written == bytes.count, "the file in memory takes no bytes")
    }
}
