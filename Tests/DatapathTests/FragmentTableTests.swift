import Datapath
import TestSupport
import Testing
import Wire

@Suite("Many fragments at once")
struct FragmentTableTests {
    typealias W = World

    /// A datagram of four fragments to the UDP ClusterIP, of which all bytes depend on the number.
    private func parts(
        _ number: Int,
        from source: IPv4Address = W.client,
        port: UInt16 = 40000,
        identification: UInt16? = nil
    ) -> [[UInt8]] {
        var generator = TestGenerator(seed: number)
        return udpFragments(
            source,
            port,
            to: W.vip,
            53,
            payload: generator.bytes(700),
            size: 200,
            identification: identification ?? UInt16(truncatingIfNeeded: number)
        )
    }

    /// A later fragment of a datagram whose first one never comes.
    private func orphan(_ number: Int, from source: IPv4Address) -> [UInt8] {
        var builder = PacketBuilder(from: source, to: W.vip)
        builder.identification = UInt16(truncatingIfNeeded: number)
        return builder.fragments(.udp, payload: [UInt8](repeating: 0, count: 24), size: 8)[1]
    }

    @Test("8,000 datagrams of one source at once, in order, in reverse and shuffled: all leave whole", arguments: 0..<3)
    func manyAtOnce(order: Int) {
        var generator = TestGenerator(seed: order)
        let harness = DatapathHarness(batchSize: 64)
        let datagrams = (0..<8000).map { number -> [[UInt8]] in
            switch order {
            case 0: parts(number)
            case 1: parts(number).reversed()
            default: parts(number).shuffled(using: &generator)
            }
        }
        // One fragment of each, then the next one of each.
        var sent = [[[UInt8]]](repeating: [], count: 8000)
        var lost = 0
        for turn in 0..<4 {
            for treatment in harness.send(datagrams.map { Feed($0[turn], at: Double(turn)) }) {
                if treatment.verdict != .forward && treatment.verdict != .hold { lost += 1 }
                for packet in treatment.sent {
                    if let number = Dissection(packet.bytes)?.identification { sent[Int(number)].append(packet.bytes) }
                }
            }
        }
        let broken = sent.enumerated().count { number, fragments in
            guard let whole = reassemble(fragments), let wanted = reassemble(parts(number)) else { return true }
            return !issues(in: whole, .validChecksums, .to(W.backend, port: 5353), .unchanged(since: wanted)).isEmpty
        }
        #expect(broken == 0 && lost == 0)
        #expect(harness.pipeline.heldPackets == 0 && harness.accountingIssues == [])
    }

    @Test("a source has a quarter of the table; what it sends beyond is dropped, and others do not notice")
    func perSource() {
        let harness = DatapathHarness(batchSize: 64)
        let flood = harness.send((0..<8200).map { Feed(orphan($0, from: W.outside)) })
        #expect(flood.count { $0.verdict == .hold } == 8192)
        #expect(flood.suffix(8).allSatisfy { $0.reason == .fragmentTableFull })
        #expect(harness.send(parts(1).reversed().map { Feed($0) }).last?.sent.count == 4)
        // Large ones are counted by the memory that they take: 512 bytes at a time.
        let large = DatapathHarness(batchSize: 64)
        var generator = TestGenerator(seed: 5)
        let payload = generator.bytes(9000)
        let waiting = large.send(
            (0..<4100).map { number in
                let parts = udpFragments(
                    W.outside,
                    1,
                    to: W.vip,
                    53,
                    payload: payload,
                    size: 8000,
                    identification: UInt16(number)
                )
                return Feed(changed(parts[0]) { $0[7] = 125 })
            }
        )
        #expect(waiting.count { $0.verdict == .hold } == 65536 / 16)
        #expect(waiting.last?.reason == .fragmentTableFull)
        #expect(large.send(parts(1).reversed().map { Feed($0) }).last?.sent.count == 4)
        for harness in [harness, large] {
            harness.idle(until: 31)
            #expect(harness.pipeline.heldPackets == 0 && harness.accountingIssues == [])
            let entries = harness.pipeline.maps.first { $0.name == "fragments" }?.entries
            #expect(entries == 0)
        }
    }

    @Test("four floods fill the table; settled datagrams give way, and those that wait do not")
    func fullTable() {
        let harness = DatapathHarness(batchSize: 64)
        // 5,000 datagrams that are complete, and linger.
        #expect(harness.send((0..<5000).flatMap { parts($0).map { Feed($0) } }).allSatisfy { $0.verdict == .forward })
        for source in 0..<4 {
            let address = IPv4Address(203, 0, 113, UInt8(10 + source))
            let flood = harness.send((0..<8192).map { Feed(orphan($0, from: address)) })
            #expect(flood.allSatisfy { $0.verdict == .hold })
        }
        let refused = harness.send(parts(1, from: W.outside)[1])
        #expect(refused.reason == .fragmentTableFull)
        harness.idle(until: 31)
        #expect(harness.send(parts(9).reversed().map { Feed($0, at: 32) }).last?.sent.count == 4)
    }

