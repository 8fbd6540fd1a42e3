import TestSupport
import Testing
import Wire

/// What the validation of an IPv4 header says of some bytes; nil when it accepts them.
private func defect(_ bytes: [UInt8], wireLength: Int? = nil) -> Malformed? {
    var copy = bytes
    return withMutableBytes(of: &copy) { span -> Malformed? in
        do throws(Malformed) {
            _ = try IPv4Packet(
                validating: span._mutatingExtracting(0..<span.byteCount),
                wireLength: wireLength ?? bytes.count
            )
            return nil
        } catch {
            return error
        }
    }
}

@Suite("IPv4 headers")
struct IPv4PacketTests {
    /// A header with a different value in each field: options, both flags, an offset.
    private static let sample: [UInt8] = [
        0x46, 0xb8, 0x00, 0x1d, 0x12, 0x34, 0x60, 0x03, 0x3f, 0x11, 0xab, 0xcd, 10, 1, 2, 3, 192, 0, 2, 4,
        0x94, 0x04, 0x00, 0x00, 1, 2, 3, 4, 5,
    ]

    @Test("every field is read from its place")
    func deconstruct() throws {
        var bytes = Self.sample
        try withMutableBytes(of: &bytes) { span throws(Malformed) in
            var packet = try IPv4Packet(validating: span._mutatingExtracting(0..<span.byteCount), wireLength: 29)
            #expect(packet.headerLength == 24)
            #expect(packet.totalLength == 29)
            #expect(packet.identification == 0x1234)
            #expect(packet.flagsAndOffset == 0x6003)
            #expect(packet.timeToLive == 63)
            #expect(packet.transport == .udp)
            #expect(packet.checksum == 0xabcd)
            #expect(packet.source == IPv4Address(10, 1, 2, 3))
            #expect(packet.destination == IPv4Address(192, 0, 2, 4))
            let payload = packet.payload()
            let (count, first, last) = (payload.byteCount, payload.load8(0), payload.load8(4))
            #expect(count == 5 && first == 1 && last == 5)
        }
    }

    @Test("setters write their field, in network order, and nothing else")
    func construct() throws {
        var bytes = [UInt8](repeating: 0xa5, count: 32)
        bytes[0] = 0x45
        bytes[2] = 0
        bytes[3] = 32
        try withMutableBytes(of: &bytes) { span throws(Malformed) in
            var packet = try IPv4Packet(validating: span._mutatingExtracting(0..<span.byteCount), wireLength: 32)
            packet.timeToLive = 7
            packet.checksum = 0x0102
            packet.source = IPv4Address(1, 2, 3, 4)
            packet.destination = IPv4Address(5, 6, 7, 8)
        }
        let head: [UInt8] = [0x45, 0xa5, 0, 32, 0xa5, 0xa5, 0xa5, 0xa5, 7, 0xa5, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8]
        #expect(bytes == head + [UInt8](repeating: 0xa5, count: 12))
    }

    @Test("a header that is cut anywhere is short", arguments: 0..<24)
    func truncated(length: Int) {
        #expect(defect(Array(Self.sample[0..<length]), wireLength: 29) == .shortIP)
    }

    @Test("a capture may cut what stands behind the header", arguments: 24..<29)
    func snaplen(length: Int) {
        #expect(defect(Array(Self.sample[0..<length]), wireLength: 29) == nil)
        #expect(defect(Array(Self.sample[0..<length])) == .totalLength)
    }

    @Test("only version 4 is accepted", arguments: UInt8(0)..<16)
    func version(version: UInt8) {
        var bytes = Self.sample
        bytes[0] = version << 4 | 6
        #expect(defect(bytes) == (version == 4 ? nil : .version))
    }

    @Test("the header length must cover the fixed header and lie within the bytes", arguments: UInt8(0)..<16)
    func headerLength(words: UInt8) {
        var bytes = Self.sample
        bytes[0] = 0x40 | words
        let expected: Malformed? = words < 5 || words > 7 ? .headerLength : nil
        #expect(defect(bytes) == expected)
    }

    @Test("the total length lies between the header and what was on the wire")
    func totalLength() {
        for total in 0...40 {
            var bytes = Self.sample
            bytes[3] = UInt8(total)
            #expect(defect(bytes) == ((24...29).contains(total) ? nil : .totalLength), "total length \(total)")
        }
        var huge = Self.sample
        huge[2] = 0xff
        huge[3] = 0xff
        #expect(defect(huge) == .totalLength)
    }

    @Test("the payload ends with the packet, not with the padding behind it")
    func padding() throws {
        var bytes = Self.sample + [9, 9, 9]
        let length = try withMutableBytes(of: &bytes) { span throws(Malformed) in
            var packet = try IPv4Packet(validating: span._mutatingExtracting(0..<span.byteCount), wireLength: 32)
            return packet.payload().byteCount
        }
        #expect(length == 5)
    }

