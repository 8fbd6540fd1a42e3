import Datapath
import TestSupport
import Testing
import Wire

/// What is written together is on a wire what it would have been alone.
@Suite("Coalescing")
struct CoalescingTests {
    typealias W = World

    /// A sender of datagrams or segments that mostly continue each other.
    private struct Source {
        var port: UInt16
        var isTCP: Bool
        var doesNotFragment: Bool
        var identification: UInt16
        var sequence: UInt32 = 1001
        var size: Int

        mutating func next(_ generator: inout TestGenerator, to address: IPv4Address) -> [UInt8] {
            var builder = PacketBuilder(from: W.client, to: address)
            builder.identification = identification
            identification &+= generator.chance(92) ? 1 : UInt16(generator.pick(0..<3))
            builder.flagsAndOffset = doesNotFragment ? FragmentField.doNotFragmentBit : 0
            if generator.chance(5) { builder.timeToLive = 63 }
            if generator.chance(5) { builder.typeOfService = 4 }
            if generator.chance(3) { builder.options = [1, 1, 1, 0] }
            let length = generator.chance(88) ? size : generator.pick([0, 1, size - 1, size + 1])
            let payload = generator.bytes(length)
            guard isTCP else { return builder.udp(port, 53, payload: payload, checksum: !generator.chance(4)) }
            var flags: TCPFlags = .ack
            if generator.chance(15) { flags.insert(.psh) }
            if generator.chance(4) { flags.insert(.fin) }
            if generator.chance(3) { flags.insert(.cwr) }
            if generator.chance(3) { flags.insert(.urg) }
            let bytes = builder.tcp(
                port,
                80,
                flags: flags,
                sequence: sequence,
                acknowledgment: generator.chance(95) ? 1001 : 1002,
                window: generator.chance(95) ? 64240 : 64239,
                tcpOptions: [1, 1, 8, 10, 0, 0, 0, generator.chance(95) ? 1 : 2, 0, 0, 0, 3],
                payload: payload
            )
            sequence &+= generator.chance(95) ? UInt32(length) : 7
            return bytes
        }
    }

    private func feed(_ bytes: [UInt8], _ generator: inout TestGenerator) -> Feed {
        var bytes = bytes
        if generator.chance(60) {
            let partial = Superpackets.partial(bytes)
            var feed = Feed(partial.bytes)
            feed.header = partial.header
            return feed
        }
        // A bad checksum must stay bad.
        if generator.chance(10) { bytes[bytes.count - 1] ^= 0x10 }
        return Feed(bytes)
    }

