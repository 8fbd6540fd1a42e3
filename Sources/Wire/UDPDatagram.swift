/// A view of one UDP datagram, in place (RFC 768).
public struct UDPDatagram: ~Copyable, ~Escapable {
    public var bytes: MutableRawSpan

    public enum Field {
        public static let sourcePort = 0
        public static let destinationPort = 2
        public static let length = 4
        public static let checksum = 6
        public static let end = 8
    }

    /// The length of the header, in bytes.
    @inlinable public static var headerLength: Int { 8 }
    /// Where the checksum stands, in bytes from the beginning of the header.
    @inlinable public static var checksumOffset: Int { 6 }

    /// Checks the length field against the `wireLength` bytes that IP carries; less is allowed, the rest is padding.
    @_lifetime(copy bytes)
    @inlinable public init(validating bytes: consuming MutableRawSpan, wireLength: Int) throws(Malformed) {
        guard bytes.byteCount >= Field.end else { throw .shortTransport }
        let length = Int(bytes.loadBE16(Field.length))
        guard length >= Field.end, length <= wireLength else { throw .udpLength }
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
    /// Zero means that the sender computed none.
    public var checksum: UInt16 {
        @inlinable get { bytes.loadBE16(Field.checksum) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.checksum) }
    }
    /// In bytes, header included.
    @inlinable public var length: Int { Int(bytes.loadBE16(Field.length)) }

    /// Updates a checksum that is present; one that becomes zero is sent as all ones (RFC 768).
    @inlinable public static func update(_ check: UInt16, by delta: UInt16) -> UInt16 {
        if check == 0 { return 0 }
        let updated = Checksum.update(check, by: delta)
        return updated == 0 ? 0xffff : updated
    }
}