    @Test("the header checksum is judged with and without options", arguments: [0, 4, 12, 40])
    func checksum(options: Int) throws {
        var builder = PacketBuilder(from: IPv4Address(10, 0, 0, 1), to: IPv4Address(10, 0, 0, 2))
        builder.options = [UInt8](repeating: 1, count: options)
        var bytes = builder.udp(1, 2, payload: [1, 2, 3])
        #expect(try isChecksumValid(&bytes))
        for place in 1..<20 + options where place != 2 && place != 3 {
            bytes[place] ^= 0x10
            #expect(try !isChecksumValid(&bytes), "byte \(place)")
            bytes[place] ^= 0x10
        }
    }

    private func isChecksumValid(_ bytes: inout [UInt8]) throws(Malformed) -> Bool {
        let count = bytes.count
        return try withMutableBytes(of: &bytes) { span throws(Malformed) in
            let packet = try IPv4Packet(validating: span._mutatingExtracting(0..<count), wireLength: count)
            return packet.isChecksumValid
        }
    }

    @Test("the fragment field falls into flags and offset")
    func fragmentField() {
        for bits in stride(from: 0, through: 0xffff, by: 7) {
            let field = FragmentField(bits: UInt16(bits))
            #expect(field.doNotFragment == (bits / 0x4000 % 2 == 1))
            #expect(field.moreFragments == (bits / 0x2000 % 2 == 1))
            #expect(field.offset == bits % 0x2000 * 8)
            #expect(field.isFragment == (field.moreFragments || field.offset > 0))
        }
    }
}

@Suite("IPv4 options")
struct IPv4OptionsTests {
    /// What a walk over options says: "harmless", "source route", or the defect.
    private func walk(_ options: [UInt8]) -> String {
        var bytes = [UInt8](repeating: 0xa5, count: 20) + options
        return withMutableBytes(of: &bytes) { span -> String in
            do throws(Malformed) {
                switch try IPv4Options.walk(span.bytes, headerLength: 20 + options.count) {
                case .harmless: return "harmless"
                case .sourceRoute: return "source route"
                }
            } catch {
                return error == .option ? "defect" : "other"
            }
        }
    }

    @Test(
        "legal options are walked past, whatever they are",
        arguments: [
            [], [1, 1, 1, 1], [0, 0, 0, 0], [0, 131, 0xff, 0xff], [148, 4, 0, 0], [7, 7, 4, 0, 0, 0, 0, 0],
            [68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 148, 4, 0, 0, 1, 1, 1], [200, 2, 1, 1],
            [7, 39, 4] + [UInt8](repeating: 0, count: 36) + [0],
        ]
    )
    func legal(options: [UInt8]) { #expect(walk(options) == "harmless") }

    @Test("source routes are found, also behind others", arguments: [UInt8(131), 137])
    func sourceRoute(type: UInt8) {
        #expect(walk([type, 7, 4, 10, 0, 0, 1, 0]) == "source route")
        #expect(walk([1, 148, 4, 0, 0, type, 3, 4]) == "source route")
        #expect(walk([type, 3, 4, 148, 0, 0, 0, 0]) == "defect")
    }

    @Test(
        "impossible lengths are defects",
        arguments: [
            [148, 0, 0, 0], [148, 1, 0, 0], [148, 5, 0, 0], [148, 255, 0, 0], [1, 1, 1, 148], [1, 1, 148, 3],
            [131, 0, 0, 0], [131, 5, 4, 0],
        ]
    )
    func badLength(options: [UInt8]) { #expect(walk(options) == "defect") }

    @Test("any options at all give an answer and never read past the header", arguments: 0..<20)
    func hostile(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<500 {
            let count = generator.pick(0..<11) * 4
            var options = generator.bytes(count)
            if generator.chance(50) { options = options.map { $0 % 9 == 0 ? 131 : $0 % 8 } }
            #expect(walk(options) == expectedWalk(options), "\(options)")
        }
    }

    /// The same walk as prose: cut off options one at a time.
    private func expectedWalk(_ options: [UInt8]) -> String {
        var rest = options[...]
        var found = "harmless"
        while let type = rest.first, type != 0 {
            if type == 1 {
                rest = rest.dropFirst()
                continue
            }
            guard rest.count >= 2, let length = rest.dropFirst().first, length >= 2, Int(length) <= rest.count else {
                return "defect"
            }
            if type == 131 || type == 137 { found = "source route" }
            rest = rest.dropFirst(Int(length))
        }
        return found
    }
}
