internal import Devices
internal import Foundation
internal import Glibc

/// The directory of what outlives the daemon: maps, allocations, interfaces.
///
/// It belongs to one daemon at a time, by a lock that the kernel gives up when its process ends, however that ends.
package final class StateDirectory: Sendable {
    /// Where it is.
    package let path: String
    /// Which boot of the machine this is: deadlines are in a clock that begins with it.
    package let bootID: String
    private let lock: Descriptor

    /// Makes the directory if there is none, for its owner alone, and takes its lock.
    package convenience init(path: String) throws(StateError) {
        try self.init(path: path, bootID: try Self.currentBootID())
    }

    /// The same in a boot that the caller names.
    package init(path: String, bootID: String) throws(StateError) {
        self.path = path
        self.bootID = bootID
        do {
            try FileManager.default.createDirectory(
                atPath: path,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700]
            )
        } catch {
            throw StateError(description: "\(path): the directory cannot be made: \(error.localizedDescription)")
        }
        // Safe: the path lives for the call.
        let number = unsafe Glibc.open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard number >= 0 else {
            throw StateError(description: "\(path)/lock: cannot be opened: \(SystemError.text(of: errno))")
        }
        lock = Descriptor(owning: number)
        guard Self.take(number) else { throw StateError(description: "\(path): belongs to another daemon that runs") }
    }

    /// Takes a lock, and waits for up to a second: a process that was killed keeps what it has until all its threads are gone.
    private static func take(_ lock: Int32) -> Bool {
        for _ in 0..<200 {
            if flock(lock, LOCK_EX | LOCK_NB) == 0 { return true }
            usleep(5000)
        }
        return false
    }

    /// The identity of this boot (random(4)).
    private static func currentBootID() throws(StateError) -> String {
        let path = "/proc/sys/kernel/random/boot_id"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8), text.utf8.count == 37 else {
            throw StateError(description: "\(path): cannot be read, so it is not known which boot this is")
        }
        return String(text.dropLast())
    }
}
