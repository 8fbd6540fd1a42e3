import Capture
import Glibc
import Testing

@Suite struct CaptureReaderTests {
    static let ethernet: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]

    struct Link: Sendable {
        var what: String
        var link: UInt32
        var header: [UInt8]
        var fault: LinkFault?
        var payload = datagram()
    }

    static let links: [Link] = [
        Link(what: "Ethernet", link: 1, header: ethernet + [8, 0]),
        Link(what: "one VLAN tag", link: 1, header: ethernet + [0x81, 0, 0xaf, 0xff, 8, 0]),
        Link(what: "two VLAN tags", link: 1, header: ethernet + [0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 8, 0]),
        Link(what: "the old outer tag", link: 1, header: ethernet + [0x91, 0, 0, 1, 8, 0]),
        Link(
            what: "three VLAN tags",
            link: 1,
            header: ethernet + [0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0],
            fault: .unsupportedVLAN
        ),
        Link(what: "half a MAC", link: 1, header: [2, 0, 0], fault: .shortEthernet, payload: []),
        Link(what: "no frame", link: 1, header: [], fault: .shortEthernet, payload: []),
        Link(what: "half a tag", link: 1, header: ethernet + [0x81, 0, 0], fault: .shortVLAN, payload: []),
        Link(what: "no IP behind", link: 1, header: ethernet + [8, 0], payload: []),
        Link(what: "ARP", link: 1, header: ethernet + [8, 6], fault: .unsupportedEtherType),
        Link(what: "LLC", link: 1, header: ethernet + [0, 40], fault: .unsupportedEtherType),
        Link(what: "IPv6", link: 1, header: ethernet + [0x86, 0xdd], fault: .unsupportedIPv6),
        Link(
            what: "a group source",
            link: 1,
            header: [2, 0, 0, 0, 0, 2, 0xff, 255, 255, 255, 255, 255, 8, 0],
            fault: .martianL2
        ),
        Link(
            what: "ARP from a group",
            link: 1,
            header: [2, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 8, 6],
            fault: .unsupportedEtherType
        ),
        Link(what: "a group destination", link: 1, header: [1, 0, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 1, 8, 0]),
        Link(what: "RAW", link: 101, header: []), Link(what: "RAW, BSD", link: 12, header: []),
        Link(what: "RAW, OpenBSD", link: 14, header: []), Link(what: "IPv4", link: 228, header: []),
        Link(what: "an empty RAW packet", link: 101, header: [], payload: []),
        Link(what: "IPv6 in RAW: not judged here", link: 101, header: [], payload: [0x60, 0, 0, 0]),
        Link(what: "NULL, little-endian", link: 0, header: [2, 0, 0, 0]),
        Link(what: "NULL, big-endian", link: 0, header: [0, 0, 0, 2]),
        Link(what: "NULL, IPv6 of Darwin", link: 0, header: [30, 0, 0, 0], fault: .unsupportedIPv6),
        Link(what: "NULL, IPX", link: 0, header: [23, 0, 0, 0], fault: .unsupportedEtherType),
        Link(what: "NULL, cut", link: 0, header: [2, 0], fault: .shortEthernet, payload: []),
        Link(what: "LOOP", link: 108, header: [0, 0, 0, 2]),
        Link(what: "SLL", link: 113, header: [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0]),
        Link(
            what: "SLL, ARP",
            link: 113,
            header: [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 6],
            fault: .unsupportedEtherType
        ),
        Link(what: "SLL, cut", link: 113, header: [0, 0, 0, 1, 0, 6, 2], fault: .shortEthernet, payload: []),
        Link(what: "SLL2", link: 276, header: [8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]),
        Link(
            what: "SLL2, VLAN",
            link: 276,
            header: [0x81, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0, 7, 8, 0]
        ),
    ]

    @Test("the network layer is found behind every link layer", arguments: links)
    func linkTypes(row: Link) throws {
        let scratch = try Scratch()
        var file = ClassicFile(link: row.link)
        file.packet(row.header + row.payload)
        let outcome = readAll(scratch.file("a.pcap", file.out.bytes))
        #expect(outcome.error == nil)
        let packet = try #require(outcome.packets.first)
        #expect(packet.fault == row.fault)
        #expect(packet.number == 1)
        #expect(!packet.isTruncated || row.fault != nil)
        if row.fault == nil || row.fault == .unsupportedIPv6 { #expect(outcome.bytes == [row.payload]) }
    }

    @Test("every byte order and time resolution", arguments: [false, true], [false, true])
    func byteOrders(isBigEndian: Bool, isNano: Bool) throws {
        let scratch = try Scratch()
        var file = ClassicFile(isBigEndian: isBigEndian, isNano: isNano)
        file.packet(datagram(), time: 1_700_000_000_123_456_000)
        file.packet(datagram(), time: 4_000_000_000_999_999_000)  // After 2038.
        file.packet(datagram(), time: 0)
        let outcome = readAll(scratch.file("a.pcap", file.out.bytes))
        #expect(outcome.error == nil)
        #expect(outcome.packets.map(\.time) == [1_700_000_000_123_456_000, 4_000_000_000_999_999_000, 0])
    }

    @Test("cut packets are flagged, and never overflow the span")
    func truncation() throws {
        let scratch = try Scratch()
        var file = ClassicFile(link: 1)
        file.packet(Self.ethernet + [8, 0] + datagram(28), wire: 14 + 1000)
        file.packet(Self.ethernet + [8, 0] + datagram(300))
        file.packet(Self.ethernet + [8, 0] + datagram(28) + [0, 0, 0, 0])
        file.packet(Self.ethernet + [8, 0] + datagram(28), wire: 3)  // Less than there is: a lie.
        let outcome = readAll(scratch.file("a.pcap", file.out.bytes), span: 100)
        #expect(outcome.packets.map(\.capturedLength) == [28, 100, 32, 28])
        #expect(outcome.packets.map(\.wireLength) == [1000, 300, 32, 28])
        #expect(outcome.packets.map(\.isTruncated) == [true, true, false, false])
        #expect(outcome.bytes[1] == Array(datagram(300)[..<100]))
        #expect(readAll(scratch.path + "/a.pcap", span: 0).packets.map(\.capturedLength) == [0, 0, 0, 0])
    }

    @Test("a filter leaves packets out, and their numbers stay", arguments: [true, false])
    func filters(isClassic: Bool) throws {
        let scratch = try Scratch()
        var classic = ClassicFile()
        var blocks = BlockFile()
        blocks.interface(link: 101)
        for last in 1...4 {
            classic.packet(datagram(last: UInt8(last)))
            blocks.packet(datagram(last: UInt8(last)))
        }
        let path = scratch.file("a", isClassic ? classic.out.bytes : blocks.out.bytes)
        let outcome = readAll(path, filter: "src host 10.0.0.2 or src host 10.0.0.4")
        #expect(outcome.packets.map(\.number) == [2, 4])
        #expect(outcome.filtered == 2)
        #expect(readAll(path, filter: "tcp").packets.isEmpty)
        let error = try #require(readAll(path, filter: "sorce host").error)
        #expect(error.kind == .filter)
        #expect(error.description.hasPrefix("filter 'sorce host': "))
        #expect(throws: CaptureError.self) { try CaptureFilter("((") }
    }

    @Test("a damaged file gives what is before the damage, then the error", arguments: [true, false])
    func damage(isClassic: Bool) throws {
        let scratch = try Scratch()
        var classic = ClassicFile()
        var blocks = BlockFile()
        blocks.interface()
        for _ in 0..<3 {
            classic.packet(datagram())
            blocks.packet(datagram())
        }
        let path = scratch.file("a", (isClassic ? classic.out.bytes : blocks.out.bytes).dropLast(7))
        let outcome = readAll(path)
        #expect(outcome.packets.count == 2)
        let error = try #require(outcome.error)
        #expect(error.kind == .damaged)
        #expect(error.packet == 3)
        #expect(error.description.hasPrefix("\(path): packet 3: "))
    }

    @Test("what is no capture is refused with a reason")
    func refusals() throws {
        let scratch = try Scratch()
        var other = ClassicFile(link: 105)
        other.packet(datagram())
        let rows: [([UInt8], String)] = [
            ([], "the file is empty"), ([0x1f, 0x8b, 8, 0], "compressed with gzip"),
            (Array("<!DOCTYPE html><html></html>".utf8), "unknown file format"),
            (other.out.bytes, "link type 105 (IEEE802_11)"), ([0xd4, 0xc3, 0xb2], "truncated"),
        ]
        for (bytes, reason) in rows {
            let error = try #require(readAll(scratch.file("a", bytes)).error)
            #expect(error.kind == .format)
            #expect(error.description.contains("/a: ") && error.description.contains(reason), "\(error)")
        }
        #expect(readAll(scratch.path + "/none").error?.description == "\(scratch.path)/none: No such file or directory")
        #expect(readAll(scratch.path).error?.description == "\(scratch.path): Is a directory")
    }

    @Test("a pipe works as a file does", arguments: 0..<3)
    func pipes(kind: Int) throws {
        var classic = ClassicFile()
        var blocks = BlockFile(application: kind == 2 ? "culvert 1" : nil)
        blocks.interface(name: "web-1:rx")
        for _ in 0..<300 {
            classic.packet(datagram(100))
            blocks.packet(datagram(100))
        }
        let bytes = kind == 0 ? classic.out.bytes : blocks.out.bytes
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        #expect(unsafe write(ends[1], bytes, bytes.count) == bytes.count)
        close(ends[1])
        let outcome = readAll("/dev/fd/\(ends[0])")
        close(ends[0])
        #expect(outcome.error == nil)
        #expect(outcome.packets.count == 300)
        #expect(outcome.bytes.allSatisfy { $0 == datagram(100) })
    }

    @Test("a pcapng file may mix interfaces")
    func mixedInterfaces() throws {
        let scratch = try Scratch()
        var file = BlockFile()
        file.interface(link: 1, name: "eth0", resolution: 6, snapLength: 65535)
        file.interface(link: 101, name: "tun0", resolution: nil)
        file.packet(Self.ethernet + [8, 0] + datagram(), interface: 0, time: 1_700_000_000_000_001)
        file.packet(datagram(), interface: 1, time: 1_700_000_000_000_002)
        let path = scratch.file("a.pcapng", file.out.bytes)
        let outcome = readAll(path, filter: "udp port 53")
        #expect(outcome.error == nil)
        #expect(outcome.bytes == [datagram(), datagram()])
        #expect(outcome.packets.map(\.time) == [1_700_000_000_000_001_000, 1_700_000_000_000_002_000])
        #expect(outcome.packets.map(\.interface) == [0, 1])
        var reader = try CaptureReader(path: path)
        var frame = [UInt8](repeating: 0, count: 64)
        var elements = frame.mutableSpan
        var bytes = unsafe elements.mutableBytes
        let packet = try #require(try reader.next(into: &bytes))
        let name = reader.interfaceName(of: packet)
        #expect(name == "eth0")
    }

    @Test("a Culvert trace feeds what was received")
    func traces() throws {
        let scratch = try Scratch()
        var file = BlockFile(application: "culvert 1.0")
        for name in ["web-1:rx", "web-1:tx", "drop", "tun9"] { file.interface(name: name) }
        for interface in [0, 1, 0, 2, 3] as [UInt32] { file.packet(datagram(), interface: interface) }
        let outcome = readAll(scratch.file("a.pcapng", file.out.bytes))
        #expect(outcome.packets.map(\.number) == [1, 3, 5])
        #expect(outcome.packets.map(\.interface) == [0, 0, 3])
        var other = BlockFile(application: "dumpcap")
        other.interface(name: "drop")
        other.packet(datagram())
        #expect(readAll(scratch.file("b.pcapng", other.out.bytes)).packets.count == 1)
    }
}
