import Datapath
import TestSupport
import Testing
import Wire

@Suite("A full table")
struct EvictionTests {
    typealias W = World

    private func world(_ capacity: Int) -> World {
        var world = World()
        world.configuration.conntrackCapacity = capacity
        world.configuration.halfOpenPerSource = 10 * capacity
        return world
    }

    /// Opens a flow to outside of each class, from ports of their own.
    private func open(_ eviction: EvictionClass, _ port: UInt16, _ harness: DatapathHarness) {
        switch eviction {
        case .halfOpen:
            harness.send(tcp(W.client, port, to: W.outside, 9))
        case .closed:
            harness.send(tcp(W.client, port, to: W.outside, 9, .ack))
            harness.send(tcp(W.client, port, to: W.outside, 9, .rst))
        case .closing:
            harness.send(tcp(W.client, port, to: W.outside, 9, .ack))
            harness.send(tcp(W.client, port, to: W.outside, 9, [.fin, .ack]))
        case .unreplied:
            harness.send(udp(W.client, port, to: W.outside, 9))
        case .replied:
            harness.send(udp(W.client, port, to: W.outside, 9))
            harness.send(udp(W.outside, 9, to: W.client, port))
        case .established:
            harness.send(tcp(W.client, port, to: W.outside, 9, .ack))
            harness.send(tcp(W.outside, 9, to: W.client, port, .ack))
        }
    }

