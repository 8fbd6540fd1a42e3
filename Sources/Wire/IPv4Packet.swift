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
package struct IPv4Packet: ~Copyable, ~Escapable {
    @usableFromInline package var bytes: MutableRawSpan

    @usableFromInline package enum Field {
        @usableFromInline package static let versionAndLength = 0
        @usableFromInline package static let typeOfService = 1
        @usableFromInline package static let totalLength = 2
        @usableFromInline package static let identification = 4
        @usableFromInline package static let fragment = 6
        @usableFromInline package static let timeToLive = 8
        @usableFromInline package static let transport = 9
        @usableFromInline package static let checksum = 10
        @usableFromInline package static let source = 12
        @usableFromInline package static let destination = 16
        @usableFromInline package static let end = 20
    }

    /// The length of a header without options, in bytes.
    @inlinable package static var minimumHeaderLength: Int { 20 }

    /// Checks version and lengths, in the order of RFC 1812 section 5.2.2.
    ///
    /// `wireLength` is the length of the packet before a capture cut it; a live packet has all its bytes.
    @_lifetime(copy bytes)
    @inlinable package init(validating bytes: consuming MutableRawSpan, wireLength: Int) throws(Malformed) {
        guard bytes.byteCount >= Field.end else { throw .shortIP }
        let versionAndLength = bytes.load8(Field.versionAndLength)
        guard versionAndLength >> 4 == 4 else { throw .version }
        let header = Int(versionAndLength & 0xf) &* 4
        guard header >= Field.end else { throw .headerLength }
        guard header <= bytes.byteCount else { throw .shortIP }
        let total = Int(bytes.loadBE16(Field.totalLength))
        guard total >= header, total <= wireLength else { throw .totalLength }
        self.bytes = bytes
    }

    /// In bytes, options included.
    @inlinable package var headerLength: Int { Int(bytes.load8(Field.versionAndLength) & 0xf) &* 4 }
    /// In bytes, header included.
    @inlinable package var totalLength: Int { Int(bytes.loadBE16(Field.totalLength)) }
    @inlinable package var identification: UInt16 { bytes.loadBE16(Field.identification) }
    /// The three flags and the offset as they stand in the header.
    @inlinable package var flagsAndOffset: UInt16 { bytes.loadBE16(Field.fragment) }
    @inlinable package var transport: TransportProtocol { TransportProtocol(rawValue: bytes.load8(Field.transport)) }

    package var timeToLive: UInt8 {
        @inlinable get { bytes.load8(Field.timeToLive) }
        @inlinable @_lifetime(self: copy self) set { bytes.store8(newValue, at: Field.timeToLive) }
    }
    package var checksum: UInt16 {
        @inlinable get { bytes.loadBE16(Field.checksum) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.checksum) }
    }
    package var source: IPv4Address {
        @inlinable get { IPv4Address(bits: bytes.loadBE32(Field.source)) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue.bits, at: Field.source) }
    }
    package var destination: IPv4Address {
        @inlinable get { IPv4Address(bits: bytes.loadBE32(Field.destination)) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue.bits, at: Field.destination) }
    }

    /// Whether the header sums up to all ones (RFC 1071 section 1).
    @inlinable package var isChecksumValid: Bool {
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
package struct FragmentField: Sendable, BitwiseCopyable {
    package let bits: UInt16

    @inlinable package init(bits: UInt16) { self.bits = bits }

    @inlinable package static var doNotFragmentBit: UInt16 { 0x4000 }
    @inlinable package static var moreFragmentsBit: UInt16 { 0x2000 }

    @inlinable package var doNotFragment: Bool { bits & Self.doNotFragmentBit != 0 }
    @inlinable package var moreFragments: Bool { bits & Self.moreFragmentsBit != 0 }
    /// In bytes from the beginning of the datagram's payload.
    @inlinable package var offset: Int { Int(bits & 0x1fff) &* 8 }
    /// Whether the packet is a part of a datagram and not all of it.
    @inlinable package var isFragment: Bool { bits & 0x3fff != 0 }
}
