import Datapath
import TestSupport
import Testing
import Wire

@Suite("Fragments")
struct FragmentTests {
    typealias W = World
    private static let payload: [UInt8] = {
        var generator = TestGenerator(seed: 11)
        return generator.bytes(1000)
    }()

    /// Five fragments of a datagram to the UDP ClusterIP.
    private func parts(identification: UInt16 = 7, payload: [UInt8] = payload) -> [[UInt8]] {
        udpFragments(
            W.client,
            40000,
            to: W.vip,
            53,
            payload: payload,
            size: 208,
            identification: identification
        )
    }

    private func expectWhole(
        _ treatments: [Treatment],
        payload: [UInt8] = payload,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let sent = treatments.flatMap(\.sent)
        for part in sent {
            #expect(issues(in: part, .validChecksums, .timeToLive(63)) == [], sourceLocation: sourceLocation)
        }
        let whole = reassemble(sent.map(\.bytes))
        let found = whole.map {
            issues(
                in: $0,
                .from(W.client, port: 40000),
                .to(W.backend, port: 5353),
                .payload(payload),
                .validChecksums
            )
        }
        #expect(found == [], sourceLocation: sourceLocation)
    }

    @Test("in order, each leaves when it comes")
    func inOrder() {
        let harness = DatapathHarness()
        let treatments = harness.send(parts().map { Feed($0) })
        #expect(treatments.map(\.summary) == Array(repeating: "forward - new", count: 5))
        #expect(treatments.allSatisfy { $0.sent.count == 1 })
        expectWhole(treatments)
        #expect(harness.accountingIssues == [])
    }

    @Test(
        "reversed and shuffled, they wait for the first one and leave behind it under their own numbers",
        arguments: 0..<30
    )
    func outOfOrder(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var order = Array(parts().enumerated())
        if seed == 0 { order.reverse() } else { order.shuffle(using: &generator) }
        for batchSize in [1, 7, 64] {
            let harness = DatapathHarness(batchSize: batchSize)
            let treatments = harness.send(order.map { Feed($0.element) })
            guard let first = order.firstIndex(where: { $0.offset == 0 }) else { return }
            for (place, treatment) in treatments.enumerated() {
                #expect(treatment.verdict == (place < first ? .hold : .forward))
                let leaving = place < first ? 0 : place == first ? first + 1 : 1
                #expect(treatment.sent.count == leaving)
            }
            let numbers = (0..<first).map { UInt64($0 + 1) }
            #expect(treatments[first].sent.dropFirst().map(\.number) == numbers)
            let areReleased = [false] + Array(repeating: true, count: first)
            #expect(treatments[first].sent.map(\.isReleased) == areReleased)
            expectWhole(treatments)
            #expect(harness.pipeline.counters[.forward] == 5 && harness.pipeline.heldPackets == 0)
            #expect(harness.accountingIssues == [])
        }
    }

    @Test("replies in fragments are translated back, in any order")
    func replies() {
        for isReversed in [false, true] {
            let harness = DatapathHarness()
            harness.send(udp(W.outside, 40000, to: W.node, 30053))
            var reply = udpFragments(W.backend, 5353, to: W.node, 40000, payload: Self.payload, size: 400)
            if isReversed { reply.reverse() }
            let treatments = harness.send(reply.map { Feed($0) })
            #expect(treatments.last?.summary == "forward - reply")
            let whole = reassemble(treatments.flatMap(\.sent).map(\.bytes))
            let found = whole.map {
                issues(
                    in: $0,
                    .from(W.node, port: 30053),
                    .to(W.outside, port: 40000),
                    .payload(Self.payload),
                    .validChecksums
                )
            }
            #expect(found == [])
        }
    }

