import Datapath
import TestSupport
import Testing
import Wire

/// The node as client and as backend, through a live host interface (DESIGN section 4).
@Suite("The node itself")
struct NodeTests {
    typealias W = World
    private static let loop = IPv4Address(169, 254, 42, 1)
    private static let kubernetes = IPv4Address(10, 96, 0, 1)

    /// The World with `default/kubernetes`, whose endpoint is the node's own address, and with a NodePort and a host port for
    /// a pod of the host network.
    private var world: World {
        var world = World()
        let api = Backend(address: W.node, port: 6443, isLocal: true)
        for (number, transport) in [TransportProtocol.tcp, .udp].enumerated() {
            world.add("default/kubernetes:\(number)", [api], [api]) { port, rules in
                rules.frontends += [
                    .init(
                        kind: .clusterIP,
                        address: Self.kubernetes,
                        port: 443,
                        transport: transport,
                        servicePort: port
                    ),
                    .init(kind: .nodePort, address: W.node, port: 30443, transport: transport, servicePort: port),
                ]
            }
        }
        world.rules.clusterIPs.append(Self.kubernetes)
        return world
    }

    @Test("a pod and a host outside reach a server of the node as themselves")
    func serverOnNode() {
        for (source, target, port) in [
            (W.client, Self.kubernetes, UInt16(443)), (W.outside, W.node, 30443), (W.client, W.node, 30443),
            (W.outside, Self.kubernetes, 443),
        ] {
            let harness = DatapathHarness(world)
            let asked = harness.send(tcp(source, 40000, to: target, port))
            #expect(asked.verdict == .forward && asked.only?.egress == W.host && !asked.packet.masquerade)
            #expect(issues(in: asked.only, .from(source, port: 40000), .to(W.node, port: 6443), .validChecksums) == [])
            let answer = harness.send(tcp(W.node, 6443, to: source, 40000, [.syn, .ack]), from: W.host)
            #expect(issues(in: answer.only, .from(target, port: port), .to(source, port: 40000), .validChecksums) == [])
        }
    }

