import Control
import Foundation
import Glibc
import Testing

@Suite("The file of the control socket")
struct SocketFileTests {
    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require((attributes[.posixPermissions] as? NSNumber)?.intValue)
    }

    /// The reason why there is no socket at a path; nil when there is.
    private func refusal(_ path: String) -> String? {
        do throws(ControlSocketError) {
            let socket = try ControlSocket(path: path)
            socket.remove()
            socket.close()
            return nil
        } catch {
            return error.description
        }
    }

    @Test("it is its owner's alone, in a directory that is too, and goes with the daemon")
    func modes() async throws {
        let directory = try scratchDirectory()
        let place = "\(directory)/new"
        let daemon = try TestDaemon(in: directory)
        let socket = try ControlSocket(path: "\(place)/culvert.sock")
        #expect(try mode("\(place)/culvert.sock") == 0o600)
        #expect(try mode(place) == 0o700)
        #expect(try mode(daemon.path) == 0o600)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: place).sorted() == [
                "culvert.sock", "culvert.sock.lock",
            ]
        )
        socket.remove()
        socket.close()
        #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
        try await daemon.end()
        #expect(!FileManager.default.fileExists(atPath: daemon.path))
        try FileManager.default.removeItem(atPath: directory)
    }

    @Test("a second daemon is refused, and the first one is none the worse for it")
    func second() async throws {
        try await withDaemon { daemon in
            #expect(refusal(daemon.path)?.hasSuffix("another daemon answers there") == true)
            #expect(try await daemon.items("services").count == 3)
            // Even when its lock was removed.
            try FileManager.default.removeItem(atPath: daemon.path + ".lock")
            #expect(refusal(daemon.path)?.hasSuffix("another daemon answers there") == true)
            #expect(try await daemon.items("services").count == 3)
        }
    }

    @Test("a stale socket gives way")
    func stale() async throws {
        let directory = try scratchDirectory()
        let path = "\(directory)/culvert.sock"
        let dead = try ControlSocket(path: path)
        // As when a process is killed: descriptors closed, files left.
        dead.close()
        let kept = "\(directory)/kept"
        try FileManager.default.linkItem(atPath: path, toPath: kept)
        dead.remove()
        try FileManager.default.moveItem(atPath: kept, toPath: path)
        #expect(FileManager.default.createFile(atPath: path + ".lock", contents: nil))
        let daemon = try TestDaemon(in: directory)
        #expect(try await daemon.items("services").count == 3)
        try await daemon.end()
        #expect(refusal(path) == nil)
        try FileManager.default.removeItem(atPath: directory)
    }

    @Test("what somebody else has put there stays")
    func foreign() async throws {
        let directory = try scratchDirectory()
        let path = "\(directory)/culvert.sock"
        try "mine".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(refusal(path)?.hasSuffix("exists, and is no socket") == true)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
        try FileManager.default.removeItem(atPath: path)
        let daemon = try TestDaemon(in: directory)
        try FileManager.default.removeItem(atPath: path)
        try "mine".write(toFile: path, atomically: true, encoding: .utf8)
        try await daemon.end()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
        try FileManager.default.removeItem(atPath: directory)
    }

    @Test("places that cannot be are refused with a reason")
    func places() {
        #expect(refusal("/nowhere/at/all/culvert.sock")?.contains("its directory cannot be made") == true)
        #expect(refusal("/proc/culvert/culvert.sock")?.contains("cannot be made") == true)
        #expect(refusal("")?.contains("1 to 99 bytes") == true)
        #expect(refusal("/tmp/" + String(repeating: "a", count: 100))?.contains("1 to 99 bytes") == true)
    }

    @Test(
        "the socket may be opened to others by hand, and still only root and the owner are served",
        .enabled(if: geteuid() == 0, "needs root")
    )
    func credentials() async throws {
        try await withDaemon { daemon in
            for (path, mode) in [(daemon.path, 0o666), (daemon.directory, 0o755)] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
            process.arguments = [
                "--reuid=65534", "--clear-groups", "curl", "-s", "--unix-socket", daemon.path,
                "http://culvert/v1/health",
            ]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            process.waitUntilExit()
            let answer = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            #expect(answer == "{\"error\":\"only root and the daemon's own user may ask\"}\n")
            #expect(try await daemon.items("services").count == 3)
        }
    }

    @Test("without a daemon the client says why")
    func unreachable() async throws {
        let client = ControlClient(path: "/nowhere/culvert.sock")
        await #expect(throws: ControlClientError.unreachable(errno: ENOENT)) {
            try await client.request("GET", "health") { _ in }
        }
    }
}
