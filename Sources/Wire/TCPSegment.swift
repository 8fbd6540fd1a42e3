/// A view of one TCP segment, in place (RFC 9293 section 3.1).
///
/// The bytes may end before the segment does where a capture was cut; the fixed header is always there.
public struct TCPSegment: ~Copyable, ~Escapable {
    public var bytes: MutableRawSpan

    public enum Field {
        public static let sourcePort = 0
        public static let destinationPort = 2
        public static let sequence = 4
        public static let acknowledgment = 8
        public static let dataOffset = 12
        public static let flags = 13
        public static let window = 14
        public static let checksum = 16
        public static let end = 20
    }

    /// The length of a header without options, in bytes.
    @inlinable public static var minimumHeaderLength: Int { 20 }
    /// Where the checksum stands, in bytes from the beginning of the header.
    @inlinable public static var checksumOffset: Int { 16 }

    /// Checks that the header lies within the segment, whose length on the wire is `wireLength` bytes.
    @_lifetime(copy bytes)
    @inlinable public init(validating bytes: consuming MutableRawSpan, wireLength: Int) throws(Malformed) {
        guard bytes.byteCount >= Field.end else { throw .shortTransport }
        let header = Int(bytes.load8(Field.dataOffset) >> 4) &* 4
        guard header >= Field.end, header <= wireLength else { throw .tcpDataOffset }
        self.bytes = bytes
    }

    public var sourcePort: UInt16 {
        @inlinable get { bytes.loadBE16(Field.sourcePort) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.sourcePort) }
    }
    public var destinationPort: UInt16 {
        @inlinable get { bytes.loadBE16(Field.destinationPort) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.destinationPort) }
    }
    public var checksum: UInt16 {
        @inlinable get { bytes.loadBE16(Field.checksum) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.checksum) }
    }
    @inlinable public var sequence: UInt32 { bytes.loadBE32(Field.sequence) }
    @inlinable public var acknowledgment: UInt32 { bytes.loadBE32(Field.acknowledgment) }
    @inlinable public var window: UInt16 { bytes.loadBE16(Field.window) }
    @inlinable public var flags: TCPFlags { TCPFlags(rawValue: bytes.load8(Field.flags)) }
    /// In bytes, options included.
    @inlinable public var headerLength: Int { Int(bytes.load8(Field.dataOffset) >> 4) &* 4 }
}

/// The control bits of a TCP header (RFC 9293 section 3.1).
public struct TCPFlags: OptionSet, Hashable, Sendable, BitwiseCopyable {
    public var rawValue: UInt8

    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable public static var fin: Self { Self(rawValue: 0x01) }
    @inlinable public static var syn: Self { Self(rawValue: 0x02) }
    @inlinable public static var rst: Self { Self(rawValue: 0x04) }
    @inlinable public static var psh: Self { Self(rawValue: 0x08) }
    @inlinable public static var ack: Self { Self(rawValue: 0x10) }
    @inlinable public static var urg: Self { Self(rawValue: 0x20) }
    @inlinable public static var ece: Self { Self(rawValue: 0x40) }
    @inlinable public static var cwr: Self { Self(rawValue: 0x80) }

    /// Whether the combination is one that a TCP can send: those of `tcp_valid_flags` in
    /// net/netfilter/nf_conntrack_proto_tcp.c, with PSH, ECE and CWR left out of account.
    @inlinable public var isLegal: Bool {
        switch rawValue & 0x37 {
        case 0x02, 0x22, 0x12, 0x04, 0x14, 0x11, 0x31, 0x10, 0x30: true
        default: false
        }
    }
}

extension TCPFlags: CustomStringConvertible {
    /// As tcpdump prints them: `S`, `S.`, `P.`, `F.`, `R`, `.`, and `none` where there is none.
    public var description: String {
        var text = ""
        if contains(.fin) { text += "F" }
        if contains(.syn) { text += "S" }
        if contains(.rst) { text += "R" }
        if contains(.psh) { text += "P" }
        if contains(.ack) { text += "." }
        if contains(.urg) { text += "U" }
        if contains(.ece) { text += "E" }
        if contains(.cwr) { text += "W" }
        return text.isEmpty ? "none" : text
    }
}