    @Test("fragments of other protocols and of pings pass untranslated")
    func untracked() {
        var builder = PacketBuilder(from: W.client, to: W.outside)
        builder.identification = 3
        let gre = builder.fragments(TransportProtocol(rawValue: 47), payload: Self.payload, size: 400)
        let ping = builder.fragments(
            .icmp,
            payload: Array(echo(W.client, to: W.outside, payload: Self.payload)[20...]),
            size: 400
        )
        for parts in [gre, ping] {
            let treatments = DatapathHarness().send(parts.reversed().map { Feed($0) })
            #expect(treatments.map(\.verdict) == [.hold, .hold, .pass])
            #expect(reassemble(treatments.flatMap(\.sent).map(\.bytes)) != nil)
        }
    }

    @Test("fragments to the node are left to it unchanged")
    func local() {
        let parts = udpFragments(W.outside, 40000, to: W.node, 9, payload: Self.payload, size: 400)
        let treatments = DatapathHarness().send(parts.reversed().map { Feed($0) })
        #expect(treatments.map(\.verdict) == [.hold, .hold, .local])
        #expect(treatments[2].sent.map(\.bytes) == [parts[0], parts[2], parts[1]])
        #expect(treatments[2].sent.allSatisfy { $0.egress == W.host })
    }

    @Test("a repetition is no overlap, in either order")
    func repetition() {
        let parts = parts()
        for order in [[0, 1, 1, 2, 3, 4], [0, 0, 1, 2, 3, 4], [4, 4, 1, 0, 2, 3], [0, 1, 2, 3, 3, 4]] {
            let harness = DatapathHarness()
            let treatments = harness.send(order.map { Feed(parts[$0]) })
            #expect(harness.pipeline.counters[.drop] == 0)
            let sent = treatments.flatMap(\.sent).map(\.bytes)
            #expect(sent.count == 6)
            #expect(reassemble(Array(Set(sent)))?.count == 20 + 8 + Self.payload.count)
        }
    }

    @Test("an overlap ends the datagram, what waits of it and what still comes")
    func overlap() {
        let parts = parts()
        let shifted = changed(parts[2]) { $0[7] -= 1 }
        let inside = changed(Array(parts[2].prefix(20 + 16))) {
            $0[2] = 0
            $0[3] = 36
            $0[7] += 4
        }
        for wrong in [shifted, inside] {
            let harness = DatapathHarness()
            let treatments = harness.send([parts[0], parts[1], parts[2], wrong, parts[3]].map { Feed($0) })
            #expect(treatments.map(\.verdict) == [.forward, .forward, .forward, .drop, .drop])
            #expect(treatments[3].reason == .fragmentOverlap && treatments[4].reason == .fragmentOverlap)
            let early = DatapathHarness()
            let held = early.send([parts[2], wrong, parts[0]].map { Feed($0) })
            #expect(held.map(\.verdict) == [.hold, .drop, .drop])
            #expect(early.pipeline.counters[.fragmentOverlap] == 3)
            #expect(early.pipeline.heldPackets == 0 && early.flows.isEmpty)
            #expect(early.accountingIssues == [])
        }
    }

    @Test("a last fragment that ends elsewhere the second time is an overlap")
    func otherEnd() {
        let parts = parts()
        let longer = changed(parts[3]) { $0[6] &= 0xdf }
        let harness = DatapathHarness()
        let treatments = harness.send([parts[0], parts[1], parts[2], parts[3], longer].map { Feed($0) })
        #expect(treatments.prefix(4).allSatisfy { $0.verdict == .forward })
        #expect(treatments[4].reason == .fragmentOverlap)
        #expect(harness.accountingIssues == [])
    }

    @Test("without the first one the others time out after 30 s, counted and gone")
    func timeout() {
        let parts = parts()
        let harness = DatapathHarness()
        harness.send(parts[1], at: 0)
        harness.send(parts[2], at: 29)
        #expect(harness.pipeline.heldPackets == 2)
        harness.idle(until: 29.9)
        #expect(harness.pipeline.counters[.fragmentTimeout] == 0)
        harness.idle(until: 30.1)
        #expect(harness.pipeline.counters[.fragmentTimeout] == 2)
        #expect(harness.pipeline.heldPackets == 0)
        // The first one comes too late for them, and waits for nobody.
        let treatments = harness.send(parts.map { Feed($0, at: 31) })
        expectWhole(treatments)
    }

