internal import Wire

// The values that a pcapng file is read into; the names and numbers are those of draft-ietf-opsawg-pcapng.

/// Block types (section 10.1).
enum PcapngBlockType {
    static let section: UInt32 = 0x0a0d_0d0a
    static let interface: UInt32 = 1
    static let obsoletePacket: UInt32 = 2
    static let simplePacket: UInt32 = 3
    static let nameResolution: UInt32 = 4
    static let statistics: UInt32 = 5
    static let enhancedPacket: UInt32 = 6
    /// The magic number behind the section's length, in the byte order of the section.
    static let byteOrderMagic: UInt32 = 0x1a2b_3c4d

    /// Whether the reader looks into blocks of this type.
    static func isParsed(_ type: UInt32) -> Bool {
        switch type {
        case section, interface, enhancedPacket, simplePacket, obsoletePacket, statistics: true
        default: false
        }
    }
}

/// What a Section Header Block says (section 4.1).
package struct PcapngSection: Equatable, Sendable {
    /// Whether the numbers of this section are stored most significant byte first.
    package var isBigEndian: Bool
    /// shb_userappl: the program that wrote the section.
    package var application: String?
    /// The first opt_comment.
    package var comment: String?
}

/// What an Interface Description Block says (section 4.2).
package struct PcapngInterface: Equatable, Sendable {
    /// LINKTYPE_… of the interface's packets.
    package var linkType: UInt16
    /// The most bytes that are stored of a packet; 0 is no limit.
    package var snapLength: UInt32
    /// if_name, at most 255 bytes of it.
    package var name = ""
    /// if_description, at most 255 bytes of it.
    package var details = ""
    /// if_tsresol: a power of ten, or of two with the highest bit set; 6 is microseconds.
    package var resolution: UInt8 = 6
    /// if_tsoffset, in seconds.
    package var offset: Int64 = 0

    /// Whether this is where Culvert records what it receives: a capture point `LABEL:rx`.
    package var isReceiving: Bool { name.hasSuffix(":rx") }

    /// Whether this is any capture point of Culvert's: `LABEL:PLACE`, or `drop`.
    package var isCapturePoint: Bool { name == "drop" || name.contains(":") }

    /// A timestamp of this interface in nanoseconds since 1970; what lies outside of UInt64 becomes its nearest value.
    func nanoseconds(_ ticks: UInt64) -> UInt64 {
        if resolution == 9 && offset == 0 { return ticks }
        let exponent = Int(resolution & 0x7f)
        var time: Int128
        if resolution & 0x80 != 0 {
            // Safe: the product of 64 and 30 bits; shifting by 127 is defined.
            time = (Int128(ticks) * 1_000_000_000) >> Int128(exponent)
        } else if exponent <= 9 {
            time = Int128(ticks) * Int128(Self.power(exponent: 9 - exponent))
        } else {
            time = exponent > 28 ? 0 : Int128(ticks / Self.power(exponent: exponent - 9))
        }
        time += Int128(offset) * 1_000_000_000
        return UInt64(clamping: time)
    }

    /// 10 to the power of 0…19.
    private static func power(exponent: Int) -> UInt64 {
        var result: UInt64 = 1
        for _ in 0..<min(exponent, 19) { result *= 10 }  // Safe: 10^19 is less than 2^64.
        return result
    }
}

/// Which way a packet went, as seen from the interface (epb_flags bits 0 and 1, section 4.3.1).
package enum TraceDirection: UInt8, Sendable {
    case unknown = 0
    case inbound = 1
    case outbound = 2
}

/// An Enhanced, Simple or obsolete Packet Block (sections 4.3, 4.4, appendix A), without its bytes.
package struct PcapngPacket: Equatable, Sendable {
    /// The packet's number in the file, from 1.
    package var number: UInt64
    /// Index into the reader's `interfaces`.
    package var interface: Int
    /// Nanoseconds since 1970; 0 in a Simple Packet Block.
    package var time: UInt64
    /// How many bytes the file has of the packet.
    package var capturedLength: Int
    /// How many bytes the packet had; never less than `capturedLength`.
    package var wireLength: Int
    /// epb_flags; 0 where the option is missing.
    package var flags: UInt32 = 0
    /// epb_packetid.
    package var packetID: UInt64?
    /// The kind of the first epb_verdict that has a number: 1 is eBPF TC, 2 eBPF XDP.
    package var verdictKind: UInt8 = 0
    /// The number of that epb_verdict.
    package var verdict: UInt64?

    /// Which way the packet went.
    package var direction: TraceDirection { TraceDirection(rawValue: UInt8(flags & 3)) ?? .unknown }
}

/// What an Interface Statistics Block counts (section 4.6).
package struct PcapngStatistics: Equatable, Sendable {
    /// Index into the reader's `interfaces`.
    package var interface: Int
    /// isb_ifrecv: packets seen.
    package var received: UInt64?
    /// isb_ifdrop: those of them that are missing in the file.
    package var dropped: UInt64?
}

