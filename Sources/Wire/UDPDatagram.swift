/// A view of one UDP datagram, in place (RFC 768).
public struct UDPDatagram: ~Copyable, ~Escapable {
    /// The datagram from its header on, as far as it is there.
    public var bytes: MutableRawSpan

    /// Where the fields stand, in bytes from the beginning of the header (RFC 768).
    public enum Field {
        /// The source port, 0 where no answer is expected; 16 bits.
        public static let sourcePort = 0
        /// The destination port; 16 bits.
        public static let destinationPort = 2
        /// The length of header and data in bytes; 16 bits.
        public static let length = 4
        /// The sum over pseudo-header, header and data, 0 for none; 16 bits.
        public static let checksum = 6
        /// Where the header ends.
        public static let end = 8
    }

    /// The length of the header, in bytes.
    @inlinable public static var headerLength: Int { 8 }
    /// Where the checksum stands, in bytes from the beginning of the header.
    @inlinable public static var checksumOffset: Int { 6 }

    /// Checks the length field against the `wireLength` bytes that IP carries; less is allowed, the rest is padding.
    ///
    /// Throws `shortTransport` or `udpLength`.
    @_lifetime(copy bytes)
    @inlinable public init(validating bytes: consuming MutableRawSpan, wireLength: Int) throws(Malformed) {
        guard bytes.byteCount >= Field.end else { throw .shortTransport }
        let length = Int(bytes.loadBE16(Field.length))
        guard length >= Field.end, length <= wireLength else { throw .udpLength }
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
    /// The checksum in host byte order, as the header carries it; 0 means that the sender computed none (RFC 768).
    public var checksum: UInt16 {
        @inlinable get { bytes.loadBE16(Field.checksum) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.checksum) }
    }
    /// The length of the datagram in bytes by its own field, header included.
    @inlinable public var length: Int { Int(bytes.loadBE16(Field.length)) }

    /// Updates a checksum that is present; one that becomes zero is sent as all ones (RFC 768).
    @inlinable public static func update(_ check: UInt16, by delta: UInt16) -> UInt16 {
        if check == 0 { return 0 }
        let updated = Checksum.update(check, by: delta)
        return updated == 0 ? 0xffff : updated
    }
}
