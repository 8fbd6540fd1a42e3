import Datapath
import TestSupport
import Testing
import Wire

/// Packets of a TUN with offloads go the way that the same packets go without.
@Suite("Partial checksums and super-packets")
struct OffloadTests {
    typealias W = World

    private func feed(_ packet: (bytes: [UInt8], header: VirtioNetHeader)) -> Feed {
        var feed = Feed(packet.bytes)
        feed.header = packet.header
        return feed
    }

    /// A datapath with a flow from client to backend whose handshake is over, and the packets of either direction.
    private func established(
        _ world: World = World(),
        to address: IPv4Address,
        _ port: UInt16,
        from client: IPv4Address
    )
        -> (harness: DatapathHarness, reply: (IPv4Address, UInt16))?
    {
        let harness = DatapathHarness(world)
        guard let first = harness.send(tcp(client, 40000, to: address, port)).only.flatMap({ Dissection($0.bytes) })
        else { return nil }
        harness.send(tcp(W.backend, 8080, to: first.source, first.sourcePort, [.syn, .ack]))
        harness.send(tcp(client, 40000, to: address, port, .ack))
        return (harness, (first.source, first.sourcePort))
    }

    private static let ways: [(to: IPv4Address, port: UInt16, from: IPv4Address)] = [
        (W.vip, 80, W.client), (W.node, 30080, W.outside), (W.vip, 80, W.backend), (W.backend, 8080, W.client),
    ]

    @Test("a partial checksum that is translated and then completed is the completed one translated", arguments: 0..<30)
    func partial(seed: Int) throws {
        var generator = TestGenerator(seed: seed)
        let payload = generator.bytes(generator.pick(1..<900))
        for way in Self.ways {
            let with = try #require(established(to: way.to, way.port, from: way.from))
            let without = try #require(established(to: way.to, way.port, from: way.from))
            let back = with.reply
            for packet in [
                tcp(way.from, 40000, to: way.to, way.port, [.psh, .ack], payload: payload),
                tcp(W.backend, 8080, to: back.0, back.1, [.psh, .ack], payload: payload),
            ] {
                let one = with.harness.send([feed(Superpackets.partial(packet))])[0]
                let other = without.harness.send(packet)
                #expect(one.verdict == other.verdict && one.only?.egress == other.only?.egress)
                #expect(one.only?.header.needsChecksum == true && other.only?.header == .plain)
                #expect(one.only?.onWire == other.only?.onWire)
                #expect(issues(in: one.only?.onWire.first ?? [], .validChecksums) == [])
            }
        }
    }

