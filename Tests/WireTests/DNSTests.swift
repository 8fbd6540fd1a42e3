import TestSupport
import Testing
import Wire

@Suite("DNS messages")
struct DNSTests {
    private func name(_ bytes: [UInt8], at offset: Int = 12) -> (labels: Int, length: Int, end: Int)? {
        withBytes(of: bytes) { message in
            DNSName(message, at: offset).map { (labels: $0.labelCount, length: $0.length, end: $0.end) }
        }
    }

    private let header = [UInt8](repeating: 0, count: 12)

    @Test("a name has its labels, its length, and an end")
    func plainName() {
        let found = name(header + DNSQuestion.encode("web.default.svc") + [1])
        #expect(found?.labels == 3 && found?.length == 17 && found?.end == 29)
        let root = name(header + [0])
        #expect(root?.labels == 0 && root?.length == 1 && root?.end == 13)
    }

    @Test("a pointer leads to what stands before it, and the name ends behind the first one")
    func compression() {
        // svc at 12, default.svc at 17, web.default.svc at 27.
        let bytes =
            header + DNSQuestion.encode("svc") + [7] + Array("default".utf8) + [0xc0, 12] + [3] + Array("web".utf8)
            + [0xc0, 17, 99]
        let found = name(bytes, at: 27)
        #expect(found?.labels == 3 && found?.length == 17 && found?.end == 33)
    }

    @Test(
        "what is no name is refused",
        arguments: [
            [], [3], [3, 97], [0x40, 97, 0], [0x80, 97, 0], [0xc0], [0xc0, 12], [0xc0, 13], [0xc0, 0], [0xc0, 11],
            [0xff, 0xff], [1, 97, 0xc0, 12], [1, 97, 0xc0, 14], [0xc0, 14, 0xc0, 12],
        ] as [[UInt8]]
    )
    func malformedName(_ bytes: [UInt8]) {
        #expect(name(header + bytes) == nil)
    }

    @Test("255 bytes are a name, 256 are none; so are 17 pointers")
    func limits() {
        let long = (0..<3).flatMap { _ in [63] + [UInt8](repeating: 97, count: 63) }
        #expect(name(header + long + [61] + [UInt8](repeating: 97, count: 61) + [0])?.length == 255)
        #expect(name(header + long + [62] + [UInt8](repeating: 97, count: 62) + [0]) == nil)
        #expect(name(header + (0..<127).flatMap { _ in [1, 97] as [UInt8] } + [0])?.labels == 127)
        #expect(name(header + (0..<128).flatMap { _ in [1, 97] as [UInt8] } + [0]) == nil)
        var chain = header + [0]
        for _ in 0..<20 { chain += [0xc0, chain.count == 13 ? 12 : UInt8(chain.count - 2)] }
        #expect(name(chain, at: 13 + 15 * 2)?.labels == 0)
        #expect(name(chain, at: 13 + 16 * 2) == nil)
    }

    @Test("labels are compared and hashed in lower case; other bytes stay")
    func labels() {
        let bytes: [UInt8] = [6] + Array("WEB-[1".utf8)
        let (first, count, letters) = withBytes(of: bytes) { message -> (UInt64, Int, [UInt8]) in
            let label = DNSLabel(message, at: 0)
            return (label.word(0), label.count, (0...label.count).map { label.byte($0) })
        }
        #expect(first == DNSLabel("web-[1")?.word(0))
        #expect(count == 6)
        #expect(letters == [6] + Array("web-[1".utf8))
        #expect(DNSLabel("") == nil && DNSLabel(String(repeating: "a", count: 64)) == nil)
        #expect(DNSLabel(String(repeating: "a", count: 63))?.wordCount == 8)
        #expect(DNSLabel("1234567")?.wordCount == 1 && DNSLabel("12345678")?.wordCount == 2)
    }

    private func query(_ bytes: [UInt8]) -> Result<DNSQuery, DNSQuery.Refusal> {
        withBytes(of: bytes) { message in DNSQuery.read(message) }
    }

    @Test("a query has its question, and what EDNS says")
    func wholeQuery() throws {
        let plain = try query(DNSQuestion("web.default", .service).bytes).get()
        #expect(plain.type == .service && plain.recordClass == 1 && plain.questionEnd == 29)
        #expect(plain.extensions == nil)
        let extended = try query(DNSQuestion("web.default", payloadSize: 4096).bytes).get()
        #expect(extended.extensions?.payloadSize == 4096 && extended.extensions?.version == 0)
    }

    @Test("what is no query is refused as such")
    func refusals() {
        let whole = DNSQuestion("web.default").bytes
        func changed(_ change: (inout DNSQuestion) -> Void) -> [UInt8] {
            var question = DNSQuestion("web.default", payloadSize: 512)
            change(&question)
            return question.bytes
        }
        func refusal(_ bytes: [UInt8]) -> DNSQuery.Refusal? {
            if case .failure(let refusal) = query(bytes) { refusal } else { nil }
        }
        for count in 0..<12 { #expect(refusal(Array(whole.prefix(count))) == .noQuery) }
        for count in 12..<whole.count { #expect(refusal(Array(whole.prefix(count))) == .code(.formatError)) }
        #expect(refusal(changed { $0.flags = 0x8180 }) == .noQuery)
        for opcode in UInt16(1)...15 {
            #expect(refusal(changed { $0.flags = opcode << 11 }) == .code(.notImplemented))
        }
        for count in [0, 2, 255, 65535] as [UInt16] {
            #expect(refusal(changed { $0.questions = count }) == .code(.formatError))
        }
        let extended = changed { _ in }
        for count in whole.count..<extended.count {
            #expect(refusal(Array(extended.prefix(count))) == .code(.formatError))
        }
        // Two OPT records; one whose name is not the root; data beyond the end.
        var twice = extended + extended.suffix(11)
        twice[11] = 2
        #expect(refusal(twice) == .code(.formatError))
        let named = whole.prefix(11) + [1] + whole.dropFirst(12) + [1, 97] + extended.suffix(11)
        #expect(refusal(Array(named)) == .code(.formatError))
        #expect(refusal(extended.dropLast(2) + [0xff, 0xff]) == .code(.formatError))
    }

    @Test("what does not fit is not written, and the writer says so until it goes back")
    func writer() {
        var bytes = [UInt8](repeating: 0xa5, count: 8)
        var writer = DNSWriter(at: 1, limit: 6)
        withMutableBytes(of: &bytes) { message in
            writer.append(UInt32(0x0102_0304), to: &message)
            writer.append(UInt16(0x0506), to: &message)
            writer.append(UInt8(7), to: &message)
        }
        #expect(writer.isFull && writer.at == 5)
        #expect(bytes == [0xa5, 1, 2, 3, 4, 0xa5, 0xa5, 0xa5])
        writer.rewind(to: 4)
        withMutableBytes(of: &bytes) { writer.append(pointer: 12, to: &$0) }
        #expect(!writer.isFull && bytes == [0xa5, 1, 2, 3, 0xc0, 12, 0xa5, 0xa5])
    }

    @Test("random bytes are read without a trap, whatever they are", arguments: 0..<20)
    func randomBytes(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<1000 {
            var bytes = generator.bytes(generator.pick(0..<80))
            // Pointers, mostly.
            if generator.chance(50) { bytes = bytes.map { generator.chance(40) ? 0xc0 : $0 & 63 } }
            let start = generator.pick(-1..<90)
            if let found = name(bytes, at: start) {
                #expect(found.length <= 255 && found.end <= bytes.count && found.end > start)
            }
            _ = query(bytes)
        }
    }
}
