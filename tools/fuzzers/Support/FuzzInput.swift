/// The bytes of an input, taken from the front; past their end everything is 0.
package struct FuzzInput {
    private let bytes: [UInt8]
    private var place = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// How many bytes are left.
    package var left: Int { bytes.count - place }

    /// The next byte.
    package mutating func byte() -> UInt8 {
        guard place < bytes.count else { return 0 }
        place += 1
        return bytes[place - 1]
    }

    /// The next byte as a number below `limit`.
    package mutating func number(below limit: Int) -> Int { Int(byte()) % limit }

    /// The next two bytes, little-endian.
    package mutating func word() -> Int { Int(byte()) | Int(byte()) << 8 }

    /// The next bytes, as many as there are of `count`.
    package mutating func take(_ count: Int) -> ArraySlice<UInt8> {
        let end = min(place + count, bytes.count)
        defer { place = end }
        return bytes[place..<end]
    }
}
