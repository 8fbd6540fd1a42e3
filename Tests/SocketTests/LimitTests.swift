import Control
import Foundation
import Testing

/// What hostile clients send, and what becomes of them; the daemon answers everybody else all the while.
@Suite("Limits of the control socket")
struct LimitTests {
    /// Bytes that no client should send, and the status that they get.
    struct Hostile: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: String
        let status: Int

        init(_ name: String, _ bytes: String, _ status: Int) {
            testDescription = name
            self.bytes = bytes
            self.status = status
        }

        static let body = "Content-Length: "
        static let all = [
            Hostile("garbage", "\u{1}\u{2}\u{3} what is this\r\n\r\n", 400),
            Hostile("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\r\n\r\n", 400),
            Hostile("a version that is none", "GET /v1/health HTTP/9.9\r\nHost: x\r\n\r\n", 400),
            Hostile("spaces in the target", "GET /v1/a b c HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            Hostile("a large header", request("GET /v1/health", "X: " + String(repeating: "x", count: 100_000)), 431),
            Hostile(
                "many headers",
                request("GET /v1/health", String(repeating: "A: b\r\n", count: 5000) + "B: c"),
                431
            ),
            Hostile("a long path", request("GET /v1/" + String(repeating: "a", count: 100_000)), 431),
            Hostile("a body", request("GET /v1/health", body + "5") + "hello", 400),
            Hostile(
                "a body in chunks",
                request("DELETE /v1/conntrack?all=true", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n",
                400
            ),
            Hostile("a body that is too large", request("POST /v1/conntrack", body + "1048577"), 413),
            Hostile("a body beyond measure", request("POST /v1/conntrack", body + "9223372036854775808"), 400),
            Hostile("a negative body", request("POST /v1/conntrack", body + "-1"), 400),
            Hostile(
                "deep JSON",
                request("POST /v1/conntrack", body + "100000") + String(repeating: "[", count: 100_000),
                400
            ),
        ]
    }

    @Test("hostile requests get a status and a closed connection", arguments: Hostile.all)
    func hostile(_ hostile: Hostile) async throws {
        try await withDaemon { daemon in
            let client = try RawClient(daemon.path)
            client.send(hostile.bytes)
            let answer = try #require(await client.receive(), "the connection was not closed")
            #expect(answer.hasPrefix("HTTP/1.1 \(hostile.status) "), "\(answer.prefix(200))")
            #expect(answer.contains("{\"error\":\""))
            #expect(try await daemon.items("services").count == 3)
        }
    }

    @Test("random bytes end nothing", arguments: 0..<8)
    func random(seed: Int) async throws {
        try await withDaemon(idleSeconds: 1) { daemon in
            for _ in 0..<10 {
                let client = try RawClient(daemon.path, receiveSeconds: 60)
                client.send((0..<Int.random(in: 1...3000)).map { _ in UInt8.random(in: 0...255) })
                #expect(await client.receive() != nil, "the connection was not closed")
            }
            #expect(try await daemon.items("services").count == 3)
        }
    }

    @Test("a client that is silent, or slow with its header, is closed", arguments: ["", "GET /v1/heal"])
    func slow(start: String) async throws {
        try await withDaemon(idleSeconds: 1) { daemon in
            let client = try RawClient(daemon.path, receiveSeconds: 1)
            client.send(start)
            let began = ContinuousClock.now
            var isClosed = false
            while !isClosed && ContinuousClock.now - began < .seconds(90) {
                // A byte now and then does not help.
                isClosed = !client.send("a")
                if !isClosed { isClosed = await client.receive() != nil }
            }
            #expect(isClosed)
        }
    }

    @Test("a connection serves several requests, and several at once")
    func keepsAlive() async throws {
        try await withDaemon(after: TestTraffic.packets) { daemon in
            let client = try RawClient(daemon.path)
            let one = "GET /v1/health HTTP/1.1\r\nHost: culvert\r\n\r\n"
            client.send(one + one + request("GET /v1/conntrack"))
            let answer = try #require(await client.receive())
            #expect(answer.components(separatedBy: "HTTP/1.1 200 OK").count == 4)
            #expect(answer.hasSuffix("]}\n\r\n0\r\n\r\n"))
        }
    }

    @Test("64 clients are served, the 65th is told, and served when one has left")
    func clients() async throws {
        try await withDaemon { daemon in
            let one = "GET /v1/health HTTP/1.1\r\nHost: culvert\r\n\r\n"
            var clients: [RawClient] = []
            for _ in 0..<ControlServer.clientLimit {
                let client = try RawClient(daemon.path)
                client.send(one)
                let answer = await client.receive(enough: 20)
                #expect(answer?.hasPrefix("HTTP/1.1 200") == true)
                clients.append(client)
            }
            let excess = try RawClient(daemon.path)
            #expect(await excess.status(one) == "HTTP/1.1 503 Service Unavailable")
            #expect(await daemon.refusal("GET", "health") == .refused(status: 503, "too many clients"))
            clients.removeLast(2)
            // The daemon hears of it a moment later.
            var answer: ControlClientError?
            for _ in 0..<100 {
                answer = await daemon.refusal("GET", "health")
                if answer == nil { break }
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(answer == nil)
        }
    }

    @Test("clients that leave in the middle of a large answer, or never read it, hold nobody up")
    func leaving() async throws {
        try await withDaemon(after: TestTraffic.flows(20_000)) { daemon in
            var stuck: [RawClient] = []
            for number in 0..<20 {
                let client = try RawClient(daemon.path)
                client.send("GET /v1/conntrack HTTP/1.1\r\nHost: culvert\r\n\r\n")
                _ = await client.receive(enough: 5000)
                if number % 2 == 0 { stuck.append(client) }
            }
            #expect(try await daemon.items("conntrack").count == 20_000)
            #expect(stuck.count == 10)
        }
    }

    @Test("the daemon ends though clients have not read their answers", .timeLimit(.minutes(5)))
    func endsWithClients() async throws {
        let daemon = try TestDaemon(after: TestTraffic.flows(20_000))
        let client = try RawClient(daemon.path)
        client.send("GET /v1/conntrack HTTP/1.1\r\nHost: culvert\r\n\r\n")
        _ = await client.receive(enough: 5000)
        try await daemon.end()
        let rest = try #require(await client.receive())
        #expect(!rest.hasSuffix("0\r\n\r\n"))
        #expect(!FileManager.default.fileExists(atPath: daemon.path))
    }
}
