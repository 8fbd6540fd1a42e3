import Glibc

/// What tells one state of a file from another without reading it: as long as this is the same, so is the text.
struct FileIdentity: Hashable, Sendable {
    private var device: UInt64
    private var inode: UInt64
    private var size: Int64
    /// When the text, and when anything about the file was last changed, in nanoseconds since 1970.
    private var modified: Int64
    private var changed: Int64
    let isDirectory: Bool
    /// Whether it is an ordinary file: to read a pipe may take for ever.
    let isRegular: Bool

    /// The state of the file that a path leads to, links followed; nil if there is none.
    init?(path: String) {
        var status = stat()
        // Safe: the structure is the call's to fill in, and is looked at only if it did.
        guard unsafe stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// The state of an open file; nil if the descriptor is none.
    init?(descriptor: Int32) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        func nanoseconds(_ time: timespec) -> Int64 { Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec) }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = nanoseconds(status.st_mtim)
        changed = nanoseconds(status.st_ctim)
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        isRegular = status.st_mode & S_IFMT == S_IFREG
    }

    /// Whether the file had been left alone for a while at a point in time, in nanoseconds since 1970.
    ///
    /// The times above move in steps of some milliseconds: a second change within one of them would not show.
    func isSettled(at now: Int64) -> Bool { now &- max(modified, changed) > 100_000_000 }

    /// The time now, by the clock that files are stamped with.
    static var now: Int64 {
        var time = timespec()
        // Safe: the structure is the call's to fill in.
        guard unsafe clock_gettime(CLOCK_REALTIME, &time) == 0 else { return .min }
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
