internal import CFuzz
internal import Glibc
package import Tables

/// A file in memory, for readers that want a path, and for maps.
package final class MemoryFile: Sendable {
    /// Opens the file anew, from its beginning.
    package let path: String
    private let descriptor: CInt
    private let zeros: [UInt8]

    /// A file of zeros.
    package init(byteCount: Int = 0) {
        descriptor = culvert_fuzz_memory_file()
        precondition(descriptor >= 0 && ftruncate(descriptor, byteCount) == 0, "there is no file in memory to be had")
        path = "/proc/self/fd/\(descriptor)"
        zeros = [UInt8](repeating: 0, count: byteCount)
    }

    deinit { close(descriptor) }

    /// Puts other bytes in the place of what was there.
    package func replace(with bytes: [UInt8]) {
        precondition(ftruncate(descriptor, bytes.count) == 0, "the file in memory cannot be cut")
        write(bytes)
    }

    /// Makes all bytes zero again.
    package func clear() { write(zeros) }

    private func write(_ bytes: [UInt8]) {
        // Safe: the array has as many bytes as are written.
        let written = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        precondition(written == bytes.count, "the file in memory takes no bytes")
    }

    /// The first bytes, mapped; a private region leaves the file as it is.
    package func region(byteCount: Int, isPrivate: Bool = false) -> Region {
        guard let region = Region(descriptor: descriptor, byteCount: byteCount, isPrivate: isPrivate) else {
            preconditionFailure("the file in memory cannot be mapped")
        }
        return region
    }
}
