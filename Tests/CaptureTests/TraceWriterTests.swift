import Capture
import Glibc
import Testing
import Wire

@Suite struct TraceWriterTests {
    static var options: TraceOptions {
        var options = TraceOptions(
            application: "culvert 0.1",
            points: [
                TracePoint(name: "web-1:rx", details: "as received"), TracePoint(name: "web-1:tx"),
                TracePoint(name: "drop"),
            ]
        )
        options.comment = "scenario: test; seed=1"
        options.names = [
            TraceName(IPv4Address(10, 0, 0, 1), "client.default.pod"), TraceName(IPv4Address(10, 0, 0, 2), "dns"),
        ]
        return options
    }

    /// Copies the annotation.
    static let comment: TraceCommentFormatter = { annotation, text in
        for index in 0..<annotation.byteCount {
            text.append(unsafe annotation.unsafeLoad(fromByteOffset: index, as: UInt8.self))
        }
    }

    /// A worker's end, which there must be.
    static func producer(of writer: TraceWriter, _ index: Int = 0) throws -> TraceProducer {
        guard let producer = writer.producer(index) else { throw CaptureError(.usage, file: "", reason: "none") }
        return producer
    }

    @discardableResult
    static func append(
        _ producer: inout TraceProducer,
        point: UInt16 = 0,
        direction: TraceDirection = .inbound,
        id: UInt64 = 1,
        time: UInt64 = 1_700_000_000_000_000_123,
        verdict: UInt8? = nil,
        text: String = "",
        head: [UInt8],
        tail: [UInt8] = [],
        length: Int = 0
    ) -> Bool {
        let annotation = Array(text.utf8)
        return unsafe producer.append(
            point: point,
            direction: direction,
            packetID: id,
            time: time,
            verdict: verdict,
            annotation: annotation.span.bytes,
            head: head.span.bytes,
            tail: tail.span.bytes,
            originalLength: length
        )
    }

    /// A trace of three packets.
    static func write(_ path: String, _ options: TraceOptions) throws {
        let writer = try TraceWriter(path: path, options: options, comment: comment)
        var producer = try TraceWriterTests.producer(of: writer)
        let packet = datagram(61)
        append(&producer, id: 9, verdict: 4, text: "culvert: verdict=forward", head: packet)
        append(
            &producer,
            point: 1,
            direction: .outbound,
            id: 9,
            head: Array(packet[..<28]),
            tail: Array(packet[28...])
        )
        append(&producer, point: 2, direction: .unknown, id: 10, verdict: 1, text: "x", head: packet, length: 1500)
        let isWrong = append(&producer, point: 3, head: packet)
        #expect(!isWrong)
        producer.flush()
        try writer.finish()
        try writer.finish()
    }

    @Test("what is written is read back")
    func roundTrip() throws {
        let scratch = try Scratch()
        let path = scratch.path + "/t.pcapng"
        try Self.write(path, Self.options)
        let result = PcapngReaderTests.events(path)
        #expect(result.3 == nil)
        let packets = result.events.compactMap { if case .packet(let packet) = $0 { packet } else { nil } }
        let statistics = result.events.compactMap { if case .statistics(let found) = $0 { found } else { nil } }
        guard case .section(let section) = result.events.first else {
            throw CaptureError(.format, file: "", reason: "")
        }
        #expect(section.application == "culvert 0.1")
        #expect(section.comment == "scenario: test; seed=1")
        #expect(packets.map(\.interface) == [0, 1, 2])
        #expect(packets.map(\.direction) == [.inbound, .outbound, .unknown])
        #expect(packets.map(\.packetID) == [9, 9, 10])
        #expect(packets.map(\.verdict) == [4, nil, 1])
        #expect(packets.map(\.verdictKind) == [2, 0, 2])
        #expect(packets.map(\.time).allSatisfy { $0 == 1_700_000_000_000_000_123 })
        #expect(packets.map(\.wireLength) == [61, 61, 1500])
        #expect(result.bytes == [datagram(61), datagram(61), datagram(61)])
        #expect(result.comments == [["culvert: verdict=forward"], [], ["x"]])
        #expect(statistics.map(\.received) == [1, 1, 1])
        #expect(statistics.map(\.dropped) == [0, 0, 0])
        #expect(readAll(path).packets.map(\.number) == [1])
    }

