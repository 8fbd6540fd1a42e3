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
    public var bytes: MutableRawSpan

    public enum Field {
        public static let versionAndLength = 0
        public static let typeOfService = 1
        public static let totalLength = 2
        public static let identification = 4
        public static let fragment = 6
        public static let timeToLive = 8
        public static let transport = 9
        public static let checksum = 10
        public static let source = 12
        public static let destination = 16
        public static let end = 20
    }

    /// The length of a header without options, in bytes.
    @inlinable public static var minimumHeaderLength: Int { 20 }

    /// Checks version and lengths (RFC 1812 section 5.2.2); what is not IPv4 is named so however short it is.
    ///
    /// `wireLength` is the length of the packet before a capture cut it; a live packet has all its bytes.
    @_lifetime(copy bytes)
    @inlinable public init(validating bytes: consuming MutableRawSpan, wireLength: Int) throws(Malformed) {
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

    /// In bytes, options included.
    @inlinable public var headerLength: Int { Int(bytes.load8(Field.versionAndLength) & 0xf) &* 4 }
    /// In bytes, header included.
    @inlinable public var totalLength: Int { Int(bytes.loadBE16(Field.totalLength)) }
    @inlinable public var identification: UInt16 { bytes.loadBE16(Field.identification) }
    /// The three flags and the offset as they stand in the header.
    @inlinable public var flagsAndOffset: UInt16 { bytes.loadBE16(Field.fragment) }
    @inlinable public var transport: TransportProtocol { TransportProtocol(rawValue: bytes.load8(Field.transport)) }

    public var timeToLive: UInt8 {
        @inlinable get { bytes.load8(Field.timeToLive) }
        @inlinable @_lifetime(self: copy self) set { bytes.store8(newValue, at: Field.timeToLive) }
    }
    public var checksum: UInt16 {
        @inlinable get { bytes.loadBE16(Field.checksum) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.checksum) }
    }
    public var source: IPv4Address {
        @inlinable get { IPv4Address(bits: bytes.loadBE32(Field.source)) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue.bits, at: Field.source) }
    }
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
    @inlinable public var isChecksumValid: Bool {
        if headerLength == Field.end {
            let sum =
                UInt64(bytes.loadBE32(0)) &+ UInt64(bytes.loadBE32(4)) &+ UInt64(bytes.loadBE32(8))
                &+ UInt64(bytes.loadBE32(12)) &+ UInt64(bytes.loadBE32(16))
            return Checksum.fold(sum) == 0xffff
        }
        return Checksum.sum(bytes.bytes, 0..<headerLength) == 0xffff
    }
}

/// The fragment field of an IPv4 header: flags and offset (RFC 791 section 3.1).
public struct FragmentField: Sendable, BitwiseCopyable {
    public let bits: UInt16

    @inlinable public init(bits: UInt16) { self.bits = bits }

    @inlinable public static var doNotFragmentBit: UInt16 { 0x4000 }
    @inlinable public static var moreFragmentsBit: UInt16 { 0x2000 }

    @inlinable public var doNotFragment: Bool { bits & Self.doNotFragmentBit != 0 }
    @inlinable public var moreFragments: Bool { bits & Self.moreFragmentsBit != 0 }
    /// In bytes from the beginning of the datagram's payload.
    @inlinable public var offset: Int { Int(bits & 0x1fff) &* 8 }
    /// Whether the packet is a part of a datagram and not all of it.
    @inlinable public var isFragment: Bool { bits & 0x3fff != 0 }
}
