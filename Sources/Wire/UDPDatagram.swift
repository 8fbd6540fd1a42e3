/// A view of one UDP datagram, in place (RFC 768).
package struct UDPDatagram: ~Copyable, ~Escapable {
    @usableFromInline package var bytes: MutableRawSpan

    @usableFromInline package enum Field {
        @usableFromInline package static let sourcePort = 0
        @usableFromInline package static let destinationPort = 2
        @usableFromInline package static let length = 4
        @usableFromInline package static let checksum = 6
        @usableFromInline package static let end = 8
    }

    /// The length of the header, in bytes.
    @inlinable package static var headerLength: Int { 8 }
    /// Where the checksum stands, in bytes from the beginning of the header.
    @inlinable package static var checksumOffset: Int { 6 }

    /// Checks the length field against the `wireLength` bytes that IP carries; less is allowed, the rest is padding.
    @_lifetime(copy bytes)
    @inlinable package init(validating bytes: consuming MutableRawSpan, wireLength: Int) throws(Malformed) {
        guard bytes.byteCount >= Field.end else { throw .shortTransport }
        let length = Int(bytes.loadBE16(Field.length))
        guard length >= Field.end, length <= wireLength else { throw .udpLength }
        self.bytes = bytes
    }

    package var sourcePort: UInt16 {
        @inlinable get { bytes.loadBE16(Field.sourcePort) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.sourcePort) }
    }
    package var destinationPort: UInt16 {
        @inlinable get { bytes.loadBE16(Field.destinationPort) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.destinationPort) }
    }
    /// Zero means that the sender computed none.
    package var checksum: UInt16 {
        @inlinable get { bytes.loadBE16(Field.checksum) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.checksum) }
    }
    /// In bytes, header included.
    @inlinable package var length: Int { Int(bytes.loadBE16(Field.length)) }

    /// Updates a checksum that is present; one that becomes zero is sent as all ones (RFC 768).
    @inlinable package static func update(_ check: UInt16, by delta: UInt16) -> UInt16 {
        if check == 0 { return 0 }
        let updated = Checksum.update(check, by: delta)
        return updated == 0 ? 0xffff : updated
    }
}
