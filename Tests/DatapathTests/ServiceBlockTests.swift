import Datapath
import TestSupport
import Testing
import Wire

/// Blocks of ClusterIPs that come with the rules, from ServiceCIDRs: the same holds in them as in the configured one.
@Suite("Added blocks of ClusterIPs")
struct ServiceBlockTests {
    typealias W = World
    private static let nobody = IPv4Address(10, 99, 0, 8)

    /// The rules of the world, with a block.
    private static var rules: ServiceSpecification {
        var rules = W().rules
        rules.serviceBlocks = [IPv4Prefix("10.98.0.0/24"), IPv4Prefix("10.99.0.0/24")].compactMap(\.self)
        return rules
    }

    @Test("what is nobody's is dropped there, and comes from there never, while the rules have the block")
    func block() {
        let harness = DatapathHarness()
        let there = tcp(W.client, 40000, to: Self.nobody, 80)
        let back = tcp(Self.nobody, 80, to: W.client, 40000)
        #expect(harness.send(there).verdict == .pass)
        #expect(harness.pipeline.role(of: Self.nobody) == .other)
        harness.reload(Self.rules)
        #expect(harness.send(tcp(W.client, 40001, to: Self.nobody, 80)).summary == "drop no_service new")
        #expect(harness.send(echo(W.client, to: Self.nobody)).summary == "drop no_service new")
        #expect(harness.send(tcp(Self.nobody, 81, to: W.client, 40000), from: W.uplink).reason == .spoofVIP)
        #expect(harness.pipeline.role(of: Self.nobody) == .unallocated)
        // A neighbour of the block is what it was.
        #expect(harness.send(tcp(W.client, 40002, to: IPv4Address(10, 99, 1, 8), 80)).verdict == .pass)
        // The flow that was passed before goes on.
        #expect(harness.send(back, from: W.uplink).verdict == .pass)
        harness.reload(W().rules)
        #expect(harness.send(tcp(W.client, 40003, to: Self.nobody, 80)).verdict == .pass)
    }
}