    @Test("the same trace has the same bytes; verdicts can be left out")
    func determinism() throws {
        let scratch = try Scratch()
        try Self.write(scratch.path + "/a", Self.options)
        try Self.write(scratch.path + "/b", Self.options)
        #expect(contents(of: scratch.path + "/a") == contents(of: scratch.path + "/b"))
        var plain = Self.options
        plain.verdicts = nil
        try Self.write(scratch.path + "/c", plain)
        #expect(contents(of: scratch.path + "/a").count - contents(of: scratch.path + "/c").count == 2 * 16)
        #expect(PcapngReaderTests.packets(scratch.path + "/c").packets.allSatisfy { $0.verdict == nil })
    }

    @Test("blocks have the bytes of the specification, whatever the lengths", arguments: [true, false])
    func blocks(withVerdicts: Bool) throws {
        let scratch = try Scratch()
        var options = Self.options
        options.verdicts = withVerdicts ? .trafficControl : nil
        try TraceWriter(path: scratch.path + "/empty", options: options, comment: Self.comment).finish()
        let writer = try TraceWriter(path: scratch.path + "/t", options: options, comment: Self.comment)
        var producer = try Self.producer(of: writer)
        var expected = BlockFile()
        let begin = expected.out.bytes.count
        for length in Array(0...9) + [64, 191, 192, 193, 1500] {
            for cut in [0, length / 2, length] {
                for text in ["", "a", "ab", "abc", "abcd"] {
                    let packet = datagram(length)
                    let verdict: UInt8? = cut == 0 ? nil : UInt8(length & 255)
                    Self.append(
                        &producer,
                        point: 2,
                        direction: .outbound,
                        id: UInt64(length) << 33 | UInt64(cut),
                        verdict: verdict,
                        text: text,
                        head: Array(packet[..<cut]),
                        tail: Array(packet[cut...]),
                        length: 2000
                    )
                    expected.packet(packet, interface: 2, time: 1_700_000_000_000_000_123, wire: 2000) { body in
                        BlockFile.option(&body, 2, [2, 0, 0, 0])
                        var number = Bytes()
                        number.put(UInt64(length) << 33 | UInt64(cut))
                        BlockFile.option(&body, 5, number.bytes)
                        if withVerdicts, let verdict {
                            BlockFile.option(&body, 7, [1, verdict, 0, 0, 0, 0, 0, 0, 0])
                        }
                        if !text.isEmpty { BlockFile.option(&body, 1, Array(text.utf8)) }
                        body.put(UInt32(0))
                    }
                }
            }
        }
        producer.flush()
        try writer.finish()
        // An empty trace is the headers and a statistics block of 52 bytes for each point.
        let header = contents(of: scratch.path + "/empty").count - 3 * 52
        let found = contents(of: scratch.path + "/t").dropFirst(header).dropLast(3 * 52)
        #expect(Array(found) == Array(expected.out.bytes[begin...]))
    }

