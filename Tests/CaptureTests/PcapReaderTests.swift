import CPcap
import Capture
import Glibc
import Testing

/// Classic pcap as old and odd programs wrote it; libpcap is the judge.
@Suite struct PcapReaderTests {
    /// What libpcap makes of a file: times, original lengths, bytes, and whether it ends in an error.
    ///
    /// In one byte order it takes seconds and their parts for signed numbers, in the other it does not; here the parts are.
    static func libpcap(_ path: String, ticks: UInt64 = 1000) -> (
        times: [UInt64], lengths: [Int], bytes: [[UInt8]], failed: Bool
    ) {
        var result: (times: [UInt64], lengths: [Int], bytes: [[UInt8]], failed: Bool) = ([], [], [], true)
        var reason = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        let precision = UInt32(PCAP_TSTAMP_PRECISION_NANO)
        // Safe: the handle is closed at the end; after a result of 1 both pointers are set.
        guard let handle = unsafe pcap_open_offline_with_tstamp_precision(path, precision, &reason) else {
            return result
        }
        defer { unsafe pcap_close(handle) }
        while true {
            var header: UnsafeMutablePointer<pcap_pkthdr>?
            var data: UnsafePointer<UInt8>?
            let code = unsafe pcap_next_ex(handle, &header, &data)
            guard code == 1, let header = unsafe header?.pointee, let data = unsafe data else {
                result.failed = code != PCAP_ERROR_BREAK
                return result
            }
            let seconds = UInt64(UInt32(truncatingIfNeeded: header.ts.tv_sec))
            let parts = max(Int32(truncatingIfNeeded: header.ts.tv_usec / Int(ticks)), 0)
            result.times.append(seconds * 1_000_000_000 + UInt64(parts) * ticks)
            result.lengths.append(Int(max(header.len, header.caplen)))
            result.bytes.append((0..<Int(header.caplen)).map { unsafe data[$0] })
        }
    }

    static func expectAgreement(_ path: String, ticks: UInt64 = 1000, _ comment: Comment) {
        let expected = libpcap(path, ticks: ticks)
        let outcome = readAll(path, span: 70_000)
        let areEqual =
            outcome.packets.map(\.time) == expected.times && outcome.packets.map(\.wireLength) == expected.lengths
            && outcome.bytes == expected.bytes && (outcome.error != nil) == expected.failed
        #expect(areEqual, comment)
    }

    struct Variant: Sendable {
        var what: String
        var magic: UInt32?
        var version: (major: UInt16, minor: UInt16) = (2, 4)
        var link: UInt32 = 101
        var snapLength: UInt32 = 65535
        var more: [UInt8] = []
        var isRefused = false
    }

    static let variants = [
        Variant(what: "2.4"), Variant(what: "2.3: the smaller length is what was captured", version: (2, 3)),
        Variant(what: "2.2: lengths the other way round", version: (2, 2)),
        Variant(what: "DG/UX", version: (543, 0)), Variant(what: "2.5", version: (2, 5), isRefused: true),
        Variant(what: "1.4", version: (1, 4), isRefused: true),
        Variant(what: "Kuznetzov", magic: 0xa1b2_cd34, more: [1, 0, 0, 0, 0, 8, 0, 0]),
        Variant(what: "Kuznetzov, short", magic: 0xa1b2_cd34, snapLength: 60, more: [1, 0, 0, 0, 0, 8, 0, 0]),
        Variant(what: "Navtel", magic: 0xa12b_3c4d, isRefused: true),
        Variant(what: "a snapshot length that was not kept", snapLength: 40),
        Variant(what: "no snapshot length", snapLength: 0), Variant(what: "a negative one", snapLength: 0x8000_0000),
        Variant(what: "a frame check sequence", link: 0x4400_0065),
    ]

    @Test("variants are read as libpcap reads them", arguments: variants, [false, true])
    func oddities(row: Variant, isBigEndian: Bool) throws {
        let scratch = try Scratch()
        var file = ClassicFile(
            link: row.link,
            isBigEndian: isBigEndian,
            snapLength: row.snapLength,
            magic: row.magic,
            version: row.version
        )
        file.more = row.more
        file.packet(datagram(100))
        file.packet(datagram(28), wire: 1500)
        file.packet(datagram(61), wire: 30)
        file.packet(datagram(30), time: 4_294_967_295_999_999_000)
        let path = scratch.file("a", file.out.bytes)
        Self.expectAgreement(path, "\(row.what)")
        let outcome = readAll(path)
        if row.isRefused { #expect(outcome.error?.kind == .format) } else { #expect(!outcome.packets.isEmpty) }
    }

    @Test("the longest packets, across the borders of what is read at once")
    func longPackets() throws {
        let scratch = try Scratch()
        for size in [262_144, 262_145] {
            var file = ClassicFile(snapLength: 0)
            for _ in 0..<5 { file.packet(datagram(90)) }
            file.packet([UInt8](repeating: 7, count: size))
            for last in 0..<200 { file.packet(datagram(1500, last: UInt8(last))) }
            let path = scratch.file("a", file.out.bytes)
            let outcome = readAll(path, span: 262_144)
            let expected = Self.libpcap(path)
            #expect(outcome.bytes == expected.bytes)
            #expect(outcome.error?.kind == (size > 262_144 ? .damaged : nil))
            #expect(outcome.error?.packet == (size > 262_144 ? 6 : nil))
        }
    }

    @Test("damage of any kind is taken as libpcap takes it", arguments: 0..<60 as Range<UInt64>)
    func damage(seed: UInt64) throws {
        let scratch = try Scratch()
        var random = SplitMix(state: seed)
        for round in 0..<10 {
            var file = ClassicFile(
                isBigEndian: random.below(2) == 0,
                isNano: random.below(2) == 0,
                version: (2, UInt16([4, 4, 3, 1][random.below(4)]))
            )
            for last in 0..<random.below(12) {
                file.packet(datagram(28 + random.below(200), last: UInt8(last)), wire: random.below(2000))
            }
            var bytes = file.out.bytes
            for _ in 0..<random.below(4) {
                // Not the link type: others are refused here, and read there.
                let place = random.below(bytes.count)
                if !(20..<24).contains(place) { bytes[place] = UInt8(truncatingIfNeeded: random.next()) }
            }
            if random.below(3) == 0 { bytes.removeLast(random.below(bytes.count)) }
            if bytes.isEmpty { continue }
            Self.expectAgreement(scratch.file("a", bytes), ticks: file.ticks, "seed \(seed), round \(round)")
        }
    }
}
