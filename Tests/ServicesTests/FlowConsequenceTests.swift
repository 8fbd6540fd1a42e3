import Datapath
import Services
import TestSupport
import Testing
import Wire

/// What diff says of flows, held against what the datapath does with them.
@Suite("What a change of the rules does to flows")
struct FlowConsequenceTests {
    private static let places: [(kind: FrontendKind, address: IPv4Address, port: UInt16)] = [
        (.clusterIP, World.vip, 80), (.clusterIP, World.emptyVIP, 80), (.loadBalancer, World.loadBalancer, 80),
        (.loadBalancer, World.loadBalancer, 81), (.externalIP, World.externalIP, 80), (.nodePort, World.node, 30080),
    ]

    /// Up to four Services with up to three endpoints of five, of which not all serve, at up to six places.
    private static func rules(_ generator: inout TestGenerator) -> ServiceSpecification {
        var rules = ServiceSpecification()
        for number in 0..<4 where generator.chance(80) {
            let transport = number % 2 == 0 ? TransportProtocol.udp : .tcp
            var known: [ServiceSpecification.KnownEndpoint] = []
            for host in UInt8(1)...5 where known.count < 3 && generator.chance(40) {
                known.append(.init(IPv4Address(10, 244, 1, host), 8080, isServing: generator.chance(80)))
            }
            let cluster = known.filter(\.isServing).map { Backend(address: $0.address, port: $0.port, isLocal: true) }
            rules.servicePorts.append(
                .init(
                    identifier: UInt32(number + 1),
                    name: "default/s\(number):main",
                    cluster: cluster,
                    local: cluster,
                    hasAny: !cluster.isEmpty,
                    transport: transport,
                    known: known
                )
            )
        }
        for (kind, address, port) in places {
            for transport in [TransportProtocol.tcp, .udp] where generator.chance(60) {
                let owners = rules.servicePorts.indices.filter { rules.servicePorts[$0].transport == transport }
                guard !owners.isEmpty else { continue }
                rules.frontends.append(
                    .init(
                        kind: kind,
                        address: address,
                        port: port,
                        transport: transport,
                        servicePort: generator.pick(owners)
                    )
                )
            }
        }
        rules.clusterIPs = [World.vip, World.emptyVIP]
        rules.externalAddresses = [World.loadBalancer, World.externalIP]
        return rules
    }

    /// Whether one of the consequences says that a flow goes.
    private static func isRemoved(_ flow: Flow, _ difference: RuleDifference, _ old: ServiceSpecification) -> Bool {
        let place =
            "\(flow.original.destination):\(flow.original.destinationPort)/\(flow.transport.description.uppercased())"
        let service = old.servicePorts.first { $0.identifier == flow.service }?.name
        return difference.consequences.contains { consequence in
            guard consequence.effect != .kept, consequence.transport == flow.transport.description else { return false }
            guard let backend = consequence.backend else { return service == nil && consequence.frontend == place }
            return consequence.service == service && backend == "\(flow.backend)"
                && (consequence.frontend ?? place) == place
        }
    }

    @Test("an endpoint of both policies is told of once")
    func once() throws {
        let difference = RuleDifference(
            from: try compile(pod("a", "10.244.0.1", spec: ", hostPort: 8081")),
            to: try compile(pod("a", "10.244.0.1", spec: ", hostPort: 8082")),
            resetsDeletedEndpoints: false
        )
        #expect(difference.consequences.map(\.backend) == ["10.244.0.1:8080"])
    }

    @Test("is what diff says", arguments: 0..<60)
    func prediction(seed: Int) {
        var generator = TestGenerator(seed: seed)
        let (old, new) = (Self.rules(&generator), Self.rules(&generator))
        var world = World()
        world.rules = old
        world.configuration.resetsDeletedEndpoints = generator.chance(50)
        let harness = DatapathHarness(world)
        for (_, address, port) in Self.places {
            for source in UInt16(40000)..<40012 {
                harness.send(udp(World.client, source, to: address, port))
                harness.send(tcp(World.client, source, to: address, port))
            }
        }
        let before = harness.flows
        let difference = RuleDifference(
            from: old,
            to: new,
            resetsDeletedEndpoints: world.configuration.resetsDeletedEndpoints
        )
        harness.reload(new)
        let left = Set(harness.flows.map(\.identifier))
        for flow in before {
            #expect(
                left.contains(flow.identifier) != Self.isRemoved(flow, difference, old),
                "\(flow.original) \(flow.backend)"
            )
        }
        #expect(RuleDifference(from: old, to: old, resetsDeletedEndpoints: true).isEmpty)
    }

    @Test("the random rules remove, keep and reset")
    func coverage() {
        var seen: Set<String> = []
        for seed in 0..<60 {
            var generator = TestGenerator(seed: seed)
            let (old, new) = (Self.rules(&generator), Self.rules(&generator))
            for resets in [false, true] {
                let difference = RuleDifference(from: old, to: new, resetsDeletedEndpoints: resets)
                for consequence in difference.consequences {
                    let flows = consequence.backend == nil ? "passed on" : consequence.frontend == nil ? "all" : "some"
                    seen.insert("\(flows) \(consequence.effect)")
                }
            }
        }
        let expected = ["all", "some"].flatMap { flows in ["removed", "kept", "reset"].map { "\(flows) \($0)" } }
        #expect(seen == Set(expected + ["passed on removed"]))
    }
}