    @Test("UDP as well, where a sum of zero is no missing checksum", arguments: 0..<30)
    func partialUDP(seed: Int) throws {
        var generator = TestGenerator(seed: seed)
        let ways: [(IPv4Address, UInt16, IPv4Address)] = [(W.vip, 53, W.client), (W.node, 30053, W.outside)]
        for (address, port, client) in ways {
            var packet = udp(client, 40000, to: address, port, payload: generator.bytes(generator.pick(2..<400)))
            if seed < 5 {
                // Payload that makes the checksum zero, or the partial sum anything.
                let sum = UInt32(try #require(Dissection(packet)).transportChecksum)
                let first = UInt32(packet[28]) << 8 | UInt32(packet[29])
                let folded = (first + sum) % 0xffff
                packet[28] = UInt8(folded >> 8)
                packet[29] = UInt8(folded & 255)
                packet = Superpackets.completed(packet)
                #expect(Dissection(packet)?.transportChecksum == 0xffff)
            }
            let one = DatapathHarness().send([feed(Superpackets.partial(packet))])[0]
            let other = DatapathHarness().send(packet)
            let wire = try #require(one.only?.onWire.first)
            #expect(issues(in: wire, .validChecksums, .payload(Array(packet[28...]))) == [])
            #expect(Dissection(wire)?.transportChecksum != 0)
            // The same but for the two forms of zero.
            #expect(zip(wire, try #require(other.only?.bytes)).allSatisfy { $0 == $1 } || seed < 5)
        }
    }

    @Test("a super-packet leaves as one, and is on a wire what its segments would have been", arguments: 0..<20)
    func superpacket(seed: Int) throws {
        var generator = TestGenerator(seed: seed)
        let size = generator.pick([1, 536, 1000, 1448, 1460])
        let payload = generator.bytes(min(size * generator.pick(2..<46) + generator.pick(0..<size), 65000))
        for way in Self.ways {
            let with = try #require(established(to: way.to, way.port, from: way.from))
            let without = try #require(established(to: way.to, way.port, from: way.from))
            let (bytes, header) = Superpackets.make(
                tcp(way.from, 40000, to: way.to, way.port, [.psh, .ack, .cwr], payload: payload),
                size: size
            )
            let one = with.harness.send([feed((bytes, header))])[0]
            let sent = try #require(one.only)
            #expect(sent.header.segmentation == .tcp4 && sent.header.segmentSize == UInt16(size))
            #expect(sent.header.reducesWindow && sent.header.headerLength == 40)
            let wire = sent.onWire
            let others = Superpackets.onWire(bytes, header).map { without.harness.send($0) }
            #expect(wire.count == others.count && wire.count == one.packet.segmentCount)
            #expect(wire == others.map { $0.only?.bytes ?? [] })
            #expect(one.packet.conntrack == others[0].packet.conntrack)
        }
    }

    @Test("datagrams in one frame as well, the first of a flow too")
    func datagrams() throws {
        var generator = TestGenerator(seed: 3)
        let payload = generator.bytes(100 * 17 + 33)
        let (bytes, header) = Superpackets.make(udp(W.client, 5, to: W.vip, 53, payload: payload), size: 100)
        let one = DatapathHarness().send([feed((bytes, header))])[0]
        #expect(one.summary == "forward - new" && one.only?.header.segmentation == .udp)
        let harness = DatapathHarness()
        let others = Superpackets.onWire(bytes, header).map { harness.send($0).only?.bytes ?? [] }
        #expect(others.count == 18)
        #expect(one.only?.onWire == others)
    }

    @Test("segments that are too long for the egress: an error that quotes the first one, or fragments of each")
    func tooLong() throws {
        var world = World()
        world.interfaces[Int(W.uplink)].mtu = 600
        for doesNotFragment in [true, false] {
            for way in [(from: W.client, to: W.outside), (from: W.backend, to: W.remoteBackend)] {
                let payload = (0..<2500).map { UInt8(truncatingIfNeeded: $0 &* 7) }
                let (bytes, header) = Superpackets.make(
                    tcp(way.from, 40000, to: way.to, 80, payload: payload) {
                        if !doesNotFragment { $0.flagsAndOffset = 0 }
                    },
                    size: 1000
                )
                let one = DatapathHarness(world).send([feed((bytes, header))])[0]
                let harness = DatapathHarness(world)
                let others = Superpackets.onWire(bytes, header).map { harness.send($0) }
                #expect(one.summary == others[0].summary)
                if doesNotFragment {
                    #expect(one.summary.hasPrefix("reject oversize") && one.sent.count == 1)
                    #expect(one.only?.bytes == others[0].only?.bytes)
                } else {
                    #expect(one.sent.map(\.bytes) == others.flatMap { $0.sent.map(\.bytes) })
                    let numbers: [UInt64] = [1, 1, 2, 2, 3, 3]
                    #expect(one.sent.map(\.number) == Array(numbers.prefix(one.sent.count)))
                }
            }
        }
    }

    @Test("fragments of a partial packet and of masqueraded segments are put together rightly")
    func fragments() throws {
        var world = World()
        world.interfaces[Int(W.pods)].mtu = 600
        let payload = (0..<2600).map { UInt8(truncatingIfNeeded: $0 &* 11) }
        let packet = udp(W.outside, 5, to: W.node, 30053, payload: payload) { $0.flagsAndOffset = 0 }
        for (input, count) in [
            (Superpackets.partial(packet), 1), (Superpackets.make(packet, size: 1300), 2),
        ] {
            let one = DatapathHarness(world).send([feed(input)])[0]
            #expect(one.verdict == .forward && one.sent.allSatisfy { $0.header == .plain && $0.bytes.count <= 600 })
            var parts: [UInt16: [[UInt8]]] = [:]
            for sent in one.sent { parts[Dissection(sent.bytes)?.identification ?? 0, default: []].append(sent.bytes) }
            let whole = parts.values.compactMap { reassemble($0) }
            #expect(parts.count == count && whole.count == count)
            #expect(whole.allSatisfy { issues(in: $0, .validChecksums, .from(W.node)) == [] })
            let carried = whole.compactMap { Dissection($0)?.payload }
            #expect(
                Set(carried)
                    == Set(stride(from: 0, to: 2600, by: 2600 / count).map { Array(payload[$0..<$0 + 2600 / count]) })
            )
        }
    }

    @Test("an error quotes a packet with the checksum that it has on a wire")
    func quotes() throws {
        for packet in [
            tcp(W.client, 40000, to: W.emptyVIP, 80), udp(W.client, 40000, to: W.emptyVIP, 80, payload: [1, 2, 3]),
        ] {
            let one = DatapathHarness().send([feed(Superpackets.partial(packet))])[0]
            #expect(one.verdict == .reject)
            #expect(issues(in: one.only, .validChecksums, .quote(packet)) == [])
        }
    }

