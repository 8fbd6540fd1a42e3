import TestSupport
import Testing
import Wire

/// What the validation of a transport header says; nil when it accepts the bytes.
private func defect(_ bytes: [UInt8], wireLength: Int? = nil, _ transport: TransportProtocol) -> Malformed? {
    var copy = bytes
    let wire = wireLength ?? bytes.count
    return withMutableBytes(of: &copy) { span -> Malformed? in
        let view = span._mutatingExtracting(0..<span.byteCount)
        do throws(Malformed) {
            switch transport {
            case .tcp: _ = try TCPSegment(validating: view, wireLength: wire)
            case .udp: _ = try UDPDatagram(validating: view, wireLength: wire)
            default: _ = try ICMPv4Message(validating: view)
            }
            return nil
        } catch {
            return error
        }
    }
}

@Suite("TCP headers")
struct TCPSegmentTests {
    private static let sample: [UInt8] = [
        0x9c, 0x40, 0x00, 0x50, 1, 2, 3, 4, 5, 6, 7, 8, 0x60, 0x12, 0xfa, 0xf0, 0xbe, 0xef, 0x00, 0x07, 2, 4, 5, 0xb4,
    ]

    @Test("every field is read from its place")
    func deconstruct() throws {
        var bytes = Self.sample
        try withMutableBytes(of: &bytes) { span throws(Malformed) in
            let segment = try TCPSegment(validating: span._mutatingExtracting(0..<24), wireLength: 24)
            #expect(segment.sourcePort == 40000)
            #expect(segment.destinationPort == 80)
            #expect(segment.sequence == 0x0102_0304)
            #expect(segment.acknowledgment == 0x0506_0708)
            #expect(segment.headerLength == 24)
            #expect(segment.flags == [.syn, .ack])
            #expect(segment.window == 64240)
            #expect(segment.checksum == 0xbeef)
        }
    }

    @Test("setters write their field and nothing else")
    func construct() throws {
        var bytes = [UInt8](repeating: 0xa5, count: 24)
        bytes[12] = 0x50
        try withMutableBytes(of: &bytes) { span throws(Malformed) in
            var segment = try TCPSegment(validating: span._mutatingExtracting(0..<24), wireLength: 24)
            segment.sourcePort = 0x0102
            segment.destinationPort = 0x0304
            segment.checksum = 0x0506
        }
        var expected = [UInt8](repeating: 0xa5, count: 24)
        expected.replaceSubrange(0..<4, with: [1, 2, 3, 4])
        expected[12] = 0x50
        expected.replaceSubrange(16..<18, with: [5, 6])
        #expect(bytes == expected)
    }

    @Test("a fixed header that is cut anywhere is short", arguments: 0..<20)
    func truncated(length: Int) {
        #expect(defect(Array(Self.sample[0..<length]), wireLength: 24, .tcp) == .shortTransport)
    }

    @Test("the data offset lies between the fixed header and the segment's end", arguments: UInt8(0)..<16)
    func dataOffset(words: UInt8) {
        var bytes = Self.sample
        bytes[12] = words << 4 | 0x0f
        #expect(defect(bytes, .tcp) == ((5...6).contains(words) ? nil : .tcpDataOffset))
        #expect(defect(bytes, wireLength: 60, .tcp) == (words >= 5 ? nil : .tcpDataOffset))
    }

    /// The combinations that nf_conntrack takes for possible, PSH left out, written out by hand.
    private static let legal: Set<TCPFlags> = [
        [.syn], [.syn, .urg], [.syn, .ack], [.rst], [.rst, .ack], [.fin, .ack], [.fin, .ack, .urg], [.ack],
        [.ack, .urg],
    ]

    @Test("all 256 combinations of flags are judged as nf_conntrack judges them")
    func flags() {
        var legal = 0
        for value in UInt8.min...UInt8.max {
            let flags = TCPFlags(rawValue: value)
            let isExpected = Self.legal.contains(flags.subtracting([.psh, .ece, .cwr]))
            #expect(flags.isLegal == isExpected, "flags \(value)")
            legal += flags.isLegal ? 1 : 0
        }
        #expect(legal == 9 * 8)
    }