    @Test("half-open, closed, closing, unreplied: so flows are given up, and then none is")
    func order() {
        let harness = DatapathHarness(world(6))
        // In another order than that in which they go.
        let classes: [EvictionClass] = [.established, .unreplied, .closing, .replied, .halfOpen, .closed]
        for (number, eviction) in classes.enumerated() { open(eviction, UInt16(number + 1), harness) }
        #expect(harness.flows.count == 6)
        for eviction in EvictionClass.allCases { #expect(harness.pipeline.flows.classes[eviction] == 1) }
        var expected = ClassCounts()
        for (number, eviction) in [EvictionClass.halfOpen, .closed, .closing, .unreplied].enumerated() {
            open(.established, UInt16(number + 100), harness)
            expected[eviction] += 1
            #expect(harness.pipeline.counters.evictions == expected)
        }
        let refused = harness.send(tcp(W.client, 200, to: W.outside, 9))
        #expect(refused.summary == "drop ct.table_full new" && refused.sent.isEmpty)
        let counters = harness.pipeline.counterSnapshot
        #expect(counters.insertionsFailed == 1 && counters.evictions.total == 4)
        #expect(counters.classes[.established] == 5 && counters.classes[.replied] == 1 && counters.flows.count == 6)
        #expect(harness.send(udp(W.client, 4, to: W.outside, 9)).packet.conntrack == .established)
        #expect(harness.send(tcp(W.client, 1, to: W.outside, 9, .ack)).packet.flow == 1)
        #expect(harness.areClassesRight)
    }

    @Test("of one class the flow goes that has been in it longest")
    func oldest() {
        let harness = DatapathHarness(world(3))
        for port in UInt16(1)...3 { harness.send(tcp(W.client, port, to: W.outside, 9), at: Double(port)) }
        // A SYN that comes again does not move its flow to the end: who floods cannot stay by flooding.
        harness.send(tcp(W.client, 1, to: W.outside, 9), at: 4)
        for (port, left) in [(UInt16(4), [UInt16(2), 3, 4]), (5, [3, 4, 5]), (6, [4, 5, 6])] {
            harness.send(tcp(W.client, port, to: W.outside, 9), at: 5)
            #expect(harness.flows.map(\.original.sourcePort).sorted() == left)
        }
        #expect(harness.areClassesRight)
    }

    /// Twenty handshakes at a time, each of which gets its answer when twenty others have begun.
    @Test("a table full of what is over, ending or unanswered has room for connections that begin", arguments: 0..<3)
    func room(choice: Int) {
        let harness = DatapathHarness(world(256))
        for port in UInt16(1)...300 { open([.closed, .closing, .unreplied][choice], port, harness) }
        var lost = 0
        for number in UInt16(0)..<400 {
            harness.send(tcp(W.client, 1000 + number, to: W.vip, 80), at: 1)
            guard number >= 20 else { continue }
            let port = 1000 + number - 20
            let answer = harness.send(tcp(W.backend, 8080, to: W.client, port, [.syn, .ack]), at: 1)
            let last = harness.send(tcp(W.client, port, to: W.vip, 80, .ack), at: 1)
            if answer.summary != "forward - reply" || last.summary != "forward - established" { lost += 1 }
            harness.send(tcp(W.client, port, to: W.vip, 80, [.rst, .ack]), at: 1)
        }
        #expect(lost == 0)
        #expect(harness.flows.count == 256 && harness.pipeline.counters.evictions[.halfOpen] == 0)
        #expect(harness.areClassesRight)
    }

    @Test("what is over goes first, and is counted as expired")
    func expiredFirst() {
        let harness = DatapathHarness(world(4))
        open(.replied, 1, harness)
        open(.replied, 2, harness)
        harness.send(tcp(W.client, 3, to: W.outside, 9), at: 119)
        harness.send(udp(W.client, 4, to: W.outside, 9), at: 119)
        harness.send(udp(W.client, 5, to: W.outside, 9), at: 121)
        let counters = harness.pipeline.counterSnapshot
        #expect(counters.expirations[.replied] == 2 && counters.evictions.total == 0)
        #expect(harness.flows.count == 3)
    }

    @Test("a table full of connections whose time is over takes a new one, however many they are")
    func allOver() {
        var world = World()
        world.configuration.conntrackCapacity = 200
        let harness = DatapathHarness(world)
        for port in UInt16(1000)..<1200 {
            harness.send(tcp(World.client, port, to: World.vip, 80))
            harness.send(tcp(World.backend, 8080, to: World.client, port, [.syn, .ack]))
            harness.send(tcp(World.client, port, to: World.vip, 80, .ack))
        }
        #expect(harness.flows.count == 200)
        let late = harness.send(tcp(World.client, 2000, to: World.vip, 80), at: 90_000)
        #expect(late.summary == "forward - new" && harness.pipeline.counters.evictions.total == 0)
        #expect(harness.areClassesRight)
    }

    @Test("a table full of established connections refuses, and carries all of them on", arguments: [1, 64])
    func establishedStay(batchSize: Int) {
        var world = world(200)
        world.configuration.midstream = .pickup
        let harness = DatapathHarness(world, batchSize: batchSize)
        harness.send((1...200).map { Feed(tcp(W.client, UInt16($0), to: W.vip, 80, .ack)) })
        harness.send((1...200).map { Feed(tcp(W.backend, 8080, to: W.client, UInt16($0), .ack)) })
        // Idle for hours, as a shell of an operator is: within its timeout nothing ends it.
        let flood = (0..<2000).map { Feed(tcp(W.client, UInt16(1000 + $0), to: W.vip, 80), at: 40000) }
        #expect(harness.send(flood).allSatisfy { $0.reason == .conntrackTableFull })
        let next = harness.send((1...200).map { Feed(tcp(W.client, UInt16($0), to: W.vip, 80, .ack), at: 40001) })
        #expect(next.map(\.packet.flow) == (1...200).map { UInt64($0) })
        #expect(next.allSatisfy { $0.verdict == .forward })
    }

    /// In the kernel such flows are not ASSURED: who sends ACKs from made-up ports would fill the table for a day.
    @Test("a table full of ACKs that nobody has answered takes new connections, and keeps those that were answered")
    func unansweredPickups() {
        let harness = DatapathHarness(world(64))
        open(.established, 1, harness)
        harness.send((100..<400).map { Feed(tcp(W.client, $0, to: W.outside, 9, .ack)) })
        #expect(harness.flows.count == 64 && harness.pipeline.counters.evictions[.unreplied] == 237)
        #expect(harness.pipeline.counterSnapshot.classes[.established] == 1)
        for port in UInt16(500)..<600 {
            #expect(harness.send(tcp(W.client, port, to: W.vip, 80)).summary == "forward - new")
            let answer = harness.send(tcp(W.backend, 8080, to: W.client, port, [.syn, .ack]))
            #expect(answer.summary == "forward - reply")
        }
        #expect(harness.send(tcp(W.client, 1, to: W.outside, 9, .ack)).packet.flow == 1)
        // An answer is all it takes: then the connection stays.
        #expect(harness.areClassesRight)
        harness.send(tcp(W.client, 700, to: W.outside, 9, .ack))
        harness.send(tcp(W.outside, 9, to: W.client, 700, .ack))
        #expect(harness.pipeline.counterSnapshot.classes[.established] == 2 && harness.areClassesRight)
    }

    @Test("a flow that was given up is as if it had never been")
    func afterwards() {
        let harness = DatapathHarness(world(2))
        harness.send(tcp(W.outside, 40000, to: W.node, 30080))
        harness.send(tcp(W.outside, 40001, to: W.node, 30080))
        open(.established, 9, harness)
        // The answer to the one that went comes too late: the node's own stack will say so.
        #expect(harness.send(tcp(W.backend, 8080, to: W.node, 40000, [.syn, .ack])).verdict == .local)
        #expect(harness.send(tcp(W.backend, 8080, to: W.node, 40001, [.syn, .ack])).verdict == .forward)
        // Its SYN again is a new flow, with the same outer port: that is free.
        let again = harness.send(tcp(W.outside, 40000, to: W.node, 30080))
        #expect(again.packet.conntrack == .new && again.packet.translated.sourcePort == 40000)
        #expect(harness.sharedTuples == [] && harness.areClassesRight)
    }

    @Test("a connection changes its class with its state")
    func classes() {
        var dialogue = Dialogue(world(10))
        let steps: [(String, EvictionClass)] = [
            ("c:S", .halfOpen), ("s:S.", .halfOpen), ("c:.", .established), ("c:P.", .established),
            ("c:F.", .closing), ("s:.", .closing), ("s:F.", .closed), ("c:.", .closed), ("c:S", .halfOpen),
            ("s:R.", .closed),
        ]
        for (step, eviction) in steps {
            dialogue.play(step)
            var expected = ClassCounts()
            expected[eviction] = 1
            let found = dialogue.harness.pipeline.flows.classes
            #expect(found == expected, "after \(step)")
            #expect(dialogue.harness.areClassesRight)
        }
        dialogue.harness.idle(until: 1000)
        let counters = dialogue.harness.pipeline.counterSnapshot
        #expect(counters.flowsReplaced == 1 && counters.expirations[.closed] == 1 && counters.classes.total == 0)
    }

    @Test("at most 192 bytes a flow, all included", arguments: [32768, 40961, 65536, 100_000, 262_144, 655_361])
    func memory(capacity: Int) {
        #expect(MemoryLayout<Flow>.stride == 128)
        let table = FlowTable(capacity: capacity, seed: 1)
        let bytes = table.byteCount
        #expect(bytes <= 192 * capacity, "\(Double(bytes) / Double(capacity)) bytes a flow")
        #expect(bytes > 128 * capacity)
    }
}
