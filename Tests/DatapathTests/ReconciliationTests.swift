import Datapath
import TestSupport
import Testing
import Wire

@Suite("Flows after a reload")
struct ReconciliationTests {
    typealias W = World

    /// The rules of a world, changed.
    private static func rules(_ change: (inout ServiceSpecification) -> Void) -> ServiceSpecification {
        var rules = World().rules
        change(&rules)
        return rules
    }

    /// A port of the world with other endpoints.
    private static func endpoints(_ name: String, _ addresses: IPv4Address...) -> ServiceSpecification {
        rules { rules in
            guard let index = rules.servicePorts.firstIndex(where: { $0.name == name }) else { return }
            let old = rules.servicePorts[index]
            let port = old.cluster.first?.port ?? 8080
            let backends = addresses.map { Backend(address: $0, port: port, isLocal: true) }
            rules.servicePorts[index] = .init(
                identifier: old.identifier,
                name: name,
                cluster: backends,
                local: backends,
                hasAny: !backends.isEmpty
            )
        }
    }

    @Test("a reload that changes nothing moves no flow, and forgets none")
    func unchanged() {
        let harness = DatapathHarness()
        var feeds = [Feed(echo(W.client, to: W.outside))]
        for port in UInt16(2000)..<2200 {
            feeds.append(Feed(udp(W.client, port, to: W.vip, 53)))
            feeds.append(Feed(tcp(W.client, port, to: W.vip, 80)))
            feeds.append(Feed(udp(W.client, port, to: W.outside, 9)))
        }
        let before = harness.send(feeds).map(\.packet.flow)
        harness.reload(World().rules)
        #expect(harness.send(feeds).map(\.packet.flow) == before)
        #expect(harness.pipeline.counters.flowsReconciled == 0)
    }

    @Test(
        "the walk sees every record, however small its slices and however often it begins anew",
        arguments: [1, 7, 64]
    )
    func slices(slice: Int) {
        var world = World()
        world.configuration.conntrackCapacity = 600
        let harness = DatapathHarness(world)
        for port in UInt16(2000)..<2500 { harness.send(udp(W.client, port, to: W.vip, 53)) }
        #expect(harness.flows.count == 500)
        // Each reload comes long before the walk of the last one is over.
        let gone = Self.endpoints("default/dns:dns", W.otherBackend)
        var steps = 0
        while harness.pipeline.counters.flowsReconciled < 500 && steps < 1000 {
            if steps % 3 == 0 { harness.pipeline.replaceServices(ServiceTable(gone, seed: 1)) }
            harness.pipeline.reconcile(budget: slice)
            steps += 1
        }
        #expect(harness.flows.isEmpty)
        #expect(steps <= 500 / slice + 2, "each record is looked at once in a round")
    }

    @Test("between two slices new flows are decided by the new rules, and stay")
    func inBetween() {
        let harness = DatapathHarness()
        for port in UInt16(2000)..<2100 { harness.send(udp(W.client, port, to: W.vip, 53)) }
        harness.pipeline.replaceServices(ServiceTable(Self.endpoints("default/dns:dns", W.otherBackend), seed: 1))
        for port in UInt16(3000)..<3100 {
            harness.pipeline.reconcile(budget: 2)
            #expect(harness.send(udp(W.client, port, to: W.vip, 53)).packet.backend.address == W.otherBackend)
        }
        let isReconciling = harness.pipeline.isReconciling
        #expect(!isReconciling)
        #expect(harness.flows.count == 100 && harness.pipeline.counters.flowsReconciled == 100)
        #expect(harness.sharedTuples == [])
    }

    @Test("a connection that was passed on before its Service existed is translated when its SYN comes again")
    func synBeforeService() {
        let address = IPv4Address(198, 51, 100, 77)
        let harness = DatapathHarness()
        #expect(harness.send(tcp(W.outside, 40000, to: address, 80)).verdict == .pass)
        // One that is answered belongs to somebody else, and stays.
        harness.send(tcp(W.client, 40000, to: address, 80))
        harness.send(tcp(address, 80, to: W.client, 40000, [.syn, .ack]), from: W.uplink)
        harness.reload(
            Self.rules { rules in
                rules.frontends.append(
                    .init(kind: .loadBalancer, address: address, port: 80, transport: .tcp, servicePort: 0)
                )
            }
        )
        let again = harness.send(tcp(W.outside, 40000, to: address, 80), at: 1)
        #expect(again.verdict == .forward && again.packet.backend.address == W.backend)
        #expect(harness.send(tcp(W.client, 40000, to: address, 80, .ack), at: 1).verdict == .pass)
    }