    @Test("the timeout runs from the first fragment seen, also for what follows the first one")
    func timeoutAfterFirst() {
        let parts = parts()
        let harness = DatapathHarness()
        harness.send(parts[0], at: 0)
        #expect(harness.send(parts[1], at: 29).verdict == .forward)
        #expect(harness.send(parts[2], at: 30.1).verdict == .hold)
    }

    @Test("a refused first one takes the others with it, those that waited and those that come")
    func refused() {
        let parts = udpFragments(W.client, 40000, to: W.emptyVIP, 80, payload: Self.payload, size: 400)
        let harness = DatapathHarness()
        let treatments = harness.send([parts[2], parts[0], parts[1]].map { Feed($0) })
        #expect(treatments.map(\.verdict) == [.hold, .reject, .drop])
        #expect(issues(in: treatments[1].only, .icmp(3, code: 3), .quote(parts[0]), .validChecksums) == [])
        #expect(treatments[2].reason == .noEndpoints)
        #expect(harness.pipeline.counters[.noEndpoints] == 3)
        #expect(harness.accountingIssues == [])
    }

    @Test("TTL 1 on a later fragment is a drop, whether it waited or not")
    func timeToLive() {
        let parts = parts()
        let late = changed(parts[1]) { $0[8] = 1 }
        for order in [[parts[0], late], [late, parts[0]]] {
            let harness = DatapathHarness()
            harness.send(order.map { Feed($0) })
            #expect(harness.pipeline.counters[.ttlExpired] == 1)
            #expect(harness.pipeline.counters[.drop] == 1 && harness.pipeline.counters[.forward] == 1)
        }
    }

    @Test("datagrams with one identification from several senders are kept apart")
    func keys() {
        let harness = DatapathHarness()
        let other = IPv4Address(10, 244, 2, 6)
        let mine = parts()
        let theirs = udpFragments(other, 40000, to: W.vip, 53, payload: Self.payload.reversed(), size: 208)
        let feeds = zip(mine, theirs).flatMap { [Feed($0), Feed($1)] }
        let treatments = harness.send(feeds.reversed())
        let sent = treatments.flatMap(\.sent).map(\.bytes)
        let fromMe = reassemble(sent.filter { Dissection($0)?.source == W.client })
        let fromThem = reassemble(sent.filter { Dissection($0)?.source == other })
        #expect(fromMe.map { issues(in: $0, .payload(Self.payload), .validChecksums) } == [])
        #expect(fromThem.map { issues(in: $0, .payload(Self.payload.reversed()), .validChecksums) } == [])
    }

    @Test("a batch of the longest packets leaves whole, whatever the size of the batch")
    func longest() {
        var generator = TestGenerator(seed: 9)
        let input = udp(W.client, 40000, to: W.vip, 53, payload: generator.bytes(65507)) { $0.flagsAndOffset = 0 }
        let harness = DatapathHarness(batchSize: 64)
        let treatments = harness.send(Array(repeating: Feed(input), count: 64))
        #expect(treatments.allSatisfy { $0.verdict == .forward && $0.sent.count == 45 })
        let whole = reassemble(treatments[63].sent.map(\.bytes))
        #expect(whole.map { issues(in: $0, .unchanged(since: input), .validChecksums) } == [])
        // What would fall into more than 64 pieces is dropped, and leaves no state.
        var world = World()
        world.interfaces[0].mtu = 600
        let narrow = DatapathHarness(world)
        #expect(narrow.send(input).summary == "drop oversize new")
        #expect(narrow.flows.isEmpty)
    }
}