    @Test("flags are written as tcpdump writes them")
    func flagText() {
        let words: [(TCPFlags, String)] = [
            ([.syn], "S"), ([.syn, .ack], "S."), ([.psh, .ack], "P."), ([.fin, .ack], "F."), ([.rst], "R"),
            ([.ack], "."), ([], "none"), ([.syn, .ece, .cwr], "SEW"),
        ]
        for (flags, word) in words { #expect(flags.description == word) }
    }
}

@Suite("UDP headers")
struct UDPDatagramTests {
    private static let sample: [UInt8] = [0x9c, 0x40, 0x00, 0x35, 0x00, 0x0c, 0xbe, 0xef, 1, 2, 3, 4]

    @Test("every field is read from its place and written to it")
    func fields() throws {
        var bytes = Self.sample
        try withMutableBytes(of: &bytes) { span throws(Malformed) in
            var datagram = try UDPDatagram(validating: span._mutatingExtracting(0..<12), wireLength: 12)
            #expect(datagram.sourcePort == 40000)
            #expect(datagram.destinationPort == 53)
            #expect(datagram.length == 12)
            #expect(datagram.checksum == 0xbeef)
            datagram.sourcePort = 0xa1a2
            datagram.destinationPort = 0xa3a4
            datagram.checksum = 0xa5a6
        }
        #expect(bytes == [0xa1, 0xa2, 0xa3, 0xa4, 0, 12, 0xa5, 0xa6, 1, 2, 3, 4])
    }

    @Test("a header that is cut anywhere is short", arguments: 0..<8)
    func truncated(length: Int) {
        #expect(defect(Array(Self.sample[0..<length]), wireLength: 12, .udp) == .shortTransport)
    }

    @Test("the length covers the header and lies within what IP carries")
    func length() {
        for length in 0...20 {
            var bytes = Self.sample
            bytes[5] = UInt8(length)
            #expect(defect(bytes, .udp) == ((8...12).contains(length) ? nil : .udpLength), "length \(length)")
        }
    }

    @Test("a checksum of zero stays zero, and none becomes zero")
    func zeroChecksum() {
        var becameAllOnes = 0
        for check in UInt16.min...UInt16.max {
            for delta in [UInt16(0), 1, 0x7fff, 0xfffe, 0xffff] {
                let updated = UDPDatagram.update(check, by: delta)
                if check == 0 {
                    #expect(updated == 0)
                } else if updated == 0 {
                    Issue.record("checksum \(check) by \(delta) became zero")
                }
                if check != 0, Checksum.update(check, by: delta) == 0 { becameAllOnes += updated == 0xffff ? 1 : 0 }
            }
        }
        #expect(becameAllOnes > 0)
    }
}

@Suite("ICMP headers")
struct ICMPv4MessageTests {
    @Test("every field is read from its place and written to it")
    func fields() throws {
        var bytes: [UInt8] = [8, 1, 0xbe, 0xef, 0x12, 0x34, 0, 1, 9]
        try withMutableBytes(of: &bytes) { span throws(Malformed) in
            var message = try ICMPv4Message(validating: span._mutatingExtracting(0..<9))
            #expect(message.type == .echoRequest)
            #expect(message.code == 1)
            #expect(message.checksum == 0xbeef)
            #expect(message.identifier == 0x1234)
            message.type = .echoReply
            message.code = 2
            message.checksum = 0xa1a2
            message.identifier = 0xa3a4
        }
        #expect(bytes == [0, 2, 0xa1, 0xa2, 0xa3, 0xa4, 0, 1, 9])
    }

    @Test("a header that is cut anywhere is short", arguments: 0..<8)
    func truncated(length: Int) {
        #expect(defect([UInt8](repeating: 8, count: length), .icmp) == .shortTransport)
    }

    @Test("errors, queries and replies are told apart for all types (RFC 1122 section 3.2.2)")
    func types() {
        for value in UInt8.min...UInt8.max {
            let type = ICMPv4Type(rawValue: value)
            #expect(type.isError == [3, 4, 5, 11, 12].contains(value))
            #expect(type.isQuery == [8, 13].contains(value))
            #expect(type.isQueryReply == [0, 14].contains(value))
        }
    }
}
