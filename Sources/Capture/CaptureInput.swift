internal import Glibc

// # Theory of operation
//
// A capture comes from a file or from a pipe, and one of two readers takes it, that of classic pcap or that of pcapng. Which one
// shows in the first bytes, so these are looked at first: with pread(2) where the descriptor can seek, and otherwise by
// taking them out and repeating them to the reader. Nothing is consumed either way, and `-` works for both kinds.

/// An opened capture of which nothing is consumed yet; one of the readers takes it over.
@safe package final class CaptureInput {
    /// The file as the user named it, or `standard input`.
    package let name: String
    /// What the capture begins with: all of its section header, as long as that is below 64 KiB.
    let prefix: [UInt8]
    private let descriptor: Int32
    /// How much of `prefix` was taken from the descriptor and not yet given to a reader.
    private var unread: ArraySlice<UInt8>

    /// How many bytes a reader does well to ask for at a time: a file's, as long as they are few.
    let readSize: Int

    private static let readLimit = 1 << 20
    private static let prefixLimit = 1 << 16

    /// Opens a file, or standard input for `-`.
    package init(path: String) throws(CaptureError) {
        name = path == "-" ? "standard input" : path
        // Safe: a terminated string goes in.
        descriptor =
            path == "-" ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw CaptureError(.open, file: name, reason: errorText(errno)) }
        do throws(CaptureError) {
            let found = try Self.look(at: descriptor, name: name)
            prefix = found.prefix
            unread = found.canSeek ? [] : found.prefix[...]
            readSize = Self.readSize(of: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit { close(descriptor) }

    /// Reads between one and `buffer.count` bytes; 0 at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(CaptureError) -> Int {
        guard unread.isEmpty else {
            let count = min(unread.count, buffer.count)
            unsafe buffer.copyBytes(from: unread.prefix(count))  // Safe: not more than the buffer has.
            unread.removeFirst(count)
            return count
        }
        while true {
            // Safe: read writes at most as many bytes as the buffer has.
            let count = unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            if errno != EINTR { throw CaptureError(.damaged, file: name, reason: errorText(errno)) }
        }
    }

    /// A page more than a file has, so that its end shows in the same read; the limit for large files and for pipes.
    private static func readSize(of descriptor: Int32) -> Int {
        var status = stat()
        // Safe: fstat fills in the structure.
        let isFile = unsafe fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        return isFile && status.st_size < readLimit - 4096 ? Int(status.st_size) + 4096 : readLimit
    }

    /// Takes a look at the first bytes, as many as tell what the file is.
    private static func look(
        at descriptor: Int32,
        name: String
    ) throws(CaptureError) -> (prefix: [UInt8], canSeek: Bool) {
        let start = lseek(descriptor, 0, SEEK_CUR)
        var bytes: [UInt8] = []
        var wanted = 12
        var failure: Int32 = 0
        while bytes.count < wanted && failure == 0 {
            let room = wanted - bytes.count
            let offset = bytes.count
            // Safe: at most `room` bytes are written into the array's uninitialised part, and as many are appended.
            let more = unsafe [UInt8](unsafeUninitializedCapacity: room) { into, count in
                let result =
                    unsafe start < 0
                    ? Glibc.read(descriptor, into.baseAddress, room)
                    : pread(descriptor, into.baseAddress, room, start + offset)
                if result < 0 && errno != EINTR { failure = errno }
                count = max(result, 0)
                if result == 0 { failure = -1 }
            }
            bytes += more
            if bytes.count >= 12 { wanted = min(PcapngSection.headerLength(of: bytes.raw) ?? 12, prefixLimit) }
        }
        if failure > 0 { throw CaptureError(.open, file: name, reason: errorText(failure)) }
        return (bytes, start >= 0)
    }
}

extension CaptureInput {
    /// Whether the capture is pcapng.
    var isPcapng: Bool {
        let prefix = prefix
        return PcapngSection.headerLength(of: prefix.raw) != nil
    }

    /// Whether the capture is a trace that Culvert wrote: pcapng whose section header names it as the application.
    package var isCulvertTrace: Bool {
        let prefix = prefix
        return PcapngSection(header: prefix.raw)?.application?.hasPrefix("culvert") ?? false
    }

    /// Throws for what is recognisably no capture, with a better reason than libpcap's.
    func refuseOtherFormats() throws(CaptureError) {
        let compressed: [(magic: [UInt8], name: String, tool: String)] = [
            ([0x1f, 0x8b], "gzip", "zcat"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "xz", "xzcat"),
            ([0x28, 0xb5, 0x2f, 0xfd], "zstd", "zstdcat"), ([0x42, 0x5a, 0x68], "bzip2", "bzcat"),
        ]
        if prefix.isEmpty { throw CaptureError(.format, file: name, reason: "the file is empty") }
        for kind in compressed where prefix.starts(with: kind.magic) {
            let reason = "compressed with \(kind.name): unpack it first, for instance `\(kind.tool) FILE | culvert … -`"
            throw CaptureError(.format, file: name, reason: reason)
        }
    }
}
