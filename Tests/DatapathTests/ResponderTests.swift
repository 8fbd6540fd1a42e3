import Datapath
import TestSupport
import Testing
import Wire

@Suite("Answers of the cluster's DNS")
struct ResponderTests {
    private static let table = NameFixture.table()
    private static let web = NameFixture.web

    @Test("each name and type has its answer", arguments: NameFixture.rows.indices)
    func table(index: Int) throws {
        let row = NameFixture.rows[index]
        for size in [nil, 1232] as [UInt16?] {
            let response = try #require(Self.table.ask(DNSQuestion(row.name, row.type, payloadSize: size)))
            #expect(response.summary == row.summary)
            #expect(response.question == "\(row.name.isEmpty ? "." : row.name) \(row.type.rawValue)")
            #expect(response.identifier == 0x1d64 && response.isResponse && !response.offersRecursion)
            #expect(response.flags & 0x0100 == 0x0100 && response.flags & 0x7800 == 0)
            #expect(response.isAuthoritative == (row.summary != "REFUSED") && !response.isTruncated)
            #expect((response.payloadSize != nil) == (size != nil) && response.rest == 0)
        }
    }

    @Test("SRV records of endpoints come with their addresses")
    func targets() throws {
        let response = try #require(Self.table.ask(DNSQuestion("_pg._tcp.db.default.svc.cluster.local", .service)))
        #expect(
            response.answers
                == (0..<3).map {
                    "_pg._tcp.db.default.svc.cluster.local SRV 0 33 5432 db-\($0).db.default.svc.cluster.local"
                }
        )
        #expect(response.additionals == (0..<3).map { "db-\($0).db.default.svc.cluster.local A 10.244.1.\($0)" })
        // The addresses are left out first, and nothing is said of it.
        let short = try #require(
            Self.table.ask(DNSQuestion("_pg._tcp.db.default.svc.cluster.local", .service), limit: 260)
        )
        #expect(short.answers.count == 3 && short.additionals.count < 3 && !short.isTruncated)
    }

    @Test("a circle of aliases ends")
    func circle() throws {
        let response = try #require(Self.table.ask(DNSQuestion("a.default.svc.cluster.local"), .stream))
        #expect(response.answers.count == 8 && response.code == 0)
    }

    @Test("what does not fit is cut with TC: 512 bytes, what EDNS says, the limit of the way, 64 KiB over TCP")
    func truncation() throws {
        func answer(_ size: UInt16?, _ transport: NameTransport = .datagram, limit: Int = 65535) throws -> (Int, Bool) {
            let question = DNSQuestion("many.default.svc.cluster.local", payloadSize: size)
            let bytes = try #require(Self.table.response(to: question.bytes, transport, limit: limit))
            let found = try #require(DNSDissection(bytes))
            #expect(bytes.count <= (transport == .stream ? limit : min(limit, Int(max(size ?? 512, 512)))))
            #expect(found.rest == 0)
            return (found.answers.count, found.isTruncated)
        }
        // 48 bytes of header and question, 16 of each record, 11 of OPT.
        #expect(try answer(nil) == (29, true))
        #expect(try answer(0) == (28, true))
        #expect(try answer(1232) == (73, true))
        #expect(try answer(65535, limit: 1472) == (88, true))
        #expect(try answer(nil, .stream) == (4092, true))
        let small = try #require(Self.table.ask(DNSQuestion(Self.web), limit: 50))
        #expect(small.answers.isEmpty && small.isTruncated && small.question != nil)
        let bare = try #require(Self.table.ask(DNSQuestion(Self.web), limit: 12))
        #expect(bare.question == nil && bare.isTruncated)
    }

    @Test("what cannot be answered gets a code, or nothing")
    func refusals() throws {
        func response(_ change: (inout DNSQuestion) -> Void) -> DNSDissection? {
            var question = DNSQuestion(Self.web, payloadSize: 512)
            change(&question)
            return Self.table.ask(question)
        }
        #expect(response { $0.flags = 0x8180 } == nil)
        #expect(Self.table.response(to: [UInt8](repeating: 0, count: 11), .datagram, limit: 512) == nil)
        #expect(response { $0.questions = 2 }?.summary == "FORMERR")
        #expect(response { $0.flags = 4 << 11 }?.summary == "NOTIMP")
        #expect(response { $0.flags = 4 << 11 }?.flags == 0xa004)
        #expect(response { $0.recordClass = 3 }?.summary == "REFUSED")
        #expect(response { $0.recordClass = 255 }?.summary == "REFUSED")
        #expect(response { $0.version = 1 }?.summary == "BADVERS")
        #expect(response { $0.version = 1 }?.payloadSize == 1232)
        #expect(NameTable.empty.ask(DNSQuestion(Self.web))?.summary == "REFUSED")
    }

    @Test("10,000 random messages get at most one answer each, which is whole", arguments: 0..<10)
    func randomMessages(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<1000 {
            var message = DNSQuestion(
                generator.pick(NameFixture.rows).name,
                DNSRecordType(rawValue: UInt16(generator.pick(0..<260))),
                payloadSize: generator.chance(50) ? UInt16(generator.pick(0..<4096)) : nil
            ).bytes
            for _ in 0..<generator.pick(0..<6) { message[generator.pick(0..<message.count)] = generator.bytes(1)[0] }
            if generator.chance(20) { message = Array(message.prefix(generator.pick(0..<message.count))) }
            if generator.chance(20) { message = generator.bytes(generator.pick(0..<100)) }
            let limit = generator.pick([12, 40, 100, 300, 512, 1472])
            let transport: NameTransport = generator.chance(50) ? .datagram : .stream
            guard let bytes = Self.table.response(to: message, transport, limit: limit) else {
                #expect(message.count < 12 || message[2] & 0x80 != 0)
                continue
            }
            #expect(bytes.count <= limit)
            let response = DNSDissection(bytes)
            #expect(response?.isResponse ?? false, "\(message) -> \(bytes)")
            #expect(response?.rest == 0)
            #expect(Array(bytes.prefix(2)) == Array(message.prefix(2)))
        }
    }

    @Test("names beyond 255 bytes and labels beyond 63 are not made")
    func builderLimits() {
        var builder = NameTableBuilder(seed: 1)
        let label = String(repeating: "a", count: 63)
        #expect(builder.path(label + "a") == nil && builder.path("a..b") == nil && builder.path("") == nil)
        #expect(builder.path([label, label, label, String(label.dropLast(2))].joined(separator: ".")) != nil)
        #expect(builder.path([label, label, label, String(label.dropLast())].joined(separator: ".")) == nil)
    }
}
