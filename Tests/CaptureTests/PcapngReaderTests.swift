import Capture
import Glibc
import Testing

@Suite struct PcapngReaderTests {
    /// Everything a file tells: events, packet bytes, comments, and the error at its end.
    static func events(_ path: String) -> (events: [PcapngEvent], bytes: [[UInt8]], comments: [[String]], CaptureError?)
    {
        var result: (events: [PcapngEvent], bytes: [[UInt8]], comments: [[String]]) = ([], [], [])
        do throws(CaptureError) {
            var reader = try PcapngReader(path: path)
            while let event = try reader.next() {
                result.events.append(event)
                guard case .packet = event else { continue }
                let bytes = reader.packetBytes
                result.bytes.append(
                    (0..<bytes.byteCount).map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
                )
                result.comments.append(reader.comments())
            }
            return (result.events, result.bytes, result.comments, nil)
        } catch {
            return (result.events, result.bytes, result.comments, error)
        }
    }

    static func packets(_ path: String) -> (packets: [PcapngPacket], error: CaptureError?) {
        let result = events(path)
        return (
            result.events.compactMap { if case .packet(let packet) = $0 { packet } else { nil } }, result.3
        )
    }

    @Test("both byte orders, all options", arguments: [false, true])
    func options(isBigEndian: Bool) throws {
        let scratch = try Scratch()
        var file = BlockFile(isBigEndian: isBigEndian, application: "somebody")
        file.interface(name: "web-1:rx", resolution: 6)
        file.block(0xbad) { $0.put(UInt32(32473)) }
        file.packet(datagram(), time: 7, wire: 1500) { body in
            var number = Bytes(isBigEndian: isBigEndian)
            number.put(UInt32(0x101))
            BlockFile.option(&body, 2, number.bytes)
            number.bytes = []
            number.put(UInt64(77))
            BlockFile.option(&body, 5, number.bytes)
            number.bytes = [2]
            number.put(UInt64(4))
            BlockFile.option(&body, 7, number.bytes)
            BlockFile.option(&body, 1, Array("first".utf8))
            BlockFile.option(&body, 1, Array("zweiter ü".utf8))
        }
        file.block(5) { body in
            body.put(UInt32(0))
            body.put(UInt64(0))
            var number = Bytes(isBigEndian: isBigEndian)
            number.put(UInt64(9))
            BlockFile.option(&body, 5, number.bytes)
        }
        let result = Self.events(scratch.file("a", file.out.bytes))
        #expect(result.3 == nil)
        guard result.events.count == 4, case .section(let section) = result.events[0],
            case .packet(let packet) = result.events[2], case .statistics(let statistics) = result.events[3]
        else {
            Issue.record("\(result.events)")
            return
        }
        #expect(section.isBigEndian == isBigEndian)
        #expect(section.application == "somebody")
        #expect(result.events[1] == .interface(0))
        #expect(packet.number == 1 && packet.interface == 0 && packet.time == 7000)
        #expect(packet.capturedLength == 28 && packet.wireLength == 1500)
        #expect(packet.flags == 0x101 && packet.packetID == 77 && packet.verdictKind == 2 && packet.verdict == 4)
        #expect(packet.direction == .inbound)
        #expect(statistics.dropped == 9 && statistics.received == nil)
        #expect(result.bytes == [datagram()])
        #expect(result.comments == [["first", "zweiter ü"]])
    }

    @Test("sections may change the byte order and begin their interfaces anew")
    func sections() throws {
        let scratch = try Scratch()
        var first = BlockFile()
        first.interface()
        first.packet(datagram())
        var second = BlockFile(isBigEndian: true)
        second.packet(datagram())
        let result = Self.packets(scratch.file("a", first.out.bytes + second.out.bytes))
        #expect(result.packets.count == 1)
        #expect(
            result.error?.reason
                == "a packet of interface 0, which is unknown (block at offset \(first.out.bytes.count + 28))"
        )
    }

    @Test(
        "time resolutions and offsets cannot overflow",
        arguments: zip(
            [0, 6, 9, 12, 28, 127, 0x80, 0x80 | 10, 0xff] as [UInt8],
            [
                UInt64.max, 5_000, 5, 0, 0, 0, UInt64.max, 4_882_812, 0,
            ]
        )
    )
    func resolutions(resolution: UInt8, expected: UInt64) throws {
        let scratch = try Scratch()
        var file = BlockFile()
        file.interface(resolution: resolution)
        let huge = expected == .max
        file.packet(datagram(), time: huge ? .max : 5)
        let result = Self.packets(scratch.file("a", file.out.bytes))
        #expect(result.packets.first?.time == expected)
    }

    @Test("damage has an offset and ends the file")
    func damage() throws {
        let scratch = try Scratch()
        var good = BlockFile()
        good.interface()
        let start = good.out.bytes.count
        good.packet(datagram())
        let bytes = good.out.bytes
        let changes: [(offset: Int, value: UInt8, reason: String)] = [
            (start + 4, 0, "a block length of 0 bytes"), (start + 4, 61, "a block length of 61 bytes"),
            (start + 7, 0x7f, "a block length of"), (start + 8, 1, "a packet of interface 1, which is unknown"),
            (start + 21, 1, "a packet of 284 bytes is longer than its block"),
            (bytes.count - 4, 1, "a block of 60 bytes ends with a length of 1"),
        ]
        for change in changes {
            var damaged = bytes
            damaged[change.offset] = change.value
            let result = Self.packets(scratch.file("a", damaged))
            #expect(result.packets.isEmpty)
            #expect(
                result.error?.reason.hasPrefix(change.reason) == true,
                "\(change) \(String(describing: result.error))"
            )
            #expect(result.error?.reason.hasSuffix("(block at offset \(start))") == true)
        }
        #expect(Self.packets(scratch.file("a", Array("no pcapng".utf8))).error?.reason == "not a pcapng file")
        #expect(Self.packets(scratch.file("a", [])).error?.reason == "the file is empty")
    }

    @Test("random damage is survived", arguments: 0..<40 as Range<UInt64>)
    func mutations(seed: UInt64) throws {
        let scratch = try Scratch()
        var random = SplitMix(state: seed)
        var file = BlockFile(isBigEndian: seed % 2 == 0, application: seed % 3 == 0 ? "culvert 1" : nil)
        file.interface(name: "web-1:rx")
        file.interface(link: 1, resolution: nil)
        for index in 0..<6 {
            file.packet(datagram(40 + index), interface: UInt32(index % 2)) { BlockFile.option(&$0, 1, [65, 66, 67]) }
            file.block(UInt32(index)) { $0.put([UInt8](repeating: 1, count: 4 * index + 4)) }
        }
        for _ in 0..<10 {
            var bytes = file.out.bytes
            for _ in 0..<1 + random.below(4) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.below(4) == 0 { bytes.removeLast(random.below(bytes.count)) }
            let path = scratch.file("a", bytes)
            _ = Self.events(path)
            let outcome = readAll(path, filter: random.below(2) == 0 ? "udp" : nil, span: 50)
            #expect(outcome.packets.allSatisfy { $0.capturedLength <= 50 && $0.capturedLength <= $0.wireLength })
        }
    }

    @Test("huge and unknown blocks are passed over in little memory")
    func hugeBlocks() throws {
        let scratch = try Scratch()
        var file = BlockFile()
        file.interface()
        file.block(0x1234) { $0.put([UInt8](repeating: 7, count: 3 << 20)) }
        file.packet(datagram())
        #expect(Self.packets(scratch.file("a", file.out.bytes)).packets.count == 1)
    }
}
