import Datapath
import TestSupport
import Testing
import Wire

@Suite("Session affinity")
struct AffinityTests {
    typealias W = World

    /// A Service with ten endpoints that binds its clients for 100 seconds, reached by two addresses.
    private static func world(endpoints: ClosedRange<UInt8> = 1...10) -> World {
        var world = World()
        let backends = endpoints.map { Backend(address: IPv4Address(10, 244, 9, $0), port: 8080, isLocal: true) }
        world.add("default/sticky:http", backends, backends) { port, rules in
            rules.servicePorts[port].affinitySeconds = 100
            rules.frontends += [
                .init(kind: .clusterIP, address: W.vip, port: 8088, transport: .tcp, servicePort: port),
                .init(kind: .nodePort, address: W.node, port: 30088, transport: .tcp, servicePort: port),
            ]
        }
        return world
    }

    private static func connect(
        _ harness: DatapathHarness,
        _ client: UInt8,
        port: UInt16,
        at seconds: Double,
        to address: IPv4Address = W.vip,
        _ destinationPort: UInt16 = 8088
    ) -> FlowEndpoint {
        let source = IPv4Address(10, 244, 2, client)
        return harness.send(tcp(source, port, to: address, destinationPort, .syn), at: seconds).packet.backend
    }

    @Test("a client keeps its backend until the timeout after its last new connection")
    func keeps() {
        let harness = DatapathHarness(Self.world())
        var moved = 0
        for client in UInt8(10)..<60 {
            let first = Self.connect(harness, client, port: 1001, at: 0)
            #expect(Self.connect(harness, client, port: 1002, at: 99) == first)
            #expect(Self.connect(harness, client, port: 1003, at: 198) == first, "each new connection counts anew")
            if Self.connect(harness, client, port: 1004, at: 299) != first { moved += 1 }
        }
        #expect(moved > 30, "after the timeout the choice is free")
    }

    @Test("it is one backend by whatever address the Service was asked")
    func acrossFrontends() {
        let harness = DatapathHarness(Self.world())
        for client in UInt8(10)..<40 {
            let first = Self.connect(harness, client, port: 1001, at: 0)
            #expect(Self.connect(harness, client, port: 1002, at: 1, to: W.node, 30088) == first)
        }
    }

    @Test("a backend that left the set is not used")
    func backendGone() {
        let harness = DatapathHarness(Self.world())
        for client in UInt8(10)..<40 { _ = Self.connect(harness, client, port: 1001, at: 0) }
        harness.pipeline.replaceServices(ServiceTable(Self.world(endpoints: 4...6).rules, seed: 2))
        for client in UInt8(10)..<40 {
            let backend = Self.connect(harness, client, port: 1002, at: 1)
            #expect((4...6).contains(backend.address.bits & 255))
        }
    }

    @Test("a connection that was refused leaves no memory")
    func noMemoryOfDrops() {
        var world = Self.world()
        world.configuration.conntrackCapacity = 1
        let harness = DatapathHarness(world)
        harness.send(udp(W.client, 1, to: W.outside, 2))
        harness.send(udp(W.outside, 2, to: W.client, 1))
        #expect(harness.send(tcp(W.client, 1001, to: W.vip, 8088, .syn)).reason == .conntrackTableFull)
        let entries = harness.pipeline.maps.first { $0.name == "affinity" }?.entries
        #expect(entries == 0)
    }
}
