import Datapath
import TestSupport
import Testing
import Wire

/// An unknown port of a load-balancer address is passed on (kube-proxy does so), so its answers must come through.
@Suite("Answers of external addresses")
struct ExternalAnswerTests {
    typealias W = World
    private static let payload: [UInt8] = {
        var generator = TestGenerator(seed: 3)
        return generator.bytes(1200)
    }()

    private func answer(_ port: UInt16 = 9999, identification: UInt16 = 5) -> [[UInt8]] {
        udpFragments(
            W.loadBalancer,
            port,
            to: W.client,
            40000,
            payload: Self.payload,
            size: 400,
            identification: identification
        )
    }

    @Test("in fragments, in order, in reverse and shuffled", arguments: 0..<6)
    func fragments(seed: Int) {
        var parts = answer()
        var generator = TestGenerator(seed: seed)
        if seed == 1 { parts.reverse() }
        if seed > 1 { parts.shuffle(using: &generator) }
        for batchSize in [1, 64] {
            let harness = DatapathHarness(batchSize: batchSize)
            harness.send(udp(W.client, 40000, to: W.loadBalancer, 9999))
            let treatments = harness.send(parts.map { Feed($0) })
            #expect(treatments.allSatisfy { $0.verdict == .pass || $0.verdict == .hold })
            let whole = reassemble(treatments.flatMap(\.sent).map(\.bytes))
            #expect(whole.map { issues(in: $0, .payload(Self.payload), .validChecksums) } == [])
            #expect(harness.accountingIssues == [])
        }
    }

    @Test("without a flow they are spoofed all the same, and what waited goes with time")
    func spoofed() {
        let harness = DatapathHarness()
        let treatments = harness.send(answer().reversed().map { Feed($0) })
        #expect(treatments.map(\.verdict) == [.hold, .hold, .hold, .drop])
        #expect(treatments[3].reason == .spoofVIP && treatments.allSatisfy { $0.sent.isEmpty })
        harness.idle(until: 31)
        #expect(harness.pipeline.counters[.fragmentTimeout] == 3 && harness.pipeline.heldPackets == 0)
        // Of a ClusterIP no answer can be expected, nor from where the address does not lie.
        var fromVIP = answer()
        fromVIP = fromVIP.map { part in changed(part) { $0.replaceSubrange(12..<16, with: [10, 96, 0, 11]) } }
        #expect(harness.send(fromVIP[1], at: 40).reason == .spoofVIP)
        #expect(harness.send(answer()[1], at: 40, from: W.pods).reason == .spoofVIP)
        var strict = World()
        strict.configuration.unknownPorts = .drop
        #expect(DatapathHarness(strict).send(answer()[1]).reason == .spoofVIP)
    }

    @Test("an ICMP error of the address about a packet that was passed; not about one that was not")
    func errors() {
        let harness = DatapathHarness()
        let asked = harness.send(udp(W.client, 40000, to: W.loadBalancer, 9999))
        guard let sent = asked.only?.bytes else {
            Issue.record("nothing was sent")
            return
        }
        let error = harness.send(icmpError(W.loadBalancer, to: W.client, code: 3, about: sent))
        #expect(error.summary == "pass - related")
        #expect(issues(in: error.only, .from(W.loadBalancer), .to(W.client), .validChecksums) == [])
        let other = udp(W.client, 40001, to: W.loadBalancer, 9999)
        #expect(harness.send(icmpError(W.loadBalancer, to: W.client, code: 3, about: other)).reason == .spoofVIP)
        let misplaced = harness.send(icmpError(W.loadBalancer, to: W.client, code: 3, about: sent), from: W.host)
        #expect(misplaced.reason == .spoofVIP)
    }
}
