/// A view of one IPv4 datagram or fragment, in place (RFC 791 section 3.1).
///
///      0                   1                   2                   3
///     |Version|  IHL  |      TOS      |         Total Length          |
///     |        Identification         |Flags|     Fragment Offset     |
///     |  Time to Live |    Protocol   |        Header Checksum        |
///     |                         Source Address                        |
///     |                      Destination Address                      |
///
/// After `init(validating:)` no accessor can trap: the header lies within the bytes, and `totalLength` within what
/// was sent. Setters change one field and leave the header checksum to the caller.
public struct IPv4Packet: ~Copyable, ~Escapable {
    /// The packet from its header on, as far as it is there; what stands behind it may be included.
    public var bytes: MutableRawSpan

    /// Where the fields stand, in bytes from the beginning of the header (RFC 791 section 3.1).
    public enum Field {
        /// Version in the high, header length in 32-bit words in the low four bits.
        public static let versionAndLength = 0
        /// DSCP and ECN (RFC 2474, RFC 3168); 8 bits.
        public static let typeOfService = 1
        /// The length of header and payload in bytes; 16 bits.
        public static let totalLength = 2
        /// What the fragments of one datagram have in common; 16 bits.
        public static let identification = 4
        /// Three flags and thirteen bits of offset; see `FragmentField`.
        public static let fragment = 6
        /// How many more routers may forward the packet; 8 bits.
        public static let timeToLive = 8
        /// The protocol number; see `TransportProtocol`.
        public static let transport = 9
        /// The checksum of the header; 16 bits.
        public static let checksum = 10
        /// The source address; 32 bits.
        public static let source = 12
        /// The destination address; 32 bits.
        public static let destination = 16
        /// Where the options begin, or the payload when there are none.
        public static let end = 20
    }

    /// The length of a header without options, in bytes.
    @inlinable public static var minimumHeaderLength: Int { 20 }

    /// Checks version and lengths (RFC 1812 section 5.2.2); what is not IPv4 is named so however short it is.
    ///
    /// `wireLength` is the length of the packet in bytes before a capture cut it; a live packet has all its bytes.
    /// Throws `version`, `shortIP`, `headerLength` or `totalLength`.
    @_lifetime(copy bytes)
    @inlinable @inline(__always)
    public init(validating bytes: consuming MutableRawSpan, wireLength: Int) throws(Malformed) {
        guard bytes.byteCount > 0 else { throw .shortIP }
        let versionAndLength = bytes.load8(Field.versionAndLength)
        guard versionAndLength >> 4 == 4 else { throw .version }
        guard bytes.byteCount >= Field.end else { throw .shortIP }
        let header = Int(versionAndLength & 0xf) &* 4
        guard header >= Field.end, header <= wireLength else { throw .headerLength }
        guard header <= bytes.byteCount else { throw .shortIP }
        let total = Int(bytes.loadBE16(Field.totalLength))
        guard total >= header, total <= wireLength else { throw .totalLength }
        self.bytes = bytes
    }

    /// The length of the header in bytes, options included.
    @inlinable public var headerLength: Int { Int(bytes.load8(Field.versionAndLength) & 0xf) &* 4 }
    /// The length of the packet in bytes, header included.
    @inlinable public var totalLength: Int { Int(bytes.loadBE16(Field.totalLength)) }
    /// What the fragments of one datagram have in common.
    @inlinable public var identification: UInt16 { bytes.loadBE16(Field.identification) }
    /// The three flags and the offset as they stand in the header.
    @inlinable public var flagsAndOffset: UInt16 { bytes.loadBE16(Field.fragment) }
    /// The protocol of the payload.
    @inlinable public var transport: TransportProtocol { TransportProtocol(rawValue: bytes.load8(Field.transport)) }

    /// How many more routers may forward the packet.
    public var timeToLive: UInt8 {
        @inlinable get { bytes.load8(Field.timeToLive) }
        @inlinable @_lifetime(self: copy self) set { bytes.store8(newValue, at: Field.timeToLive) }
    }
    /// The header checksum in host byte order, as the header carries it.
    public var checksum: UInt16 {
        @inlinable get { bytes.loadBE16(Field.checksum) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.checksum) }
    }
    /// The source address.
    public var source: IPv4Address {
        @inlinable get { IPv4Address(bits: bytes.loadBE32(Field.source)) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue.bits, at: Field.source) }
    }
    /// The destination address.
    public var destination: IPv4Address {
        @inlinable get { IPv4Address(bits: bytes.loadBE32(Field.destination)) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue.bits, at: Field.destination) }
    }

    /// What stands behind the header, as far as it is there, for as long as `self` is not touched.
    @_lifetime(&self)
    @inlinable public mutating func payload() -> MutableRawSpan {
        let header = headerLength
        let end = min(totalLength, bytes.byteCount)
        return bytes._mutatingExtracting(min(header, end)..<end)
    }

    /// Whether the header sums up to all ones (RFC 1071 section 1).
    @inlinable @inline(__always) public var isChecksumValid: Bool {
        guard headerLength == Field.end else { return Checksum.sum(bytes.bytes, 0..<headerLength) == 0xffff }
        // All ones are all ones in the byte order of the machine too.
        let first = bytes.bytes.loadNative64(0)
        let second = bytes.bytes.loadNative64(8)
        let sum =
            (first & 0xffff_ffff) &+ first >> 32 &+ (second & 0xffff_ffff) &+ second >> 32
            &+ UInt64(bytes.bytes.loadNative32(16))
        return Checksum.fold(sum) == 0xffff
    }
}

/// The fragment field of an IPv4 header: flags and offset (RFC 791 section 3.1).
public struct FragmentField: Sendable, BitwiseCopyable {
    /// The field in host byte order.
    public let bits: UInt16

    /// The field with these bits, in host byte order.
    @inlinable public init(bits: UInt16) { self.bits = bits }

    /// The bit of "don't fragment", in host byte order.
    @inlinable public static var doNotFragmentBit: UInt16 { 0x4000 }
    /// The bit of "more fragments", in host byte order.
    @inlinable public static var moreFragmentsBit: UInt16 { 0x2000 }

    /// Whether the packet must not be fragmented.
    @inlinable public var doNotFragment: Bool { bits & Self.doNotFragmentBit != 0 }
    /// Whether more of the datagram follows behind this fragment.
    @inlinable public var moreFragments: Bool { bits & Self.moreFragmentsBit != 0 }
    /// Where the fragment stands, in bytes from the beginning of the datagram's payload.
    @inlinable public var offset: Int { Int(bits & 0x1fff) &* 8 }
    /// Whether the packet is a part of a datagram and not all of it.
    @inlinable public var isFragment: Bool { bits & 0x3fff != 0 }
}