    @Test("a fragment that comes again after its datagram neither waits nor ends up in the next one")
    func lateRepetition() {
        for place in 0..<4 {
            let harness = DatapathHarness()
            let first = parts(1, identification: 7)
            harness.send(first.map { Feed($0) })
            let again = harness.send(first[place], at: 1)
            #expect(again.summary == "forward - new" && again.sent.count == 1)
            #expect(harness.pipeline.heldPackets == 0)
            // The next datagram with its identification, last fragment first, to another flow.
            let second = parts(2, port: 40001, identification: 7)
            let treatments = harness.send(second.reversed().map { Feed($0, at: 2) })
            #expect(treatments.map(\.verdict) == [.hold, .hold, .hold, .forward])
            let whole = reassemble(treatments.flatMap(\.sent).map(\.bytes))
            let wanted = reassemble(second)
            #expect(whole.map { issues(in: $0, .unchanged(since: wanted ?? []), .validChecksums) } == [])
            #expect(harness.accountingIssues == [])
        }
    }

    @Test("after a refusal the next first fragment is judged anew")
    func afterRefusal() {
        let harness = DatapathHarness()
        let parts = parts(1)
        let dying = changed(parts[0]) { $0[8] = 1 }
        #expect(harness.send(dying).reason == .ttlExpired)
        #expect(harness.send(parts[1]).reason == .ttlExpired)
        #expect(harness.send(parts.map { Feed($0, at: 1) }).allSatisfy { $0.verdict == .forward })
    }

    @Test("the same place with other bytes is an overlap; bytes of two datagrams are never mixed")
    func otherBytes() {
        for isReversed in [false, true] {
            let harness = DatapathHarness()
            let (mine, theirs) = (parts(1, identification: 7), parts(2, port: 40001, identification: 7))
            var feeds = zip(mine, theirs).flatMap { [Feed($0), Feed($1)] }
            if isReversed { feeds.reverse() }
            let sent = harness.send(feeds).flatMap(\.sent).filter { !$0.isGenerated }.map(\.bytes)
            #expect(sent.count < 4 && reassemble(sent) == nil)
            #expect(harness.pipeline.counters[.fragmentOverlap] > 0 && harness.accountingIssues == [])
        }
    }

    @Test("nothing lies behind the last fragment, and there is one last fragment")
    func ends() {
        let parts = parts(1)
        let early = changed(parts[1]) { $0[6] &= 0xdf }
        for order in [[early, parts[2]], [parts[2], early], [parts[3], changed(parts[3]) { $0[7] += 100 }]] {
            let harness = DatapathHarness()
            let treatments = harness.send(order.map { Feed($0) })
            #expect(treatments[0].verdict == .hold && treatments[1].reason == .fragmentOverlap)
        }
    }

    /// A datagram to the UDP NodePort, in fragments of 1,500 bytes.
    private func long(_ number: Int, _ length: Int) -> [[UInt8]] {
        var generator = TestGenerator(seed: number)
        return udpFragments(
            W.outside,
            UInt16(2000 + number),
            to: W.node,
            30053,
            payload: generator.bytes(length),
            size: 1480,
            identification: UInt16(number)
        )
    }

    @Test("released fragments that must be cut again leave alike, whatever the size of the batch")
    func cutAgain() {
        var world = World()
        world.interfaces[0].mtu = 68
        // All of a batch are first fragments that release three others, which fall into 94 pieces together.
        let datagrams = (0..<64).map { long($0, 4500) }
        let feeds = datagrams.flatMap { $0.dropFirst().map { Feed($0) } } + datagrams.map { Feed($0[0]) }
        let reference = DatapathHarness(world, batchSize: 1)
        let expected = reference.send(feeds)
        #expect(expected.last?.sent.count == 95 && reference.pipeline.counters[.drop] == 0)
        for batchSize in [7, 64] {
            let found = DatapathHarness(world, batchSize: batchSize).send(feeds)
            let differences = zip(expected, found).count { !$0.agrees(with: $1) }
            #expect(differences == 0)
        }
        // The longest datagram there is, in the smallest pieces there are.
        let longest = DatapathHarness(world).send(long(0, 65507).reversed().map { Feed($0) })
        #expect(longest.last?.sent.count == 1373)
        let whole = longest.last.flatMap { reassemble($0.sent.map(\.bytes)) }
        #expect(whole.map { issues(in: $0, .validChecksums, .from(W.node)) } == [])
    }

    @Test("a fragment follows only the flow that its first one belonged to")
    func flowGone() {
        let harness = DatapathHarness()
        let parts = parts(1)
        harness.send(parts[0])
        harness.removeFlows()
        #expect(harness.send(parts[1]).reason == .fragmentNoFirst)
        // Nor one that has come into its record since.
        harness.send(udp(W.client, 50000, to: W.outside, 9))
        #expect(harness.send(parts[2]).reason == .fragmentNoFirst)
    }
}