/// One thing that a pcapng file tells.
package enum PcapngEvent: Equatable, Sendable {
    /// A section begins; the interfaces of the one before are forgotten.
    case section(PcapngSection)
    /// An interface was added to `interfaces`, at this index.
    case interface(Int)
    /// A packet; the reader's `packetBytes` and `comments()` belong to it until the next call.
    case packet(PcapngPacket)
    case statistics(PcapngStatistics)
}

extension PcapngSection {
    /// The total length of the section header block that `bytes` begin with; nil if they do not, or are under 12.
    static func headerLength(of bytes: RawSpan) -> Int? {
        guard bytes.byteCount >= 12, bytes.number32(at: 0, bigEndian: false) == PcapngBlockType.section,
            let isBigEndian = byteOrder(bytes.number32(at: 8, bigEndian: false))
        else { return nil }
        return Int(bytes.number32(at: 4, bigEndian: isBigEndian))
    }

    /// Reads a whole section header block, or the beginning of one; nil if `bytes` are not that.
    init?(header bytes: RawSpan) {
        guard let length = Self.headerLength(of: bytes), length >= 28, bytes.byteCount >= 24 else { return nil }
        isBigEndian = bytes.number32(at: 8, bigEndian: false) != PcapngBlockType.byteOrderMagic
        var options = PcapngOptions(range: 24..<min(length - 4, bytes.byteCount), isBigEndian: isBigEndian)
        while let option = options.next(in: bytes) {
            switch option.code {
            case 1: comment = comment ?? bytes.text(option.range)
            case 4: application = application ?? bytes.text(option.range)
            default: break
            }
        }
    }

    /// Whether the byte-order magic, read least significant byte first, announces the other order; nil if it is neither.
    static func byteOrder(_ magic: UInt32) -> Bool? {
        switch magic {
        case PcapngBlockType.byteOrderMagic: false
        case PcapngBlockType.byteOrderMagic.byteSwapped: true
        default: nil
        }
    }
}

/// Walks over the options of a block (section 3.5).
///
/// Ends at opt_endofopt, at the end, or, with `overran` set, at an option that is longer than what is left.
struct PcapngOptions {
    var range: Range<Int>
    let isBigEndian: Bool
    private(set) var overran = false

    init(range: Range<Int>, isBigEndian: Bool) {
        self.range = range
        self.isBigEndian = isBigEndian
    }

    mutating func next(in bytes: RawSpan) -> (code: UInt16, range: Range<Int>)? {
        guard range.count >= 4 else { return nil }
        let code = bytes.number16(at: range.lowerBound, bigEndian: isBigEndian)
        let length = Int(bytes.number16(at: range.lowerBound + 2, bigEndian: isBigEndian))
        guard code != 0 else { return nil }
        let start = range.lowerBound + 4
        guard length <= range.upperBound - start else {
            overran = true
            return nil
        }
        range = min(start + (length + 3) & ~3, range.upperBound)..<range.upperBound
        return (code, start..<start + length)
    }
}

extension RawSpan {
    func number16(at offset: Int, bigEndian: Bool) -> UInt16 {
        let value = networkOrder16(at: offset)
        return bigEndian ? value : value.byteSwapped
    }

    func number32(at offset: Int, bigEndian: Bool) -> UInt32 {
        // Safe: every bit pattern is a UInt32, and the load is bounds-checked.
        let value = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
        return bigEndian ? UInt32(bigEndian: value) : UInt32(littleEndian: value)
    }

    /// Two numbers one behind the other, by one load.
    @inline(__always)
    func numbers32(at offset: Int, bigEndian: Bool) -> (UInt32, UInt32) {
        let both = number64(at: offset, bigEndian: bigEndian)
        let (low, high) = (UInt32(truncatingIfNeeded: both), UInt32(truncatingIfNeeded: both >> 32))
        return bigEndian ? (high, low) : (low, high)
    }

    @inline(__always)
    func number64(at offset: Int, bigEndian: Bool) -> UInt64 {
        // Safe: every bit pattern is a UInt64, and the load is bounds-checked.
        let value = unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        return bigEndian ? UInt64(bigEndian: value) : UInt64(littleEndian: value)
    }

    /// The bytes as UTF-8; what is not becomes U+FFFD.
    func text(_ range: Range<Int>) -> String {
        // Safe: the buffer pointer does not leave the closure.
        unsafe extracting(range).withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

extension [UInt8] {
    /// The bytes, to be read as numbers.
    var raw: RawSpan {
        @_lifetime(borrow self) get {
            let elements = span
            // Safe: a UInt8 has no bits that may not be read.
            return unsafe _overrideLifetime(elements.bytes, borrowing: self)
        }
    }
}
