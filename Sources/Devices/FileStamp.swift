internal import Glibc

/// By what a change of a file is noticed without reading it (stat(2)).
///
/// Two stamps are equal when nothing happened to the file in between: it is the same inode, with the same size and the same
/// times of change. The time of the last change of status sees also what sets the time of modification back.
package struct FileStamp: Hashable, Sendable {
    /// Device and inode: another file under the same name has another one.
    package let device: UInt64
    /// The number of the file on its device.
    package let inode: UInt64
    /// In bytes.
    package let size: Int64
    /// When the contents were last written, in nanoseconds since 1970.
    package let modified: Int64
    /// When contents, owner, mode or links last changed, in nanoseconds since 1970.
    package let changed: Int64
    /// Whether it is a directory, whose `modified` tells of its entries.
    package let isDirectory: Bool

    /// The stamp of what a path leads to; nil when it leads to nothing, or may not be looked at.
    package init?(path: String) {
        var status = stat()
        // Safe: the kernel writes one `stat`; the string lives for the call.
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        changed = Int64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_ctim.tv_nsec)
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
    }

    /// The path without symbolic links, if the last part of `path` is one (lstat(2), realpath(3)).
    package static func target(ofLink path: String) -> String? {
        var status = stat()
        // Safe: the kernel writes one `stat`; the string lives for the call.
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return nil }
        // Safe: the result is null or an allocated, terminated string that is ours to free.
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }
}
