// Theory of operation
//
// A watch on a file follows the inode, so it misses what most writers do: a new file renamed over the old one, or a
// symbolic link that is replaced. So only directories are watched, and what is told is which name in which directory
// changed. An event is a hint to look, never the truth: the queue overflows, network file systems tell nothing, and a
// directory may be replaced between two looks. Whoever must not miss a change looks by itself now and then.

internal import Glibc

/// Tells what changes in directories (inotify(7)).
package struct Inotify: ~Copyable {
    /// What happened to an entry of a directory, or to the directory itself.
    package struct Change: Hashable, Sendable {
        /// The watch that saw it; nil where changes were lost.
        package let watch: Int32?
        /// The entry's name; empty for the directory itself.
        package let name: String
        /// Whether the entry is a directory.
        package let isDirectory: Bool
        /// Whether somebody has written into the file, and may still have it open.
        package let isWrite: Bool
        /// Whether the file is as somebody meant it to be: closed after writing, renamed, or removed.
        package let isEnd: Bool
    }

    /// What epoll watches: readable while there are changes to be read.
    package let descriptor: Descriptor
    private var buffer = [UInt8](repeating: 0, count: 16384)

    /// The largest event: its header and a name with its terminator (inotify(7)).
    private static let headerSize = 16

    /// Watches nothing yet.
    package init() throws(SystemError) {
        let number = inotify_init1(Int32(IN_CLOEXEC) | Int32(IN_NONBLOCK))
        guard number >= 0 else { throw SystemError(call: .inotifyInit, object: "file watch", code: errno) }
        descriptor = Descriptor(owning: number)
    }

    /// Watches a directory, following links; one that is watched already keeps its number.
    package func watch(directory path: String) throws(SystemError) -> Int32 {
        let mask =
            UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_MOVED_FROM) | UInt32(IN_MOVED_TO) | UInt32(IN_MODIFY)
            | UInt32(IN_CLOSE_WRITE) | UInt32(IN_ATTRIB) | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF)
            | UInt32(IN_ONLYDIR)
        // Safe: the string lives for the call.
        let watch = unsafe inotify_add_watch(descriptor.number, path, mask)
        guard watch >= 0 else { throw SystemError(call: .inotifyAdd, object: path, code: errno) }
        return watch
    }

    /// Ends a watch; one that has ended by itself is no error.
    package func unwatch(_ watch: Int32) { _ = inotify_rm_watch(descriptor.number, watch) }

    /// Hands over all changes that are there, without waiting.
    package mutating func read(_ take: (Change) -> Void) throws(SystemError) {
        while true {
            let number = descriptor.number
            let size = buffer.count
            let count = uninterrupted {
                // Safe: the kernel writes at most as many bytes as the array has.
                unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(number, $0.baseAddress, size) }
            }
            if count == -Int(EAGAIN) || count == 0 { return }
            guard count > 0 else { throw SystemError(call: .read, object: "file watch", code: Int32(-count)) }
            var offset = 0
            while count - offset >= Self.headerSize {
                let length = Int(word(offset + 12))
                guard length <= count - offset - Self.headerSize else { return }
                take(change(at: offset, nameLength: length))
                offset += Self.headerSize + length
            }
        }
    }

    /// A word of an event in the byte order of the machine (`struct inotify_event`).
    private func word(_ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(buffer[offset + $1]) << UInt32(Self.shift($1)) }
    }

    private static func shift(_ byte: Int) -> Int { UInt16(1).littleEndian == 1 ? byte * 8 : 24 - byte * 8 }

    private func change(at offset: Int, nameLength: Int) -> Change {
        let mask = word(offset + 4)
        let start = offset + Self.headerSize
        let name = buffer[start..<start + nameLength].prefix { $0 != 0 }
        let ends =
            UInt32(IN_CLOSE_WRITE) | UInt32(IN_DELETE) | UInt32(IN_MOVED_FROM) | UInt32(IN_MOVED_TO)
        return Change(
            watch: mask & UInt32(IN_Q_OVERFLOW) != 0 ? nil : Int32(bitPattern: word(offset)),
            name: String(decoding: name, as: UTF8.self),
            isDirectory: mask & UInt32(IN_ISDIR) != 0,
            isWrite: mask & UInt32(IN_MODIFY) != 0,
            isEnd: mask & ends != 0
        )
    }
}
