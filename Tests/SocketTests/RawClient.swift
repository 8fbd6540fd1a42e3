import Foundation
import Glibc

/// A client that sends what it likes, byte by byte, and keeps no rule.
final class RawClient: Sendable {
    let descriptor: Int32

    init(_ path: String, receiveSeconds: Int = 60) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // Safe: paths of the tests are shorter than the field, which is zero behind them.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            for (index, byte) in path.utf8.enumerated() { unsafe bytes[index] = byte }
        }
        // Safe: a `sockaddr_un` is a `sockaddr` of the size given.
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Unexpected(description: "connect: errno \(errno)") }
        var timeout = timeval(tv_sec: receiveSeconds, tv_usec: 0)
        // Safe: the kernel reads one `timeval`.
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// Sends bytes; whether the other side took them.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        // Safe: the array lives for the call.
        unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// What comes until the other side closes, `enough` bytes are there, or time is up; nil for a time that is up.
    ///
    /// On a thread of its own: the daemon under test shares the threads of tasks, and must go on.
    func receive(enough: Int = .max) async -> String? {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in continuation.resume(returning: read(enough)) }
        }
    }

    private func read(_ enough: Int) -> String? {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while all.count < enough {
            // Safe: the kernel writes at most as many bytes as the array has.
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) { return nil }
            if count <= 0 { break }
            all += buffer[..<count]
        }
        return String(decoding: all, as: UTF8.self)
    }

    /// Sends a request and gives the answer's first line.
    func status(_ request: String) async -> String {
        send(request)
        return await receive()?.split(separator: "\r\n", maxSplits: 1).first.map(String.init) ?? "nothing"
    }
}

/// A request that asks for the connection to be closed behind its answer.
func request(_ line: String, _ headers: String...) -> String {
    ([line + " HTTP/1.1", "Host: culvert", "Connection: close"] + headers + ["", ""]).joined(separator: "\r\n")
}
