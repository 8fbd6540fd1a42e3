import CFuzz
import Glibc
import Tables

/// A file in memory, for readers that want a path, and for maps.
final class MemoryFile: Sendable {
    /// Opens the file anew, from its beginning.
    let path: String
    private let descriptor: CInt

    /// A file of zeros.
    init(byteCount: Int = 0) {
        descriptor = culvert_fuzz_memory_file()
        precondition(descriptor >= 0 && ftruncate(descriptor, byteCount) == 0, "there is no file in memory to be had")
        path = "/proc/self/fd/\(descriptor)"
    }

    deinit { close(descriptor) }

    /// Puts other bytes in the place of what was there.
    func replace(with bytes: [UInt8]) {
        let isEmpty = ftruncate(descriptor, 0) == 0
        // Safe: the array has as many bytes as are written.
        let written = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        precondition(isEmpty && written == bytes.count, "the file in memory takes no bytes")
    }

    /// The first bytes, mapped; a private region leaves the file as it is.
    func region(byteCount: Int, isPrivate: Bool = false) -> Region {
        guard let region = Region(descriptor: descriptor, byteCount: byteCount, isPrivate: isPrivate) else {
            preconditionFailure("the file in memory cannot be mapped")
        }
        return region
    }
}
