internal import Devices
internal import Glibc

/// The socket of the daemon in the file system (unix(7)): nobody but its user can open it, from the first instant on.
///
/// Theory of operation: a lock file beside it belongs to one daemon at a time, so that two that start at once cannot both
/// have the path; the kernel gives it up when its process ends, however that ends. A socket file without a daemon is stale
/// and gives way. The new socket gets its mode before it has a name, is bound under a temporary name, listens, and only
/// then takes its path by a rename: who finds it finds it ready. `remove` takes away what is still this daemon's.
package final class ControlSocket: Sendable {
    /// Where clients find it.
    package let path: String
    /// The listening socket; who serves it takes it over and closes it.
    let listener: Int32
    private let lock: Int32
    private let inode: Inode

    private struct Inode: Equatable, Sendable {
        var device: UInt64
        var number: UInt64

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            number = UInt64(status.st_ino)
        }
    }

    /// The longest path: `sun_path` has 108 bytes, and the temporary name needs eight more than the path.
    package static let longestPath = 99

    /// Makes the socket; on failure nothing is left of it.
    package init(path: String) throws(ControlSocketError) {
        guard (1...Self.longestPath).contains(path.utf8.count), !path.utf8.contains(0) else {
            throw ControlSocketError(path, "is not 1 to \(Self.longestPath) bytes long")
        }
        self.path = path
        try Self.makeDirectory(of: path)
        lock = try Self.takeLock(path)
        do throws(ControlSocketError) {
            try Self.checkStale(path)
            (listener, inode) = try Self.listen(path)
        } catch {
            Self.giveUp(lock, path)
            throw error
        }
    }

    /// Takes the socket and its lock away, unless somebody else has put another one there.
    package func remove() {
        if let status = Self.status(path), Inode(status) == inode { unsafe unlink(path) }
        Self.giveUp(lock, path)
    }

    /// Closes the listening socket, for who does not serve it.
    package func close() { _ = Glibc.close(listener) }

    /// A directory that is not there is made, for its owner alone.
    private static func makeDirectory(of path: String) throws(ControlSocketError) {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
        let directory = String(path[..<slash])
        // Safe, as all paths here: the terminated copy of a string lives for the call.
        if unsafe mkdir(directory, 0o700) != 0, errno != EEXIST {
            throw ControlSocketError(path, "its directory cannot be made: \(SystemError.text(of: errno))", errno)
        }
    }

    // MARK: The lock

    private static func lockPath(_ path: String) -> String { path + ".lock" }

    private static func takeLock(_ path: String) throws(ControlSocketError) -> Int32 {
        while true {
            let lock = unsafe open(lockPath(path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard lock >= 0 else {
                throw ControlSocketError(path, "its lock file cannot be made: \(SystemError.text(of: errno))", errno)
            }
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
                _ = Glibc.close(lock)
                throw ControlSocketError.inUse(path)
            }
            var own = stat()
            // Safe: the kernel writes one `stat`.
            let isKnown = unsafe fstat(lock, &own) == 0
            // The one before may have removed the file between the two calls: then the lock is on a file without a name.
            if isKnown, let named = status(lockPath(path)), Inode(named) == Inode(own) { return lock }
            _ = Glibc.close(lock)
        }
    }

    private static func giveUp(_ lock: Int32, _ path: String) {
        unsafe unlink(lockPath(path))
        _ = Glibc.close(lock)
    }

    // MARK: The socket

    /// What is at a path, links not followed; nil for nothing.
    private static func status(_ path: String) -> stat? {
        var status = stat()
        // Safe: the kernel writes one `stat`.
        return unsafe lstat(path, &status) == 0 ? status : nil
    }

    /// Refuses a path where somebody answers, or that is no socket.
    private static func checkStale(_ path: String) throws(ControlSocketError) {
        guard let status = status(path) else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw ControlSocketError(path, "exists, and is no socket") }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { return }
        defer { _ = Glibc.close(probe) }
        if unsafe call(connect, probe, path) == 0 || errno == EAGAIN { throw ControlSocketError.inUse(path) }
    }

    private static func listen(_ path: String) throws(ControlSocketError) -> (Int32, Inode) {
        let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let listener = socket(AF_UNIX, flags, 0)
        guard listener >= 0 else { throw ControlSocketError(path, SystemError.text(of: errno), errno) }
        let temporary = "\(path).\(getpid() % 10_000_000)"
        unsafe unlink(temporary)
        // Linux gives the file the mode of the socket, less the umask (unix_bind_bsd in net/unix/af_unix.c).
        guard fchmod(listener, 0o600) == 0, unsafe call(bind, listener, temporary) == 0,
            let made = status(temporary), made.st_mode & 0o177 == 0, Glibc.listen(listener, 128) == 0,
            unsafe rename(temporary, path) == 0
        else {
            let code = errno
            unsafe unlink(temporary)
            _ = Glibc.close(listener)
            throw ControlSocketError(path, "cannot be made: \(SystemError.text(of: code))", code)
        }
        return (listener, Inode(made))
    }

    /// Calls bind(2) or connect(2) with a path.
    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32,
        _ socket: Int32,
        _ path: String
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // Safe: the buffer is the field itself; `prefix` keeps a last byte for the terminator, zero from the start.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            for (index, byte) in path.utf8.prefix(bytes.count - 1).enumerated() { unsafe bytes[index] = byte }
        }
        // Safe: a `sockaddr_un` is a `sockaddr` of the size that is given, and lives for the call.
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe function(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}

/// Why there is no control socket.
package struct ControlSocketError: Error, Sendable, CustomStringConvertible {
    /// The path and the reason, in a line.
    package let description: String
    /// What helps.
    package let hint: String
    /// Whether the place cannot be written to, so that only this daemon has no socket there.
    package let isUnwritable: Bool

    init(_ path: String, _ problem: String, _ code: Int32 = 0) {
        description = "control socket \(path): \(problem)"
        hint = "--socket PATH puts it elsewhere, --socket none leaves it out"
        isUnwritable = [EACCES, EPERM, EROFS, ENOENT].contains(code)
    }

    static func inUse(_ path: String) -> ControlSocketError {
        ControlSocketError(path, "another daemon answers there")
    }
}
