import Capture
import Glibc
import Testing

@Suite struct TraceRotationTests {
    /// Writes batches of two packets with 1,000 bytes each, a batch for each number, waiting behind each until it is written.
    private static func write(_ path: String, _ options: TraceOptions, batches: Range<Int>) throws {
        let writer = try TraceWriter(path: path, options: options, comment: TraceWriterTests.comment)
        var producer = try TraceWriterTests.producer(of: writer)
        let packet = [UInt8](repeating: 0x45, count: 1000)
        for batch in batches {
            producer.begin(at: UInt64(batch))
            for sighting in 0..<2 {
                TraceWriterTests.append(
                    &producer,
                    point: UInt16(sighting),
                    id: UInt64(batch),
                    time: UInt64(batch),
                    text: batch % 3 == 0 ? "a comment" : "",
                    head: packet
                )
            }
            producer.flush()
        }
        try writer.finish()
    }

    private static func options(_ rotation: TraceRotation) -> TraceOptions {
        var options = TraceWriterTests.options
        options.rotation = rotation
        return options
    }

    private static func files(_ scratch: borrowing Scratch) -> [String] {
        guard let stream = unsafe opendir(scratch.path) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            names.append(
                unsafe withUnsafeBytes(of: entry.pointee.d_name) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
            )
        }
        return names.filter { !$0.hasPrefix(".") }.sorted()
    }

    /// The ids of the packets of a file, and whether its statistics are those of its packets.
    private static func packets(_ path: String) -> (ids: [UInt64], statisticsAreRight: Bool) {
        let result = PcapngReaderTests.events(path)
        let packets = result.events.compactMap { if case .packet(let packet) = $0 { packet } else { nil } }
        let statistics = result.events.compactMap { if case .statistics(let found) = $0 { found } else { nil } }
        let isRight =
            statistics.map(\.interface) == [0, 1, 2]
            && statistics.allSatisfy { one in
                let own = packets.filter { $0.interface == one.interface }
                return one.received == UInt64(own.count) && one.dropped == 0
            }
        return (packets.compactMap(\.packetID), isRight && result.3 == nil)
    }

    @Test("files go on behind each other, each whole, and no batch is divided")
    func size() throws {
        let scratch = try Scratch()
        try Self.write(scratch.path + "/t.pcapng", Self.options(TraceRotation(bytes: 10_000)), batches: 0..<20)
        let names = Self.files(scratch)
        #expect(names.count > 3)
        #expect(names == (1...names.count).map { "t_0000\($0).pcapng" })
        var all: [UInt64] = []
        for name in names {
            let file = Self.packets(scratch.path + "/" + name)
            #expect(file.statisticsAreRight, "\(name)")
            #expect(file.ids.count.isMultiple(of: 2))
            if name != names.last { #expect((9_900...12_500).contains(contents(of: scratch.path + "/" + name).count)) }
            all += file.ids
        }
        let expected: [UInt64] = (0..<20).flatMap { [$0, $0] }
        #expect(all == expected)
    }

    @Test("numbers go on behind those of earlier traces, and only so many files are kept")
    func kept() throws {
        let scratch = try Scratch()
        let others = [
            "t_7.pcapng", "t_00009.pcap", "t_00010.pcapng.gz", "s_00011.pcapng", "t.pcapng", "t_00012x.pcapng",
        ]
        for name in others + ["t_00002.pcapng", "t_00004.pcapng"] {
            unsafe close(creat(scratch.path + "/" + name, 0o600))
        }
        let rotation = TraceRotation(bytes: 10_000, keptFiles: 3)
        try Self.write(scratch.path + "/t.pcapng", Self.options(rotation), batches: 0..<1)
        #expect(Self.files(scratch) == (others + ["t_00002.pcapng", "t_00004.pcapng", "t_00005.pcapng"]).sorted())
        try Self.write(scratch.path + "/t.pcapng", Self.options(rotation), batches: 0..<8)
        #expect(Self.files(scratch) == (others + ["t_00005.pcapng", "t_00006.pcapng", "t_00007.pcapng"]).sorted())
        #expect(Self.packets(scratch.path + "/t_00005.pcapng").ids == [0, 0])
    }

    @Test("classic files rotate together; a name without an ending has its number at its end")
    func classic() throws {
        let scratch = try Scratch()
        var options = Self.options(TraceRotation(bytes: 5_000, keptFiles: 2))
        options.format = .pcap
        try Self.write(scratch.path + "/t", options, batches: 0..<12)
        let points = ["drop", "web-1-rx", "web-1-tx"]
        #expect(Self.files(scratch) == ["3", "4"].flatMap { number in points.map { "t_0000\(number).\($0).pcap" } })
        #expect(readAll(scratch.path + "/t_00004.web-1-rx.pcap").packets.count == 3)
    }

    @Test("names may be of any letters")
    func letters() throws {
        let scratch = try Scratch()
        let rotation = TraceRotation(bytes: 10_000)
        for _ in 0..<2 {
            try Self.write(scratch.path + "/spür.läufe.\u{1F986}", Self.options(rotation), batches: 0..<1)
        }
        #expect(Self.files(scratch) == ["spür.läufe_00001.\u{1F986}", "spür.läufe_00002.\u{1F986}"])
    }

    @Test("a file whose first packet is old enough is ended with the next batch; a clock that goes back ends none")
    func age() throws {
        let scratch = try Scratch()
        let writer = try TraceWriter(
            path: scratch.path + "/t.pcapng",
            options: Self.options(TraceRotation(seconds: 2)),
            comment: TraceWriterTests.comment
        )
        var producer = try TraceWriterTests.producer(of: writer)
        for (id, tenths) in [100, 110, 119, 90, 120, 125, 141].enumerated() {
            producer.begin(at: UInt64(tenths) * 100_000_000)
            TraceWriterTests.append(&producer, id: UInt64(id), head: datagram(40))
            producer.flush()
        }
        try writer.finish()
        #expect(Self.files(scratch) == ["t_00001.pcapng", "t_00002.pcapng", "t_00003.pcapng"])
        #expect(Self.packets(scratch.path + "/t_00001.pcapng").ids == [0, 1, 2, 3])
        #expect(Self.packets(scratch.path + "/t_00002.pcapng").ids == [4, 5])
        #expect(Self.packets(scratch.path + "/t_00003.pcapng").ids == [6])
    }

    @Test("a directory that goes away is an error, and neither a trap nor a hang")
    func failure() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/gone"
        unsafe mkdir(path, 0o700)
        let writer = try TraceWriter(
            path: path + "/t.pcapng",
            options: Self.options(TraceRotation(bytes: 1)),
            comment: TraceWriterTests.comment
        )
        var producer = try TraceWriterTests.producer(of: writer)
        unsafe unlink(path + "/t_00001.pcapng")
        unsafe rmdir(path)
        for _ in 0..<100 where !writer.hasFailed {
            producer.begin(at: 1)
            TraceWriterTests.append(&producer, head: datagram(40))
            producer.flush()
            usleep(10_000)
        }
        #expect(writer.error?.description.contains("t_00002.pcapng") == true)
        #expect(throws: CaptureError.self) { try writer.finish() }
    }

    @Test("standard output cannot rotate")
    func standardOutput() {
        #expect(throws: CaptureError.self) {
            try TraceWriter(
                path: "-",
                options: Self.options(TraceRotation(bytes: 1)),
                comment: TraceWriterTests.comment
            )
        }
    }
}
