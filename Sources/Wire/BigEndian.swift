// Network-order loads and stores. The only file of this module that may say `unsafe`: Swift 6.3 has no safe integer
// load from a raw span (SE-0525 brings it), so the few that are needed stand here, and can be deleted with 6.4.

extension RawSpan {
    /// The byte at `offset`.
    ///
    /// Traps past the end.
    @inlinable public func load8(_ offset: Int) -> UInt8 {
        // Safe: every bit pattern is a UInt8, and the load is bounds-checked.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The big-endian 16-bit field at `offset`.
    ///
    /// Traps past the end.
    @inlinable public func loadBE16(_ offset: Int) -> UInt16 {
        // Safe: as in load8.
        unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// The big-endian 32-bit field at `offset`.
    ///
    /// Traps past the end.
    @inlinable public func loadBE32(_ offset: Int) -> UInt32 {
        // Safe: as in load8.
        unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// Eight bytes at `offset` in the byte order of the machine: for sums that do not mind.
    ///
    /// Traps past the end.
    @inlinable public func loadNative64(_ offset: Int) -> UInt64 {
        // Safe: as in load8.
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    /// Four bytes at `offset` in the byte order of the machine.
    ///
    /// Traps past the end.
    @inlinable public func loadNative32(_ offset: Int) -> UInt32 {
        // Safe: as in load8.
        unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }
}

extension MutableRawSpan {
    /// The byte at `offset`.
    ///
    /// Traps past the end.
    @inlinable public func load8(_ offset: Int) -> UInt8 {
        // Safe: every bit pattern is a UInt8, and the load is bounds-checked.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The big-endian 16-bit field at `offset`.
    ///
    /// Traps past the end.
    @inlinable public func loadBE16(_ offset: Int) -> UInt16 {
        // Safe: as in load8.
        unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// The big-endian 32-bit field at `offset`.
    ///
    /// Traps past the end.
    @inlinable public func loadBE32(_ offset: Int) -> UInt32 {
        // Safe: as in load8.
        unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// Stores a byte at `offset`.
    ///
    /// Traps past the end.
    @_lifetime(self: copy self)
    @inlinable public mutating func store8(_ value: UInt8, at offset: Int) {
        storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
    }

    /// Stores a 16-bit field at `offset` in network order.
    ///
    /// Traps past the end.
    @_lifetime(self: copy self)
    @inlinable public mutating func storeBE(_ value: UInt16, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }

    /// Stores a 32-bit field at `offset` in network order.
    ///
    /// Traps past the end.
    @_lifetime(self: copy self)
    @inlinable public mutating func storeBE(_ value: UInt32, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }
}

/// Calls `body` with a view of the bytes of an array, which may be changed in place.
@inlinable public func withMutableBytes<Result, Failure: Error>(
    of array: inout [UInt8],
    _ body: (inout MutableRawSpan) throws(Failure) -> Result
) throws(Failure) -> Result {
    var span = array.mutableSpan
    // Safe: UInt8 has no invalid bit patterns, so any byte may be stored.
    var bytes = unsafe span.mutableBytes
    return try body(&bytes)
}

/// Calls `body` with a view of the bytes of an array.
@inlinable public func withBytes<Result, Failure: Error>(
    of array: [UInt8],
    _ body: (RawSpan) throws(Failure) -> Result
) throws(Failure) -> Result {
    let span = array.span
    // Safe: UInt8 has no padding, so all its bytes are initialized.
    return try body(unsafe span.bytes)
}

extension Checksum {
    /// The sum of the bytes of an array from `start` up to `end`, all of them unless told; an odd last one is padded.
    ///
    /// Traps past the end.
    public static func sum(_ array: [UInt8], from start: Int = 0, to end: Int? = nil) -> UInt16 {
        let span = array.span
        // Safe: UInt8 has no padding, so all its bytes are initialized.
        let bytes = unsafe span.bytes
        return sum(bytes, start..<(end ?? array.count))
    }
}
