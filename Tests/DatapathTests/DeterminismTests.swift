import Datapath
import Tables
import TestSupport
import Testing
import Wire

@Suite("Any traffic at all")
struct DeterminismTests {
    private func world(_ seed: Int) -> World {
        var world = World()
        world.configuration.seed = UInt64(seed + 1)
        world.configuration.conntrackCapacity = [40, 200, 4096][seed % 3]
        world.configuration.verifiesChecksums = seed % 2 == 0
        world.configuration.midstream = seed % 4 == 0 ? .pickup : .refuse
        if seed % 5 == 0 { world.interfaces[2].mtu = 900 }
        return world
    }

    @Test("verdicts, events, bytes and counters do not depend on the size of the batches", arguments: 0..<10)
    func batchSize(seed: Int) {
        var traffic = Traffic(seed: seed)
        let feeds = traffic.feeds(3000)
        let reference = DatapathHarness(world(seed), batchSize: 1)
        let expected = reference.send(feeds)
        for batchSize in [7, 64] {
            let harness = DatapathHarness(world(seed), batchSize: batchSize)
            let found = harness.send(feeds)
            var differences: [String] = []
            for (one, other) in zip(expected, found) where !one.agrees(with: other) {
                differences.append("\(one.details)\n\(other.details)")
            }
            #expect(differences.isEmpty, "\(differences.count), the first: \(differences.first ?? "")")
            for verdict in Verdict.allCases {
                let (left, right) = (reference.pipeline.counters[verdict], harness.pipeline.counters[verdict])
                #expect(left == right)
                let (mine, theirs) = (bytes(reference, verdict), bytes(harness, verdict))
                #expect(mine == theirs, "bytes of \(verdict)")
            }
            #expect(reference.flows.map(\.identifier) == harness.flows.map(\.identifier))
        }
    }

    @Test("a connection of which nothing is told is sent and counted the same")
    func describedConnection() {
        var telling = Dialogue()
        var silent = Dialogue(describesFlows: false)
        var undescribed = 0
        for step in ["c:S", "s:S.", "c:.", "c:P.", "s:.", "s:P.", "c:.", "c:P.", "c:F.", "s:.", "s:F.", "c:."] {
            let (one, other) = (telling.play(step), silent.play(step))
            expectSameFate(one, other)
            if one.packet.conntrack != other.packet.conntrack { undescribed += 1 }
        }
        // All between the handshake and the first FIN.
        #expect(undescribed >= 4)
        expectSameBooks(telling.harness, silent.harness)
    }

    private func expectSameFate(_ one: Treatment, _ other: Treatment) {
        let isSame =
            one.verdict == other.verdict && one.reason == other.reason && one.packet.egress == other.packet.egress
            && one.packet.marks == other.packet.marks && one.packet.flow == other.packet.flow && one.sent == other.sent
        #expect(isSame, "\(one.details)\n\(other.details)")
    }

    private func expectSameBooks(_ one: DatapathHarness, _ other: DatapathHarness) {
        for verdict in Verdict.allCases {
            let (left, right) = (one.pipeline.counters[verdict], other.pipeline.counters[verdict])
            #expect(left == right)
            #expect(bytes(one, verdict) == bytes(other, verdict))
        }
        let (left, right) = (one.flows, other.flows)
        #expect(left.map(\.identifier) == right.map(\.identifier))
        #expect(left.map(\.counts) == right.map(\.counts))
    }

    private func bytes(_ harness: DatapathHarness, _ verdict: Verdict) -> UInt64 {
        harness.pipeline.counters.bytes[Int(verdict.rawValue)]
    }

    @Test("the mix reaches every kind of end, so that the other properties say something")
    func coverage() {
        var verdicts = Set<Verdict>()
        var reasons = Set<DropReason>()
        var states = Set<ConntrackState>()
        for seed in 0..<6 {
            var traffic = Traffic(seed: seed)
            for treatment in DatapathHarness(world(seed), batchSize: 64).send(traffic.feeds(3000)) {
                verdicts.insert(treatment.verdict)
                reasons.insert(treatment.reason)
                states.insert(treatment.conntrack)
            }
        }
        #expect(verdicts == Set(Verdict.allCases).subtracting([.undecided]))
        #expect(states == Set(ConntrackState.allCases))
        #expect(reasons.count > 25)
    }