    @Test("TCP stays with an endpoint that is gone, and with a Service that is gone")
    func connectionsStay() {
        for rules in [Self.endpoints("default/web:http"), Self.rules { $0.frontends = [] }] {
            let harness = DatapathHarness()
            harness.send(tcp(W.client, 40000, to: W.vip, 80))
            harness.send(tcp(W.backend, 8080, to: W.client, 40000, [.syn, .ack]))
            harness.reload(rules)
            let next = harness.send(tcp(W.client, 40000, to: W.vip, 80, .ack), at: 1)
            #expect(next.verdict == .forward && next.packet.backend.address == W.backend)
            #expect(harness.send(tcp(W.client, 40001, to: W.vip, 80), at: 1).verdict != .forward)
        }
    }

    @Test("a closed connection whose backend is gone gives its ports to one with a live backend")
    func reuseAfterClose() {
        let harness = DatapathHarness()
        harness.send(tcp(W.client, 40000, to: W.vip, 80))
        harness.send(tcp(W.backend, 8080, to: W.client, 40000, [.syn, .ack]))
        harness.send(tcp(W.client, 40000, to: W.vip, 80, .rst))
        harness.reload(Self.endpoints("default/web:http", W.otherBackend))
        let again = harness.send(tcp(W.client, 40000, to: W.vip, 80), at: 1)
        #expect(again.verdict == .forward && again.packet.backend.address == W.otherBackend)
        #expect(harness.flows.count == 1)
        #expect(harness.flows.first?.counts.originalPackets == 1 && harness.flows.first?.counts.replyPackets == 0)
    }

    @Test("an address that goes to another Service with the same endpoint keeps its flows, under the new name")
    func newOwner() {
        let harness = DatapathHarness()
        let before = harness.send(udp(W.client, 40000, to: W.vip, 53))
        let rules = Self.rules { rules in
            guard let index = rules.servicePorts.firstIndex(where: { $0.name == "default/dns:dns" }) else { return }
            rules.servicePorts[index].identifier = 77
        }
        harness.reload(rules)
        let after = harness.send(udp(W.client, 40000, to: W.vip, 53))
        #expect(after.packet.flow == before.packet.flow && after.packet.service == 77)
    }

    @Test("fragments of a flow that a reload removed do not follow another one")
    func fragments() {
        let harness = DatapathHarness()
        let parts = udpFragments(
            W.client,
            40000,
            to: W.vip,
            53,
            payload: [UInt8](repeating: 1, count: 2000),
            size: 800
        )
        #expect(harness.send(parts[0]).verdict == .forward)
        harness.reload(Self.endpoints("default/dns:dns", W.otherBackend))
        // The same record is used again.
        harness.send(udp(W.client, 50000, to: W.outside, 9))
        let rest = harness.send(parts[1])
        #expect(rest.verdict == .drop && rest.reason == .fragmentNoFirst)
    }

    @Test("affinity to an endpoint that is gone is forgotten, also for the day that it comes back")
    func affinity() {
        func sticky(_ endpoints: ClosedRange<UInt8>, seconds: UInt32 = 10800) -> ServiceSpecification {
            var world = World()
            let backends = endpoints.map { Backend(address: IPv4Address(10, 244, 9, $0), port: 8080, isLocal: true) }
            world.add("default/sticky:http", backends, backends) { port, rules in
                rules.servicePorts[port].affinitySeconds = seconds
                rules.frontends.append(
                    .init(kind: .clusterIP, address: W.vip, port: 8088, transport: .tcp, servicePort: port)
                )
            }
            return world.rules
        }
        var world = World()
        world.rules = sticky(1...10)
        let harness = DatapathHarness(world)
        var port: UInt16 = 1000
        func connect(_ client: UInt8) -> UInt8 {
            port += 1
            let source = IPv4Address(10, 244, 2, client)
            let backend = harness.send(tcp(source, port, to: W.vip, 8088)).packet.backend
            return UInt8(truncatingIfNeeded: backend.address.bits)
        }
        func entries() -> Int? { harness.pipeline.maps.first { $0.name == "affinity" }?.entries }
        let first = (UInt8(10)..<210).map(connect)
        let stay = first.count { $0 <= 5 }
        harness.reload(sticky(1...5), slice: 3)
        #expect(entries() == stay && stay > 50 && stay < 150)
        #expect(harness.pipeline.counters.affinityForgotten == UInt64(200 - stay))
        harness.reload(sticky(1...10))
        let second = (UInt8(10)..<210).map(connect)
        #expect(zip(first, second).allSatisfy { $0.0 > 5 || $0.0 == $0.1 }, "who had an endpoint that stayed keeps it")
        #expect(zip(first, second).count { $0.0 > 5 && $0.0 != $0.1 } > 20, "the others choose freely")
        harness.reload(sticky(1...10, seconds: 0))
        #expect(entries() == 0)
    }
}
