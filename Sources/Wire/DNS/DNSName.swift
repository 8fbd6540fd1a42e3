/// A name as it stands in a message: where its labels are (RFC 1035 sections 3.1 and 4.1.4).
///
/// Reading it is total: a name has at most 255 bytes and a label at most 63; a compression pointer leads to what stands
/// before the part of the name that it ends, so that no chain of them can come back (RFC 9267 section 2), and a name has
/// at most `maximumHops` of them.
public struct DNSName: Sendable, BitwiseCopyable {
    /// Where the length byte of each label stands; the first `labelCount` are in use.
    @usableFromInline var offsets = InlineArray<127, UInt16>(repeating: 0)
    /// How many labels the name has, the root not counted.
    public private(set) var labelCount = 0
    /// The length of the name without compression, in bytes, the root included.
    public private(set) var length = 1
    /// Where what follows the name in the message begins.
    public private(set) var end = 0

    /// The longest name, in bytes.
    public static let maximumLength = 255
    /// How many compression pointers a name may have.
    public static let maximumHops = 16

    /// Reads the name at an offset; nil when there is no valid one.
    public init?(_ message: RawSpan, at start: Int) {
        guard start >= 0, message.byteCount <= DNSHeader.maximumMessageLength else { return nil }
        var at = start
        var bound = start
        var hops = 0
        while true {
            guard at < message.byteCount else { return nil }
            let octet = message.load8(at)
            switch octet >> 6 {
            case 0 where octet == 0:
                if hops == 0 { end = at + 1 }
                return
            case 0:
                length += Int(octet) + 1
                guard length <= Self.maximumLength, at + Int(octet) < message.byteCount else { return nil }
                offsets[labelCount] = UInt16(truncatingIfNeeded: at)
                labelCount += 1
                at += Int(octet) + 1
            case 3:
                guard at + 1 < message.byteCount, hops < Self.maximumHops else { return nil }
                let target = Int(message.loadBE16(at) & 0x3fff)
                guard target >= DNSHeader.length, target < bound else { return nil }
                if hops == 0 { end = at + 2 }
                hops += 1
                bound = target
                at = target
            default:
                // 0x40 and 0x80: label types that nobody uses (RFC 6891 section 5).
                return nil
            }
        }
    }

    /// Where the length byte of a label stands in the message, the leftmost label being number 0.
    ///
    /// Traps outside of `0..<labelCount`.
    @inlinable public func offset(_ label: Int) -> Int {
        precondition(label < labelCount)
        return Int(offsets[label])
    }

    /// Where what follows a name begins, without following pointers; nil when it is cut.
    public static func skip(_ message: RawSpan, at start: Int) -> Int? {
        var at = start
        while at < message.byteCount {
            let octet = message.load8(at)
            switch octet >> 6 {
            case 0 where octet == 0: return at + 1
            case 0: at += Int(octet) + 1
            case 3: return at + 2 <= message.byteCount ? at + 2 : nil
            default: return nil
            }
            if at - start >= maximumLength { return nil }
        }
        return nil
    }
}

/// A label in its canonical form: lower case, behind its length, padded with zeros to whole words, so that two labels
/// are compared by words and hashed by words (RFC 4343: case does not matter, for ASCII letters only).
public struct DNSLabel: Sendable, BitwiseCopyable {
    /// The length and the bytes of the label, the first one lowest.
    @usableFromInline var words = InlineArray<8, UInt64>(repeating: 0)

    /// The most bytes that a label can have.
    public static let maximumLength = 63

    /// The label at an offset of a message where `DNSName` has found one.
    ///
    /// Traps past the end of the message.
    @inlinable public init(_ message: RawSpan, at offset: Int) {
        let count = Int(message.load8(offset) & 63)
        words[0] = UInt64(count)
        for place in 1..<count &+ 1 { set(place, message.load8(offset &+ place)) }
    }

    /// The label of some text; nil when it is empty or too long.
    public init?(_ text: some StringProtocol) {
        let count = text.utf8.count
        guard count > 0, count <= Self.maximumLength else { return nil }
        words[0] = UInt64(count)
        var place = 1
        for byte in text.utf8 {
            set(place, byte)
            place += 1
        }
    }

    /// A label from its words as `word` gives them.
    @inlinable public init(first: UInt64, rest: (Int) -> UInt64) {
        words[0] = first
        for number in 1..<max(wordCount, 1) { words[number] = rest(number) }
    }

    @inlinable mutating func set(_ place: Int, _ byte: UInt8) {
        let isUpper = byte &- 0x41 < 26
        words[place >> 3] |= UInt64(isUpper ? byte | 0x20 : byte) << UInt64((place & 7) << 3)
    }

    /// How many bytes the label has, without its length.
    @inlinable public var count: Int { Int(words[0] & 63) }
    /// How many words hold the label and its length.
    @inlinable public var wordCount: Int { (count &+ 8) >> 3 }
    /// One of the words.
    @inlinable public func word(_ number: Int) -> UInt64 { words[number] }
    /// The byte at a place; that at 0 is the length, the label begins at 1.
    @inlinable public func byte(_ place: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: words[place >> 3] >> UInt64((place & 7) << 3))
    }
}