    @Test("any mix of packets: order, bytes, boundaries and flags are the same", arguments: 0..<300)
    func mix(seed: Int) throws {
        var generator = TestGenerator(seed: seed)
        let harness = DatapathHarness()
        let isTCP = generator.chance(50)
        var sources = (0..<generator.pick(1..<4)).map { number in
            Source(
                port: 40000 + UInt16(number),
                isTCP: isTCP,
                doesNotFragment: false,
                identification: generator.port(),
                size: generator.pick([2, 64, 512, 1400])
            )
        }
        if isTCP {
            for source in sources {
                harness.send(tcp(W.client, source.port, to: W.vip, 80))
                harness.send(tcp(W.backend, 8080, to: W.client, source.port, [.syn, .ack]))
            }
        }
        var current = 0
        let changes = generator.pick([5, 20, 100])
        let feeds = (0..<64).map { _ in
            if generator.chance(changes) { current = generator.pick(0..<sources.count) }
            return feed(sources[current].next(&generator, to: W.vip), &generator)
        }
        let (alone, together) = harness.write(feeds)
        #expect(alone.count >= together.count)
        let expected = alone.flatMap(\.onWire)
        let found = together.flatMap(\.onWire)
        #expect(found.count == expected.count)
        // The order of each flow is kept, that between them is not.
        for source in sources {
            let ofSource = { (bytes: [UInt8]) in Dissection(bytes)?.sourcePort == source.port }
            #expect(found.filter(ofSource) == expected.filter(ofSource))
        }
        for one in together { #expect(Dissection(one.bytes)?.isHeaderChecksumValid == true) }
    }

    private func stream(
        _ count: Int,
        size: Int = 64,
        last: Int? = nil,
        doesNotFragment: Bool = true,
        step: UInt16 = 1
    ) -> [Feed] {
        (0..<count).map { number in
            let payload = [UInt8](repeating: UInt8(number), count: number == count - 1 ? last ?? size : size)
            let partial = Superpackets.partial(
                udp(W.client, 5, to: W.vip, 53, payload: payload) {
                    $0.identification = 100 &+ UInt16(number) &* step
                    if !doesNotFragment { $0.flagsAndOffset = 0 }
                }
            )
            var feed = Feed(partial.bytes)
            feed.header = partial.header
            return feed
        }
    }

    @Test("datagrams of one size leave as one, the last may be shorter")
    func datagrams() {
        for last in [64, 63, 1] {
            let (alone, together) = DatapathHarness().write(stream(64, last: last))
            #expect(alone.count == 64 && together.count == 1)
            #expect(together.flatMap(\.onWire) == alone.flatMap(\.onWire))
            #expect(together[0].header.segmentSize == 64 && together[0].header.segmentation == .udp)
        }
        let (_, longer) = DatapathHarness().write(stream(10, last: 65))
        #expect(longer.count == 2 && longer[1].bytes.count == 28 + 65)
    }

    @Test("not more than an IPv4 packet has")
    func limit() {
        let (alone, together) = DatapathHarness().write(stream(64, size: 1400))
        #expect(together.count == 2 && together[0].bytes.count == 28 + 46 * 1400)
        #expect(together.flatMap(\.onWire) == alone.flatMap(\.onWire))
    }

    @Test("identifications count up, unless nothing may be fragmented")
    func identifications() {
        #expect(DatapathHarness().write(stream(20, doesNotFragment: false)).together.count == 1)
        #expect(DatapathHarness().write(stream(20, doesNotFragment: false, step: 2)).together.count == 20)
        #expect(DatapathHarness().write(stream(20, step: 0)).together.count == 1)
    }

    @Test("only what the other side can take apart")
    func kinds() {
        #expect(DatapathHarness().write(stream(20), []).together.count == 20)
        #expect(DatapathHarness().write(stream(20), .tcp).together.count == 20)
        #expect(DatapathHarness().write(stream(20), .udp).together.count == 1)
    }

    @Test("TCP segments that continue each other leave as one, PSH and FIN on the last")
    func segments() {
        let harness = DatapathHarness()
        harness.send(tcp(W.client, 40000, to: W.vip, 80))
        harness.send(tcp(W.backend, 8080, to: W.client, 40000, [.syn, .ack]))
        let feeds = (0..<10).map { number in
            var builder = PacketBuilder(from: W.client, to: W.vip)
            builder.identification = UInt16(number)
            let bytes = builder.tcp(
                40000,
                80,
                flags: number == 9 ? [.ack, .psh, .fin] : .ack,
                sequence: 1001 + UInt32(number) * 1000,
                acknowledgment: 1001,
                payload: [UInt8](repeating: UInt8(number), count: number == 9 ? 17 : 1000)
            )
            return Feed(bytes)
        }
        let (alone, together) = harness.write(feeds)
        #expect(together.count == 1 && together[0].header.segmentation == .tcp4)
        #expect(Dissection(together[0].bytes)?.tcpFlags == 0x19)
        #expect(together.flatMap(\.onWire) == alone.map(\.bytes))
    }

    @Test("interleaved flows have a group each; what cannot go with others keeps its place")
    func interleaved() {
        let feeds = (0..<60).map { number in
            Feed(udp(W.client, 100 + UInt16(number % 3), to: W.vip, 53, payload: [UInt8](repeating: 1, count: 64)))
        }
        let (alone, together) = DatapathHarness().write(feeds)
        #expect(alone.count == 60 && together.count == 3)
        #expect(together.map { Dissection($0.bytes)?.sourcePort } == [100, 101, 102])

        // As a daemon without a trace has them: of flows that are known, and of which nothing is told.
        let silent = DatapathHarness(describesFlows: false)
        for port in 100..<103 as Range<UInt16> {
            silent.send(udp(W.client, port, to: W.vip, 53))
            silent.send(udp(W.backend, 5353, to: W.client, port))
        }
        #expect(silent.write(feeds).together.map { Dissection($0.bytes)?.sourcePort } == [100, 101, 102])

        var mixed = feeds
        mixed.insert(Feed(echo(W.client, to: W.outside)), at: 30)
        let (_, around) = DatapathHarness().write(mixed)
        #expect(around.count == 7)
        #expect(around[3].bytes[9] == 1)
    }
}
