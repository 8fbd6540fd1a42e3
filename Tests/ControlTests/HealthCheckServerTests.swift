import Control
import Foundation
import Glibc
import Logging
import Services
import Testing
import Wire

/// A TCP connection to the loopback interface.
private final class Connection: Sendable {
    private let descriptor: Int32

    /// Nil where nobody listens.
    init?(_ port: UInt16) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard unsafe Self.call(connect, descriptor, port) == 0 else { return nil }
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        _ = unsafe text.withCString { unsafe Glibc.send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    }

    /// What comes until it is enough, the other side closes, or is silent for a while.
    ///
    /// Waits on a thread of its own: the server needs those of the tests.
    func read(until enough: @escaping @Sendable (String) -> Bool = { _ in false }) async -> String {
        await withCheckedContinuation { continuation in
            let thread = Thread { [self] in continuation.resume(returning: wait(until: enough)) }
            thread.start()
        }
    }

    private func wait(until enough: (String) -> Bool) -> String {
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var text = ""
        while !enough(text) {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = unsafe recv(descriptor, &bytes, 4096, 0)
            if count <= 0 { break }
            text += String(decoding: bytes.prefix(count), as: UTF8.self)
        }
        return text
    }

    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32,
        _ descriptor: Int32,
        _ port: UInt16
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7f00_0001).bigEndian)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe function(descriptor, $0, size) }
        }
    }

    /// A port that nobody uses now.
    static func freePort() -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        _ = unsafe call(bind, descriptor, 0)
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &size)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}

@Suite("Health check ports")
struct HealthCheckServerTests {
    private static func request(_ port: UInt16, _ line: String = "GET /healthz HTTP/1.1") async -> String? {
        // The listener opens and closes in its own time.
        for _ in 0..<50 {
            if let connection = Connection(port) {
                connection.send("\(line)\r\nHost: node\r\nConnection: close\r\n\r\n")
                return await connection.read()
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return nil
    }

    private static func fail(_ port: UInt16) { Issue.record("nobody listens at port \(port)") }

    private static func isClosed(_ port: UInt16) async -> Bool {
        for _ in 0..<100 {
            if Connection(port) == nil { return true }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return false
    }

    private static func running(_ body: (HealthCheckServer) async throws -> Void) async throws {
        let server = HealthCheckServer(addresses: [IPv4Address(127, 0, 0, 1)], logger: Logger(label: "test"))
        let task = Task { await server.run() }
        try await body(server)
        task.cancel()
        await task.value
    }

    @Test("status, header and body are those of kube-proxy")
    func answers() async throws {
        let (first, second) = (Connection.freePort(), Connection.freePort())
        try await Self.running { server in
            server.update([
                HealthCheck(namespace: "default", name: "web", port: first, localEndpoints: 3),
                HealthCheck(namespace: "other", name: "api", port: second, localEndpoints: 0),
            ])
            let good = try #require(await Self.request(first))
            #expect(good.hasPrefix("HTTP/1.1 200 OK\r\n"))
            let header = good.lowercased()
            #expect(header.contains("\r\ncontent-type: application/json\r\n"))
            #expect(header.contains("\r\nx-content-type-options: nosniff\r\n"))
            #expect(header.contains("\r\nx-load-balancing-endpoint-weight: 3\r\n"))
            let body =
                "{\n\t\"service\": {\n\t\t\"namespace\": \"default\",\n\t\t\"name\": \"web\"\n\t},\n"
                + "\t\"localEndpoints\": 3,\n\t\"serviceProxyHealthy\": true\n}"
            #expect(good.hasSuffix("\r\n\r\n\(body)"))
            #expect(header.contains("\r\ncontent-length: \(body.utf8.count)\r\n"))
            // Any path and method; HEAD without a body.
            #expect(await Self.request(first, "DELETE /anything?x=1 HTTP/1.1")?.hasSuffix(body) == true)
            let head = try #require(await Self.request(first, "HEAD / HTTP/1.1"))
            #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n") && head.hasSuffix("\r\n\r\n"))
            let bad = try #require(await Self.request(second))
            #expect(bad.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
            #expect(bad.lowercased().contains("\r\nx-load-balancing-endpoint-weight: 0\r\n"))
            #expect(bad.contains("\"localEndpoints\": 0,"))
        }
    }

    @Test("ports open, change and close with reloads, and all at the end")
    func reloads() async throws {
        let (first, second) = (Connection.freePort(), Connection.freePort())
        func check(_ port: UInt16, _ count: Int) -> HealthCheck {
            HealthCheck(namespace: "default", name: "web", port: port, localEndpoints: count)
        }
        try await Self.running { server in
            server.update([check(first, 1)])
            #expect(await Self.request(first)?.hasPrefix("HTTP/1.1 200") == true)
            server.update([check(first, 0)])
            var answer: String?
            for _ in 0..<50 where answer?.hasPrefix("HTTP/1.1 503") != true { answer = await Self.request(first) }
            #expect(answer?.hasPrefix("HTTP/1.1 503") == true)
            // A connection that is kept open ends with its port.
            guard let kept = Connection(first) else { return Self.fail(first) }
            kept.send("GET / HTTP/1.1\r\nHost: node\r\n\r\n")
            #expect(await kept.read { $0.hasSuffix("}") }.hasPrefix("HTTP/1.1 503"))
            server.update([check(second, 1)])
            #expect(await Self.request(second)?.hasPrefix("HTTP/1.1 200") == true)
            #expect(await Self.isClosed(first))
            kept.send("GET / HTTP/1.1\r\nHost: node\r\n\r\n")
            let late = await kept.read()
            #expect(!late.contains("200 OK"))
        }
        #expect(await Self.isClosed(second))
    }

    @Test("a port that is taken costs that port only, until it is free")
    func taken() async throws {
        let (first, second) = (Connection.freePort(), Connection.freePort())
        try await Self.running { other in
            other.update([HealthCheck(namespace: "a", name: "other", port: first, localEndpoints: 1)])
            #expect(await Self.request(first)?.contains("\"other\"") == true)
            try await Self.running { server in
                let checks = [first, second].map {
                    HealthCheck(namespace: "a", name: "web", port: $0, localEndpoints: 1)
                }
                server.update(checks)
                #expect(await Self.request(second)?.contains("\"web\"") == true)
                #expect(await Self.request(first)?.contains("\"other\"") == true)
                other.update([])
                #expect(await Self.isClosed(first))
                server.update(checks)
                #expect(await Self.request(first)?.contains("\"web\"") == true)
            }
        }
    }

    @Test("bodies, long headers and noise are refused")
    func limits() async throws {
        let port = Connection.freePort()
        try await Self.running { server in
            server.update([HealthCheck(namespace: "default", name: "web", port: port, localEndpoints: 1)])
            #expect(await Self.request(port) != nil)
            for (text, status) in [
                ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n", "413"),
                ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
                ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 20000))\r\n\r\n", "431"),
                ("\u{1}\u{2}\u{3}\r\n\r\n", "400"),
            ] {
                guard let connection = Connection(port) else { return Self.fail(port) }
                connection.send(text)
                #expect(await connection.read().hasPrefix("HTTP/1.1 \(status) "), "\(text.prefix(40))")
            }
            #expect(await Self.request(port)?.hasPrefix("HTTP/1.1 200") == true)
        }
    }
}
