/// A view of one TCP segment, in place (RFC 9293 section 3.1).
///
/// The bytes may end before the segment does where a capture was cut; the fixed header is always there.
public struct TCPSegment: ~Copyable, ~Escapable {
    /// The segment from its header on, as far as it is there.
    public var bytes: MutableRawSpan

    /// Where the fields stand, in bytes from the beginning of the header (RFC 9293 section 3.1).
    public enum Field {
        /// The source port; 16 bits.
        public static let sourcePort = 0
        /// The destination port; 16 bits.
        public static let destinationPort = 2
        /// The number of the first byte of data; 32 bits.
        public static let sequence = 4
        /// The number of the next byte expected; 32 bits.
        public static let acknowledgment = 8
        /// The header length in 32-bit words, in the high four bits.
        public static let dataOffset = 12
        /// The control bits; see `TCPFlags`.
        public static let flags = 13
        /// How many bytes may be sent, before scaling; 16 bits.
        public static let window = 14
        /// The sum over pseudo-header, header and data; 16 bits.
        public static let checksum = 16
        /// Where the options begin, or the data when there are none.
        public static let end = 20
    }

    /// The length of a header without options, in bytes.
    @inlinable public static var minimumHeaderLength: Int { 20 }
    /// Where the checksum stands, in bytes from the beginning of the header.
    @inlinable public static var checksumOffset: Int { 16 }

    /// Checks that the header lies within the segment, whose length on the wire is `wireLength` bytes.
    ///
    /// Throws `shortTransport` or `tcpDataOffset`.
    @_lifetime(copy bytes)
    @inlinable public init(validating bytes: consuming MutableRawSpan, wireLength: Int) throws(Malformed) {
        guard bytes.byteCount >= Field.end else { throw .shortTransport }
        let header = Int(bytes.load8(Field.dataOffset) >> 4) &* 4
        guard header >= Field.end, header <= wireLength else { throw .tcpDataOffset }
        self.bytes = bytes
    }

    /// The source port; setting it leaves the checksum to the caller.
    public var sourcePort: UInt16 {
        @inlinable get { bytes.loadBE16(Field.sourcePort) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.sourcePort) }
    }
    /// The destination port; setting it leaves the checksum to the caller.
    public var destinationPort: UInt16 {
        @inlinable get { bytes.loadBE16(Field.destinationPort) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.destinationPort) }
    }
    /// The checksum in host byte order, as the header carries it.
    public var checksum: UInt16 {
        @inlinable get { bytes.loadBE16(Field.checksum) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.checksum) }
    }
    /// The number of the first byte of data, or of the SYN.
    @inlinable public var sequence: UInt32 { bytes.loadBE32(Field.sequence) }
    /// The number of the next byte expected; meaningful with ACK.
    @inlinable public var acknowledgment: UInt32 { bytes.loadBE32(Field.acknowledgment) }
    /// The window as it stands in the header, not scaled (RFC 7323 section 2).
    @inlinable public var window: UInt16 { bytes.loadBE16(Field.window) }
    /// The control bits.
    @inlinable public var flags: TCPFlags { TCPFlags(rawValue: bytes.load8(Field.flags)) }
    /// The length of the header in bytes, options included.
    @inlinable public var headerLength: Int { Int(bytes.load8(Field.dataOffset) >> 4) &* 4 }
}

/// The control bits of a TCP header (RFC 9293 section 3.1).
public struct TCPFlags: OptionSet, Hashable, Sendable, BitwiseCopyable {
    /// The byte of the header.
    public var rawValue: UInt8

    /// The flags of that byte.
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The sender has no more data.
    @inlinable public static var fin: Self { Self(rawValue: 0x01) }
    /// Begins a connection, and synchronizes its sequence numbers.
    @inlinable public static var syn: Self { Self(rawValue: 0x02) }
    /// Ends a connection at once.
    @inlinable public static var rst: Self { Self(rawValue: 0x04) }
    /// Data that is to be delivered without delay.
    @inlinable public static var psh: Self { Self(rawValue: 0x08) }
    /// The acknowledgment number counts.
    @inlinable public static var ack: Self { Self(rawValue: 0x10) }
    /// The urgent pointer counts.
    @inlinable public static var urg: Self { Self(rawValue: 0x20) }
    /// Echoes congestion; in a SYN, asks for ECN (RFC 3168 section 6.1).
    @inlinable public static var ece: Self { Self(rawValue: 0x40) }
    /// The sender has reduced its window (RFC 3168 section 6.1.2).
    @inlinable public static var cwr: Self { Self(rawValue: 0x80) }

    /// Whether the combination is one that a TCP can send.
    ///
    /// Those are the ones of `tcp_valid_flags` in net/netfilter/nf_conntrack_proto_tcp.c, with PSH, ECE and CWR left out
    /// of account.
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
