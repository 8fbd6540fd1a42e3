/// Writes numbers one after the other, little-endian; `StateDecoder` reads them in the same order.
public struct StateEncoder: Sendable {
    /// What was written.
    public private(set) var bytes: [UInt8] = []

    /// Nothing was written yet.
    public init() {}

    /// Writes a number.
    public mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        var left = value
        for _ in 0..<Value.bitWidth / 8 {
            bytes.append(UInt8(truncatingIfNeeded: left))
            left = Value.bitWidth > 8 ? left >> 8 : 0
        }
    }

    /// Writes a truth value, in a byte.
    public mutating func put(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// Writes how many elements follow.
    public mutating func putCount(_ count: Int) { put(UInt32(clamping: count)) }
}

/// Reads what `StateEncoder` wrote, out of bytes that nothing is known of.
///
/// Reading past the end, and what makes no sense, gives zeros and clears `isWhole`; the caller looks at it before it uses
/// anything. No count leads further than the bytes do, so that no loop is longer than the input.
public struct StateDecoder: ~Copyable {
    private let bytes: [UInt8]
    private var offset = 0
    /// Whether everything that was read so far was there.
    public private(set) var isWhole = true

    /// Reads from the first byte on.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Whether everything was read.
    public var isAtEnd: Bool { offset == bytes.count }

    /// Notes that what was read makes no sense.
    public mutating func refuse() { isWhole = false }

    /// Notes that what was read makes no sense, unless something holds.
    public mutating func require(_ condition: Bool) { if !condition { isWhole = false } }

    /// The next number.
    public mutating func get<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value {
        let size = Value.bitWidth / 8
        guard isWhole, bytes.count - offset >= size else {
            isWhole = false
            return 0
        }
        var value: Value = 0
        for index in stride(from: offset + size - 1, through: offset, by: -1) {
            value = (Value.bitWidth > 8 ? value << 8 : 0) | Value(truncatingIfNeeded: bytes[index])
        }
        offset += size
        return value
    }

    /// The next truth value.
    public mutating func getBool() -> Bool {
        let value = get(UInt8.self)
        require(value <= 1)
        return value == 1
    }

    /// How many elements follow, of `size` bytes at least; 0 when there cannot be so many, or more than `limit`.
    public mutating func getCount(limit: Int, size: Int) -> Int {
        let count = Int(get(UInt32.self))
        guard isWhole, count <= limit, count * max(size, 1) <= bytes.count - offset else {
            isWhole = false
            return 0
        }
        return count
    }

    /// The next `count` bytes; none when there are not so many.
    public mutating func getBytes(_ count: Int) -> ArraySlice<UInt8> {
        guard isWhole, count >= 0, bytes.count - offset >= count else {
            isWhole = false
            return []
        }
        offset += count
        return bytes[offset - count..<offset]
    }
}