    @Test("the node reaches a pod through a Service as one of its addresses")
    func nodeToPod() {
        for source in [W.node, W.secondNode] {
            let harness = DatapathHarness(world)
            let asked = harness.send(tcp(source, 40000, to: W.vip, 80), from: W.host)
            #expect(
                issues(in: asked.only, .from(W.node, port: 40000), .to(W.backend, port: 8080), .validChecksums) == []
            )
            let answer = harness.send(tcp(W.backend, 8080, to: W.node, 40000, [.syn, .ack]))
            #expect(answer.only?.egress == W.host)
            #expect(issues(in: answer.only, .from(W.vip, port: 80), .to(source, port: 40000), .validChecksums) == [])
        }
    }

    @Test("the node reaches itself through a Service, as the loop address, which it answers")
    func nodeToItself() {
        let harness = DatapathHarness(world)
        for (port, flags) in [(UInt16(40000), TCPFlags.syn), (40001, .syn)] {
            let asked = harness.send(tcp(W.node, port, to: Self.kubernetes, 443, flags), from: W.host)
            #expect(asked.verdict == .forward && asked.only?.egress == W.host)
            #expect(
                issues(in: asked.only, .from(Self.loop, port: port), .to(W.node, port: 6443), .validChecksums) == []
            )
            // The first answer by the long way and the short one.
            for _ in 0..<2 {
                let answer = harness.send(tcp(W.node, 6443, to: Self.loop, port, [.syn, .ack]), from: W.host)
                #expect(answer.summary == "forward - reply" && answer.only?.egress == W.host)
                #expect(
                    issues(
                        in: answer.only,
                        .from(Self.kubernetes, port: 443),
                        .to(W.node, port: port),
                        .validChecksums
                    ) == []
                )
            }
        }
        #expect(harness.sharedTuples.isEmpty)
    }

    @Test("answers to what the node has begun are left to it as they came, an ICMP error too")
    func begunByNode() {
        let harness = DatapathHarness(world)
        let asked = harness.send(tcp(W.node, 40000, to: W.outside, 443), from: W.host)
        #expect(asked.summary == "pass - new" && asked.only?.egress == W.uplink)
        for timeToLive in [UInt8(1), 64] {
            let bytes = tcp(W.outside, 443, to: W.node, 40000, [.syn, .ack]) { $0.timeToLive = timeToLive }
            let answer = harness.send(bytes, from: W.uplink)
            #expect(answer.summary == "local - reply" && answer.only?.egress == W.host)
            #expect(answer.only?.bytes == bytes)
        }
        let error = icmpError(W.outside, to: W.node, code: 3, about: tcp(W.node, 40000, to: W.outside, 443))
        let told = harness.send(error, from: W.uplink)
        #expect(told.summary == "local - related" && told.only?.bytes == error)
        #expect(harness.flows.count == 1 && harness.accountingIssues == [])
    }

    @Test("the loop address is nobody else's, and leads nowhere without a flow")
    func loopAddress() {
        let harness = DatapathHarness(world)
        harness.send(tcp(W.node, 40000, to: Self.kubernetes, 443), from: W.host)
        #expect(harness.send(tcp(W.node, 6443, to: Self.loop, 40009, .ack), from: W.host).reason == .martianDestination)
        #expect(harness.send(tcp(W.client, 6443, to: Self.loop, 40000, .ack)).reason == .martianDestination)
        #expect(harness.send(tcp(Self.loop, 40000, to: W.node, 6443), from: W.uplink).reason == .martianSource)
        // The way back holds for the host interface only.
        let stray = harness.send(tcp(W.node, 6443, to: Self.loop, 40000, [.syn, .ack]), from: W.uplink)
        #expect(stray.verdict == .drop)
    }

    @Test("datagrams in fragments and errors go the same way back")
    func fragmentsAndErrors() {
        var generator = TestGenerator(seed: 1)
        let payload = generator.bytes(3000)
        let harness = DatapathHarness(world)
        let asked = udpFragments(W.node, 40000, to: Self.kubernetes, 443, payload: payload, size: 1480)
        let sent = harness.send(asked.map { Feed($0, from: W.host) }).flatMap(\.sent)
        let whole = reassemble(sent.map(\.bytes))
        #expect(whole.map { issues(in: $0, .from(Self.loop), .to(W.node, port: 6443), .validChecksums) } == [])
        for isReversed in [false, true] {
            var answer = udpFragments(
                W.node,
                6443,
                to: Self.loop,
                40000,
                payload: payload,
                size: 1480,
                identification: isReversed ? 8 : 9
            )
            if isReversed { answer.reverse() }
            let back = reassemble(harness.send(answer.map { Feed($0, from: W.host) }).flatMap(\.sent).map(\.bytes))
            #expect(back.map { issues(in: $0, .from(Self.kubernetes, port: 443), .to(W.node), .validChecksums) } == [])
        }
        let error = icmpError(W.node, to: Self.loop, code: 3, about: udp(Self.loop, 40000, to: W.node, 6443), count: 31)
        let told = harness.send(error, from: W.host)
        #expect(told.conntrack == .related)
        #expect(
            issues(
                in: told.only,
                .from(Self.kubernetes),
                .to(W.node),
                .quote(udp(W.node, 40000, to: Self.kubernetes, 443)),
                .validChecksums
            ) == []
        )
    }

    @Test("a refusal reaches the node from the loop address: its own it would not take in")
    func refusal() {
        let harness = DatapathHarness(world)
        let refused = harness.send(tcp(W.node, 40000, to: W.emptyVIP, 80), from: W.host)
        #expect(refused.reason == .noEndpoints && refused.only?.egress == W.host)
        #expect(issues(in: refused.only, .from(Self.loop), .to(W.node), .icmp(3, code: 3), .validChecksums) == [])
        let other = harness.send(tcp(W.client, 40000, to: W.emptyVIP, 80))
        #expect(issues(in: other.only, .from(W.node), .to(W.client)) == [])
    }

    @Test("a host port leads to its pod, from a pod and from outside, as themselves")
    func hostPort() {
        var world = world
        let pod = Backend(address: W.otherBackend, port: 8080, isLocal: true)
        world.add("default/pod:8443", [pod], [pod]) { port, rules in
            rules.frontends.append(
                .init(kind: .hostPort, address: W.node, port: 8443, transport: .tcp, servicePort: port)
            )
        }
        let harness = DatapathHarness(world)
        for source in [W.client, W.outside] {
            let asked = harness.send(tcp(source, 40000, to: W.node, 8443))
            #expect(issues(in: asked.only, .from(source, port: 40000), .to(W.otherBackend, port: 8080)) == [])
            let answer = harness.send(tcp(W.otherBackend, 8080, to: source, 40000, [.syn, .ack]))
            #expect(issues(in: answer.only, .from(W.node, port: 8443), .to(source, port: 40000)) == [])
        }
        // The pod itself: as the node, or it would see itself.
        let hairpin = harness.send(tcp(W.otherBackend, 40000, to: W.node, 8443))
        #expect(issues(in: hairpin.only, .from(W.node, port: 40000), .to(W.otherBackend, port: 8080)) == [])
    }

    @Test("in a replay without interfaces the host is notional, and masquerading is kube-proxy's")
    func notional() {
        var world = world
        world.interfaces =
            InterfaceTable.notional(
                podCIDR: world.configuration.podCIDR,
                nodeAddresses: world.configuration.nodeAddresses
            ).interfaces
        let harness = DatapathHarness(world)
        let asked = harness.send(tcp(W.outside, 40000, to: W.node, 30443))
        #expect(asked.packet.masquerade)
        #expect(issues(in: asked.only, .from(W.node, port: 40000), .to(W.node, port: 6443)) == [])
    }
}
