import Datapath
import TestSupport
import Testing
import Wire

/// `conntrack.resourceErrors: icmp` tells senders that something is used up (RFC 5508 section 4.2, REQ-8).
@Suite("Errors about what is used up")
struct ShortageTests {
    typealias W = World

    private func world(_ resourceErrors: DatapathConfiguration.ResourceErrors) -> World {
        var world = World()
        world.configuration.conntrackCapacity = 10
        world.configuration.resourceErrors = resourceErrors
        return world
    }

    private func fill(_ harness: DatapathHarness) {
        for port in UInt16(1)...10 {
            harness.send(udp(W.outside, port, to: W.client, 9))
            harness.send(udp(W.client, 9, to: W.outside, port))
        }
    }

    private func refused(_ port: UInt16) -> [UInt8] { udp(W.client, port, to: W.vip, 53) }

    @Test("a full table: prohibited, at most once a second for a source")
    func tableFull() {
        let harness = DatapathHarness(world(.icmp))
        fill(harness)
        let first = harness.send(refused(11), at: 1)
        #expect(first.summary == "reject ct.table_full new")
        let found = issues(
            in: first.only,
            .icmp(3, code: 13),
            .from(W.node),
            .to(W.client),
            .quote(refused(11)),
            .validChecksums
        )
        #expect(found == [] && first.only?.isGenerated == true)
        // A `reject` whose error is rate-limited away stays one.
        for time in [1.1, 1.5, 1.99] {
            let again = harness.send(refused(12), at: time)
            #expect(again.summary == "reject ct.table_full new" && again.sent.isEmpty)
        }
        #expect(harness.pipeline.counters.errorsSuppressed == 3)
        #expect(harness.send(udp(W.otherBackend, 1, to: W.vip, 53), at: 1.99).sent.count == 1, "another source")
        #expect(harness.send(refused(12), at: 2).sent.count == 1)
        #expect(harness.pipeline.counters[.conntrackTableFull] == 6 && harness.accountingIssues == [])
    }

    @Test("by default nobody is told")
    func silent() {
        let harness = DatapathHarness(world(.drop))
        fill(harness)
        let treatment = harness.send(refused(11), at: 1)
        #expect(treatment.summary == "drop ct.table_full new" && treatment.sent.isEmpty)
    }

    @Test("nothing is said about a RST, which needs no room, nor about a packet with a bad checksum")
    func unanswerable() {
        var world = world(.icmp)
        world.configuration.verifiesChecksums = true
        let harness = DatapathHarness(world)
        fill(harness)
        #expect(harness.send(tcp(W.client, 1, to: W.outside, 9, .rst)).summary == "pass - untracked")
        var bad = refused(11)
        bad[bad.count - 1] ^= 1
        let treatment = harness.send(bad)
        #expect(treatment.verdict == .drop && treatment.sent.isEmpty)
        #expect(harness.accountingIssues == [])
    }

    @Test("ports that are used up: the same, and only for that reason")
    func ports() {
        var world = World()
        world.configuration.resourceErrors = .icmp
        world.configuration.nodeAddresses = []
        let harness = DatapathHarness(world)
        // Without an address of the node there is no port to be had, nor an address to complain from.
        let treatment = harness.send(tcp(W.outside, 40000, to: W.externalIP, 80))
        #expect(treatment.summary == "drop snat.ports_exhausted new" && treatment.sent.isEmpty)
        let other = harness.send(tcp(W.client, 1, to: W.vip, 80, .ack))
        #expect(other.summary == "drop ct.nostate invalid" && other.sent.isEmpty)
    }

    @Test("one source that has all its half-open connections is told so")
    func halfOpen() {
        var world = World()
        world.configuration.conntrackCapacity = 80
        world.configuration.resourceErrors = .icmp
        let harness = DatapathHarness(world)
        for port in UInt16(1)...10 { harness.send(tcp(W.client, port, to: W.vip, 80)) }
        let treatment = harness.send(tcp(W.client, 11, to: W.vip, 80))
        #expect(treatment.summary == "reject ct.table_full new")
        #expect(issues(in: treatment.only, .icmp(3, code: 13), .to(W.client), .validChecksums) == [])
    }
}
