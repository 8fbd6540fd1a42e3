import Datapath
import Foundation
import Glibc
import Names
import TestSupport
import Testing
import Wire

/// A client of the server, with plain blocking sockets.
private final class Client: Sendable {
    let descriptor: Int32

    init(_ type: __socket_type, port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        // Safe: a sockaddr_in is what AF_INET sockets take for a sockaddr.
        let result = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe connect(
                descriptor,
                bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(bytes.count)
            )
        }
        try #require(result == 0)
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) { _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

    /// At most `count` bytes; nil at the end or after a fault.
    func receive(_ count: Int = 65536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = unsafe recv(descriptor, &bytes, count, 0)
        return got > 0 ? Array(bytes.prefix(got)) : nil
    }

    /// The next message of a TCP connection.
    func message() -> DNSDissection? {
        guard let length = exactly(2), let bytes = exactly(Int(length[0]) << 8 | Int(length[1])) else { return nil }
        return DNSDissection(bytes)
    }

    func exactly(_ count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let more = receive(count - bytes.count) else { return nil }
            bytes += more
        }
        return bytes
    }
}

@Suite("The DNS server of the daemon")
struct NameServerTests {
    private static let name = "web.default.svc.cluster.local"

    private func framed(_ question: DNSQuestion = DNSQuestion(name)) -> [UInt8] {
        let bytes = question.bytes
        return [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
    }

    private func numbered(_ identifier: UInt16, _ name: String = name) -> DNSQuestion {
        var question = DNSQuestion(name)
        question.identifier = identifier
        return question
    }

    private func withServer(
        _ limits: NameServerLimits = NameServerLimits(),
        _ body: (NameServer, NameSource) throws -> Void
    ) async throws {
        let source = NameSource(try compile(testManifests))
        let server = try Self.start(source, limits)
        let result = Result { try body(server, source) }
        await server.close()
        try result.get()
    }

    private static func start(_ source: NameSource, _ limits: NameServerLimits) throws -> NameServer {
        try NameServer(IPv4Address(127, 0, 0, 1), port: 0, source: source, limits: limits)
    }

    @Test("UDP and TCP give the answer, and after a reload the new one")
    func answers() async throws {
        try await withServer { server, source in
            let datagrams = try Client(SOCK_DGRAM, port: server.datagramPort)
            let stream = try Client(SOCK_STREAM, port: server.streamPort)
            let expected = "NOERROR ; \(Self.name) A 10.96.0.10"
            datagrams.send(DNSQuestion(Self.name).bytes)
            #expect(datagrams.receive().flatMap { DNSDissection($0) }?.summary == expected)
            stream.send(framed())
            #expect(stream.message()?.summary == expected)
            source.replace(.empty)
            stream.send(framed())
            #expect(stream.message()?.summary == "REFUSED")
            // What is no query gets nothing; the next one is answered.
            datagrams.send([1, 2, 3])
            datagrams.send(DNSQuestion(Self.name).bytes)
            #expect(datagrams.receive().flatMap { DNSDissection($0) }?.summary == "REFUSED")
        }
    }

    @Test("several queries on one connection are answered in their order, however they are cut")
    func pipelining() async throws {
        try await withServer { server, _ in
            let stream = try Client(SOCK_STREAM, port: server.streamPort)
            let queries = (1...50).flatMap { framed(numbered($0)) }
            for byte in queries.prefix(60) { stream.send([byte]) }
            stream.send(Array(queries.dropFirst(60)))
            for identifier in UInt16(1)...50 { #expect(stream.message()?.identifier == identifier) }
        }
    }

    @Test("a message that is no query ends the connection; a bad query does not")
    func noQuery() async throws {
        try await withServer { server, _ in
            let stream = try Client(SOCK_STREAM, port: server.streamPort)
            var question = DNSQuestion(Self.name)
            question.questions = 7
            stream.send(framed(question))
            #expect(stream.message()?.summary == "FORMERR")
            question.flags = 0x8000
            stream.send(framed(question))
            #expect(stream.message() == nil)
            let empty = try Client(SOCK_STREAM, port: server.streamPort)
            empty.send([0, 0])
            #expect(empty.message() == nil)
        }
    }

    @Test("a connection without a whole query ends when its time is over, though bytes come")
    func idle() async throws {
        var limits = NameServerLimits()
        limits.idleMilliseconds = 300
        try await withServer(limits) { server, _ in
            let stream = try Client(SOCK_STREAM, port: server.streamPort)
            let silent = try Client(SOCK_STREAM, port: server.streamPort)
            let begin = ContinuousClock.now
            for byte in framed().prefix(5) {
                stream.send([byte])
                usleep(50_000)
            }
            #expect(stream.receive() == nil && silent.receive() == nil)
            #expect(ContinuousClock.now - begin < .seconds(9))
        }
    }

    @Test("connections beyond the limit of a client, and beyond that of all, are closed at once; others go on")
    func connectionLimits() async throws {
        var limits = NameServerLimits()
        limits.connectionsPerClient = 3
        try await withServer(limits) { server, _ in
            var clients = try (0..<3).map { _ in try Client(SOCK_STREAM, port: server.streamPort) }
            for client in clients {
                client.send(framed())
                #expect(client.message() != nil)
            }
            let refused = try Client(SOCK_STREAM, port: server.streamPort)
            #expect(refused.receive() == nil)
            clients[0].send(framed())
            #expect(clients[0].message() != nil)
            // Room again.
            clients.removeLast()
            var isServed = false
            for _ in 0..<100 where !isServed {
                let next = try Client(SOCK_STREAM, port: server.streamPort)
                next.send(framed())
                isServed = next.message() != nil
                if !isServed { usleep(10_000) }
            }
            #expect(isServed)
        }
    }

    @Test("a client that does not read its answers gets all of them later, and none is lost")
    func slowReader() async throws {
        try await withServer { server, _ in
            let stream = try Client(SOCK_STREAM, port: server.streamPort)
            let count = 20_000
            let sender = Thread {
                for start in stride(from: 0, to: count, by: 100) {
                    stream.send((start..<start + 100).flatMap { framed(numbered(UInt16($0))) })
                }
            }
            sender.start()
            usleep(300_000)
            for number in 0..<count {
                guard stream.message()?.identifier == UInt16(number) else {
                    Issue.record("answer \(number)")
                    return
                }
            }
        }
    }

    @Test("random streams do not end the server", arguments: 0..<5)
    func randomStreams(seed: Int) async throws {
        try await withServer { server, _ in
            var generator = TestGenerator(seed: seed)
            for _ in 0..<20 {
                let stream = try Client(SOCK_STREAM, port: server.streamPort)
                stream.send(generator.bytes(generator.pick(1..<2000)))
            }
            let last = try Client(SOCK_STREAM, port: server.streamPort)
            last.send(framed())
            #expect(last.message()?.code == 0)
        }
    }

    @Test("a port in use is an error with its reason")
    func portInUse() async throws {
        try await withServer { server, source in
            #expect(throws: NameServerError.self) {
                try NameServer(IPv4Address(127, 0, 0, 1), port: server.streamPort, source: source)
            }
        }
    }
}