    @Test("whatever comes, the books balance, no tuple has two flows, and what leaves is sound", arguments: 0..<10)
    func invariants(seed: Int) {
        var traffic = Traffic(seed: seed &+ 1000)
        let harness = DatapathHarness(world(seed), batchSize: 7)
        for _ in 0..<20 {
            let feeds = traffic.feeds(100)
            let treatments = harness.send(feeds)
            #expect(harness.accountingIssues == [])
            #expect(harness.sharedTuples.isEmpty && harness.areClassesRight)
            #expect(harness.flows.count == harness.pipeline.flows.count)
            #expect(harness.flows.count <= harness.pipeline.flows.capacity)
            for (feed, treatment) in zip(feeds, treatments) {
                if let issue = soundness(feed, treatment) { Issue.record("\(issue): \(treatment.details)") }
            }
        }
        harness.idle(until: 1e7)
        #expect(harness.flows.isEmpty && harness.pipeline.heldPackets == 0)
        let counters = harness.pipeline.counters.flowsCreated
        #expect(counters > 0)
    }

    /// What is wrong with what left because of a packet.
    private func soundness(_ feed: Feed, _ treatment: Treatment) -> String? {
        switch treatment.verdict {
        case .drop, .hold:
            if !treatment.sent.isEmpty { return "something left" }
        case .forward, .pass, .local, .answer:
            if treatment.sent.isEmpty { return "nothing left" }
        default: break
        }
        if (treatment.verdict == .drop || treatment.verdict == .reject) != (treatment.reason != .none) {
            return "reason"
        }
        if treatment.verdict != .drop && treatment.verdict != .reject && treatment.verdict != .hold {
            let isWhole = !feed.marks.contains(.truncated)
            for sent in treatment.sent where isWhole && !sent.isReleased {
                guard let packet = Dissection(sent.bytes) else { return "not a packet" }
                if !packet.isHeaderChecksumValid { return "header checksum" }
            }
        }
        guard treatment.verdict == .forward || treatment.verdict == .pass, !feed.marks.contains(.truncated) else {
            return nil
        }
        let before = Dissection(Array(feed.bytes.prefix(Int(treatment.packet.totalLength))))
        guard let before, treatment.sent.count == 1, let after = Dissection(treatment.sent[0].bytes) else { return nil }
        if after.timeToLive != before.timeToLive - 1 { return "TTL" }
        let isICMPError = before.transport == 1 && [3, 11, 12].contains(before.icmpType)
        if after.transport != 1 || !isICMPError {
            if before.isTransportChecksumValid != after.isTransportChecksumValid { return "transport checksum" }
            let keepsIdentification =
                !(treatment.packet.masquerade && (after.fragmentOffset > 0 || after.moreFragments))
            let check = PacketCheck.unchanged(since: before.bytes, identification: keepsIdentification)
            if let found = issues(in: after.bytes, check).first { return found }
        } else if before.isTransportChecksumValid && !after.isTransportChecksumValid {
            return "checksum of an ICMP error"
        }
        return nil
    }

    @Test("an answer from an address that became a Service's is judged alike on every way")
    func answersOfExternalAddresses() {
        for batchSize in [1, 64] {
            let harness = DatapathHarness(batchSize: batchSize)
            let treatments = harness.send([
                Feed(tcp(World.client, 40000, to: World.loadBalancer, 8080)),
                Feed(tcp(World.loadBalancer, 8080, to: World.client, 40000, [.syn, .ack])),
                Feed(tcp(World.loadBalancer, 8081, to: World.client, 40000, [.syn, .ack])),
                Feed(tcp(World.loadBalancer, 8080, to: World.client, 40000, .ack), from: World.host),
            ])
            #expect(
                treatments.map(\.summary) == [
                    "pass - new", "pass - reply", "drop spoof.vip untracked", "drop spoof.vip untracked",
                ]
            )
        }
    }

    @Test("one seed, one outcome; another seed, other choices")
    func seeds() {
        func backends(_ seed: UInt64) -> [FlowEndpoint] {
            var world = World()
            world.configuration.seed = seed
            let many = (1...50).map { Backend(address: IPv4Address(10, 244, 3, $0), port: 80, isLocal: true) }
            world.add("default/many:x", many, []) { port, rules in
                rules.frontends.append(
                    .init(kind: .clusterIP, address: World.vip, port: 99, transport: .udp, servicePort: port)
                )
            }
            let harness = DatapathHarness(world)
            return (UInt16(1024)..<1064).map { harness.send(udp(World.client, $0, to: World.vip, 99)).packet.backend }
        }
        #expect(backends(1) == backends(1))
        #expect(backends(1) != backends(2))
    }
}
