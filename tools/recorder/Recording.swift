internal import Wire

/// The packets of a capture with their times, and the classic pcap file that holds them.
///
/// Time passes by `wait`, with a little unevenness from a fixed generator, so that times look like times and are
/// nevertheless the same in every run.
struct Recording {
    /// What stands in front of the packets (https://www.tcpdump.org/linktypes.html).
    enum Link: UInt32 {
        case ethernet = 1
        case raw = 101
    }

    private let link: Link
    private var records: [UInt8] = []
    /// Nanoseconds since 1970.
    private(set) var now: UInt64
    private var unevenness: UInt64

    /// Begins a capture on a day of January 2026, at a second of that day (UTC).
    init(_ link: Link = .raw, day: UInt64, second: UInt64) {
        self.link = link
        let newYear: UInt64 = 1_767_225_600
        now = (newYear + (day - 1) * 86400 + second) * 1_000_000_000
        unevenness = day &* 0x9e37_79b9_7f4a_7c15 &+ second
        wait(microseconds: 700)
    }

    /// The clock of a host's TCP timestamps and the like.
    var milliseconds: UInt32 { UInt32(truncatingIfNeeded: now / 1_000_000) }

    /// Lets at least this time pass, and at most an eighth more or a millisecond, whichever is less.
    mutating func wait(microseconds: UInt64) {
        unevenness = unevenness &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let most = min(microseconds * 1000 / 8, 1_000_000)
        now += microseconds * 1000 + (most == 0 ? 0 : (unevenness >> 33) % most)
    }

    mutating func wait(milliseconds: UInt64) { wait(microseconds: milliseconds * 1000) }

    /// Adds a frame; of a frame that the capture cut only the first `kept` bytes are there.
    mutating func add(_ frame: [UInt8], kept: Int = .max) {
        let captured = frame.prefix(kept)
        append(UInt32(truncatingIfNeeded: now / 1_000_000_000))
        append(UInt32(truncatingIfNeeded: now % 1_000_000_000))
        append(UInt32(captured.count))
        append(UInt32(frame.count))
        records += captured
    }

    /// The file: version 2.4, nanoseconds, little-endian whatever the machine.
    var file: [UInt8] {
        var header = Recording(header: link)
        header.records += records
        return header.records
    }

    /// No packets but the header of the file.
    private init(header link: Link) {
        self.link = link
        now = 0
        unevenness = 0
        append(0xa1b2_3c4d as UInt32)
        records += [2, 0, 4, 0]
        append(0)
        append(0)
        append(262_144)
        append(link.rawValue)
    }

    private mutating func append(_ value: UInt32) {
        for shift in [0, 8, 16, 24] as [UInt32] { records.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
}