    @Test("each datagram for the cluster's DNS is a query of its own")
    func queries() throws {
        let name = "web.default.svc.cluster.local"
        let one = DNSQuestion(name).bytes
        let (bytes, header) = Superpackets.make(
            udp(W.client, 40000, to: W.dns, 53, payload: one + one + one + Array(one.dropLast(9))),
            size: one.count
        )
        let treatment = DatapathHarness().send([feed((bytes, header))])[0]
        #expect(treatment.summary == "answer - untracked" && treatment.sent.count >= 3)
        #expect(treatment.sent.map(\.number) == Array(1...UInt64(treatment.sent.count)))
        for sent in treatment.sent.prefix(3) {
            let answer = Dissection(sent.bytes).flatMap { DNSDissection(Array($0.carried.dropFirst(8))) }
            #expect(answer?.summary == "NOERROR ; \(name) A 10.96.0.11")
            #expect(issues(in: sent, .validChecksums) == [])
        }
        var other = Superpackets.make(udp(W.client, 40000, to: W.dns, 53, payload: [1, 2, 3, 4, 5]), size: 2)
        other.header.headerLength = 28
        #expect(DatapathHarness().send([feed(other)])[0].summary == "drop dns.no_query untracked")
    }

    @Test("the checksum of a packet in a tunnel is completed")
    func tunnel() throws {
        let inner = Superpackets.partial(tcp(W.outside, 1, to: W.client, 2, payload: [1, 2, 3]))
        let outer = udp(W.client, 4789, to: W.outside, 4789, payload: inner.bytes, checksum: false)
        var header = inner.header
        header.checksumStart += 28
        let treatment = DatapathHarness().send([feed((outer, header))])[0]
        let sent = try #require(treatment.only)
        #expect(sent.header == .plain)
        #expect(issues(in: Array(sent.bytes[28...]), .validChecksums) == [])
    }

    @Test("a partial checksum is never taken for a bad one")
    func verification() {
        var world = World()
        world.configuration.verifiesChecksums = true
        let harness = DatapathHarness(world)
        let treatment = harness.send([feed(Superpackets.partial(udp(W.client, 5, to: W.vip, 53)))])[0]
        #expect(!treatment.packet.marks.contains(.badChecksum) && harness.pipeline.counters.badChecksums == 0)
    }

    @Test("any header before any packet: what leaves has a right IPv4 header, and nothing traps", arguments: 0..<200)
    func hostile(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var world = World()
        world.interfaces[Int(W.uplink)].mtu = generator.pick([68, 600, 1500])
        let harness = DatapathHarness(world)
        for _ in 0..<20 {
            let payload = generator.bytes(generator.pick([0, 1, 40, 700, 3000]))
            let packets = [
                tcp(W.client, 40000, to: generator.pick([W.vip, W.outside, W.emptyVIP]), 80, payload: payload) {
                    if generator.chance(30) { $0.flagsAndOffset = UInt16(generator.pick(0..<3)) << 13 }
                },
                udp(W.client, 5, to: generator.pick([W.vip, W.dns, W.outside]), 53, payload: payload),
                udp(W.client, 6, to: W.outside, 53, payload: payload) { $0.flagsAndOffset = 0 },
                echo(W.client, to: W.outside), generator.bytes(generator.pick(1..<60)),
            ]
            var packet = generator.pick(packets)
            if generator.chance(20) { packet = Array(packet.prefix(generator.pick(1..<packet.count + 1))) }
            var feed = Feed(packet)
            let raw = generator.bytes(10)
            feed.header = withBytes(of: raw) { VirtioNetHeader($0) }
            if generator.chance(80) {
                feed.header.needsChecksum = true
                feed.header.segmentation = generator.pick([.none, .tcp4, .udp, .init(rawValue: 3)])
                feed.header.segmentSize = UInt16(generator.pick([0, 1, 8, 100, 65535]))
                feed.header.checksumStart = UInt16(generator.pick([0, 19, 20, 24, 65535]))
                feed.header.checksumOffset = UInt16(generator.pick([0, 2, 6, 16, 65535]))
            }
            let treatment = harness.send([feed])[0]
            for sent in treatment.sent {
                #expect(issues(in: sent.bytes) == [])
                #expect(Dissection(sent.bytes)?.isHeaderChecksumValid == true)
                let wire = sent.onWire
                #expect(wire.allSatisfy { Dissection($0) != nil })
            }
        }
        #expect(harness.accountingIssues.isEmpty)
    }
}