    @Test("classic pcap: a file for each capture point")
    func classic() throws {
        let scratch = try Scratch()
        var options = Self.options
        options.format = .pcap
        try Self.write(scratch.path + "/t.pcapng", options)
        for point in ["web-1-rx", "web-1-tx", "drop"] {
            let path = "\(scratch.path)/t.\(point).pcap"
            let bytes = contents(of: path)
            #expect(bytes[..<4] == [0x4d, 0x3c, 0xb2, 0xa1])
            #expect(bytes[20..<24] == [101, 0, 0, 0])
            let outcome = readAll(path)
            #expect(outcome.bytes == [datagram(61)])
            #expect(outcome.packets.map(\.time) == [1_700_000_000_000_000_123])
        }
        #expect(throws: CaptureError.self) { try TraceWriter(path: "-", options: options, comment: Self.comment) }
        options.points.append(TracePoint(name: "web-1-rx"))
        #expect(throws: CaptureError.self) {
            try TraceWriter(path: scratch.path + "/t", options: options, comment: Self.comment)
        }
    }

    @Test("a full disk is an error, and what was created goes away")
    func fullDisk() throws {
        let scratch = try Scratch()
        // The headers are written at once, so that a full disk shows before anything depends on the trace.
        #expect(throws: CaptureError(.write, file: "/dev/full", reason: "No space left on device")) {
            _ = try TraceWriter(path: "/dev/full", options: Self.options, comment: Self.comment)
        }

        var options = Self.options
        options.format = .pcap
        #expect(unsafe symlink("/dev/full", scratch.path + "/t.drop.pcap") == 0)
        _ = scratch.file("t.web-1-tx.pcap", [])
        #expect(throws: CaptureError.self) { try Self.write(scratch.path + "/t", options) }
        #expect(unsafe access(scratch.path + "/t.web-1-rx.pcap", F_OK) != 0, "created for the trace")
        #expect(unsafe access(scratch.path + "/t.web-1-tx.pcap", F_OK) == 0, "was there before")
        #expect(unsafe access("/dev/full", F_OK) == 0)
        #expect(throws: CaptureError.self) { try Self.write(scratch.path + "/none/t", Self.options) }
    }

    /// One of three files is a pipe whose reader goes away, after something was written to another one.
    @Test("what was written before a failure stays where that is asked for", arguments: [true, false])
    func unfinished(keepsUnfinished: Bool) throws {
        signal(SIGPIPE, SIG_IGN)
        let scratch = try Scratch()
        var options = Self.options
        options.format = .pcap
        options.keepsUnfinished = keepsUnfinished
        let pipe = scratch.path + "/t.drop.pcap"
        #expect(unsafe mkfifo(pipe, 0o600) == 0)
        let reader = unsafe open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        let writer = try TraceWriter(path: scratch.path + "/t", options: options, comment: Self.comment)
        var producer = try Self.producer(of: writer)
        let received = scratch.path + "/t.web-1-rx.pcap"
        for _ in 0..<10 { Self.append(&producer, head: datagram(61)) }
        producer.flush()
        for _ in 0..<1000 where contents(of: received).count < 24 + 10 * (16 + 61) { usleep(10_000) }
        close(reader)
        // A program that another test starts holds every descriptor of this process for a moment, until its exec.
        var reason: Int32 = 0
        for _ in 0..<10_000 where reason == 0 {
            let probe = unsafe open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            reason = probe < 0 ? errno : 0
            if probe >= 0 { close(probe) }
            if reason == 0 { usleep(1000) }
        }
        #expect(reason == ENXIO, "nobody reads the pipe")
        Self.append(&producer, point: 2, head: datagram(61))
        producer.flush()
        let error = #expect(throws: CaptureError.self) { try writer.finish() }
        #expect(error?.kind == .closedPipe)
        #expect(error == producer.failure)
        let isThere = unsafe access(received, F_OK) == 0
        #expect(isThere == keepsUnfinished)
        if isThere { #expect(readAll(received).bytes == Array(repeating: datagram(61), count: 10)) }
        // What is not finished goes in any case.
        _ = try TraceWriter(path: scratch.path + "/u", options: options, comment: Self.comment)
        #expect(unsafe access(scratch.path + "/u.web-1-rx.pcap", F_OK) != 0)
    }

    @Test("a closed pipe is an error of its own kind")
    func closedPipe() throws {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        let writer = try TraceWriter(path: "/dev/fd/\(ends[1])", options: Self.options, comment: Self.comment)
        close(ends[0])
        close(ends[1])
        var producer = try TraceWriterTests.producer(of: writer)
        let packet = datagram(1400)
        for _ in 0..<2000 { Self.append(&producer, head: packet) }
        producer.flush()
        let error = #expect(throws: CaptureError.self) { try writer.finish() }
        #expect(error?.kind == .closedPipe)
    }

    @Test(
        "other programs read the trace",
        arguments: [
            "tcpdump -nr FILE 2>/dev/null | wc -l | grep -qx 3",
            "capinfos FILE 2>/dev/null | grep -q 'Name = web-1:rx'",
            "tshark -r FILE -Y 'frame.interface_name == \"web-1:rx\"' -T fields -e frame.comment -e frame.packet_id "
                + "-e frame.packet_flags_direction 2>/dev/null | tr '\\t' ' ' | "
                + "grep -qx 'culvert: verdict=forward 9 0x00000001'",
            "tshark -r FILE -Y 'frame.verdict.ebpf_xdp == 4' 2>/dev/null | wc -l | grep -qx 1",
            "tshark -r FILE -N n -Y 'ip.src_host == \"client.default.pod\"' 2>/dev/null | wc -l | grep -qx 3",
        ]
    )
    func otherReaders(command: String) throws {
        let scratch = try Scratch()
        let path = scratch.path + "/t.pcapng"
        try Self.write(path, Self.options)
        let program = command.prefix { $0 != " " }
        guard unsafe system("command -v \(program) >/dev/null") == 0 else { return }
        let parts = command.split(separator: "FILE", omittingEmptySubsequences: false)
        #expect(unsafe system(parts.joined(separator: path)) == 0)
    }
}
