/// Where the next field of a message goes.
///
/// What does not fit is not written, and `isFull` says so: then the caller goes back to a place where the message was
/// whole. Only numbers: the bytes are handed in with each call, because a view that is kept would be moved to the heap.
public struct DNSWriter: Sendable, BitwiseCopyable {
    /// Where the next byte goes.
    public var at: Int
    /// Where the message must end; at most the length of the bytes that are handed in.
    public var limit: Int
    /// Whether something did not fit.
    public var isFull = false

    /// A writer that begins at an offset.
    @inlinable public init(at offset: Int, limit: Int) {
        at = offset
        self.limit = limit
    }

    /// Goes back to a place that was noted before, as if nothing had been written behind it.
    @inlinable public mutating func rewind(to offset: Int) {
        at = offset
        isFull = false
    }

    /// Writes a byte.
    @inlinable public mutating func append(_ value: UInt8, to bytes: inout MutableRawSpan) {
        guard reserve(1) else { return }
        bytes.store8(value, at: at &- 1)
    }

    /// Writes a 16-bit field in network order.
    @inlinable public mutating func append(_ value: UInt16, to bytes: inout MutableRawSpan) {
        guard reserve(2) else { return }
        bytes.storeBE(value, at: at &- 2)
    }

    /// Writes a 32-bit field in network order.
    @inlinable public mutating func append(_ value: UInt32, to bytes: inout MutableRawSpan) {
        guard reserve(4) else { return }
        bytes.storeBE(value, at: at &- 4)
    }

    /// Writes a label with its length.
    @inlinable public mutating func append(_ label: DNSLabel, to bytes: inout MutableRawSpan) {
        let count = label.count &+ 1
        guard reserve(count) else { return }
        for place in 0..<count { bytes.store8(label.byte(place), at: at &- count &+ place) }
    }

    /// Writes a pointer to a name that stands at an offset below 0x4000 (RFC 1035 section 4.1.4).
    @inlinable public mutating func append(pointer offset: Int, to bytes: inout MutableRawSpan) {
        append(0xc000 | UInt16(truncatingIfNeeded: offset), to: &bytes)
    }

    @inlinable mutating func reserve(_ count: Int) -> Bool {
        guard !isFull, at &+ count <= limit else {
            isFull = true
            return false
        }
        at &+= count
        return true
    }
}
