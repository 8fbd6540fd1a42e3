// # Theory of operation
//
// A classic pcap file is a header of 24 bytes and then records, each with a header of its own: seconds, microseconds or
// nanoseconds, captured length, original length (draft-ietf-opsawg-pcap). The magic number tells byte order and resolution.
// What old programs wrote is read as libpcap reads it: before version 2.3 the two lengths stand the other way round, in 2.3 they may
// (then the smaller one is what was captured), and Kuznetzov's variant has 8 bytes more in each record header.
//
// Nothing in a file is believed: a packet may have 262,144 bytes, libpcap's limit too. Of a packet that is longer than the
// snapshot length of the file the rest is passed over.
//
// After an error the reader must not be used any more.

/// A packet of a classic pcap file, without its bytes.
struct PcapPacket: Equatable, BitwiseCopyable {
    /// Nanoseconds since 1970; what lies beyond UInt64 becomes its greatest value.
    var time: UInt64
    /// How many bytes the packet had by the file; may be less than there are.
    var wireLength: Int
}

/// Reads classic pcap in either byte order from a file or a pipe.
@safe struct PcapReader: ~Copyable {
    private var window: CaptureWindow
    private var isBigEndian = false
    private var nanosecondsPerTick: UInt64 = 1000
    private var headerLength = 16
    private var lengths = LengthOrder.capturedFirst
    private var snapLength: UInt32 = 0
    /// Length of the current record, to be passed over by the next call, and of its packet.
    private var recordLength = 0
    private var packetLength = 0

    /// LINKTYPE_… of all packets, once `begin` has returned.
    private(set) var linkType: Int32 = 0

    private static let packetLimit: UInt32 = 262_144

    /// Which of a record's two lengths is which.
    private enum LengthOrder {
        case capturedFirst
        case capturedLast
        /// The smaller one is what was captured.
        case unclear
    }

    /// Reads `input` from its beginning; begin with `begin`.
    init(_ input: CaptureInput) { window = CaptureWindow(input) }

    /// The bytes of the packet that `next` has just told of.
    var packetBytes: RawSpan {
        @_lifetime(borrow self) @inline(__always) get {
            let first = window.start + headerLength
            // Safe: the window is a part of `self` and changes only through `mutating` methods.
            return unsafe _overrideLifetime(
                window.bytes.extracting(first..<first + packetLength),
                borrowing: self
            )
        }
    }

    /// Reads the header of the file.
    mutating func begin() throws(CaptureError) {
        guard try window.fill(4) else { throw refused("truncated: the file ends inside its magic number") }
        let magic = window.bytes.number32(at: 0, bigEndian: false)
        isBigEndian = !Self.isMagic(magic)
        let value = isBigEndian ? magic.byteSwapped : magic
        guard Self.isMagic(value) else { throw refused("unknown file format") }
        guard try window.fill(24) else { throw refused("truncated: the file ends inside its header") }
        if value == Magic.nanoseconds { nanosecondsPerTick = 1 }
        if value == Magic.kuznetzov { headerLength = 24 }
        let major = window.bytes.number16(at: 4, bigEndian: isBigEndian)
        let minor = window.bytes.number16(at: 6, bigEndian: isBigEndian)
        lengths = try lengthOrder(major: major, minor: minor)
        // The highest bits tell of a frame check sequence, which nobody looks at.
        linkType = Int32(window.bytes.number32(at: 20, bigEndian: isBigEndian) & 0x03ff_ffff)
        snapLength = window.bytes.number32(at: 16, bigEndian: isBigEndian)
        if snapLength == 0 || snapLength > Int32.max { snapLength = Self.packetLimit }
        // Programs with Kuznetzov's header counted a made-up Ethernet header on top.
        if value == Magic.kuznetzov && linkType == 1 { snapLength += 14 }
        window.skip(24)
    }

    /// The next packet; nil at the end of the file.
    @inline(__always)
    mutating func next() throws(CaptureError) -> PcapPacket? {
        window.skip(recordLength)
        (recordLength, packetLength) = (0, 0)
        guard try window.fill(headerLength) else {
            if window.available == 0 { return nil }
            throw damaged("truncated: the file ends inside the header of a packet")
        }
        let (seconds, ticks) = window.bytes.numbers32(at: window.start, bigEndian: isBigEndian)
        var (captured, wire) = window.bytes.numbers32(at: window.start + 8, bigEndian: isBigEndian)
        if lengths != .capturedFirst && (lengths == .capturedLast || captured > wire) { swap(&captured, &wire) }
        guard captured <= Self.packetLimit else { throw damaged("a packet of \(captured) bytes, more than 262144") }
        let length = headerLength + Int(captured)
        guard try window.fill(length) else { throw damaged("truncated: the file ends inside a packet") }
        (recordLength, packetLength) = (length, Int(min(captured, snapLength)))
        // Safe: 2^32 seconds and 2^31 microseconds are less than 2^64 nanoseconds. Negative microseconds count as none.
        return PcapPacket(
            time: UInt64(seconds) &* 1_000_000_000 &+ UInt64(max(Int32(bitPattern: ticks), 0)) &* nanosecondsPerTick,
            wireLength: Int(wire)
        )
    }
}

extension PcapReader {
    private enum Magic {
        static let microseconds: UInt32 = 0xa1b2_c3d4
        static let nanoseconds: UInt32 = 0xa1b2_3c4d
        static let kuznetzov: UInt32 = 0xa1b2_cd34
    }

    private static func isMagic(_ number: UInt32) -> Bool {
        number == Magic.microseconds || number == Magic.nanoseconds || number == Magic.kuznetzov
    }

    /// How a version of the format orders the lengths; DG/UX wrote 543.0.
    private func lengthOrder(major: UInt16, minor: UInt16) throws(CaptureError) -> LengthOrder {
        switch (major, minor) {
        case (2, 0...2), (543, 0): return .capturedLast
        case (2, 3): return .unclear
        case (2, 4): return .capturedFirst
        default: throw refused("pcap version \(major).\(minor) is not known")
        }
    }

    private func refused(_ reason: String) -> CaptureError { CaptureError(.format, file: window.name, reason: reason) }

    private func damaged(_ reason: String) -> CaptureError { CaptureError(.damaged, file: window.name, reason: reason) }
}
