import Kubernetes
import Services
import TestSupport
import Testing
import Wire

/// The ranges of a cluster.
private let ranges = AllocationRanges(
    serviceCIDR: IPv4Prefix("10.96.0.0/16"),
    loadBalancerCIDRs: [IPv4Prefix("198.51.100.0/29")].compactMap(\.self),
    reserved: [IPv4Address(192, 0, 2, 10), IPv4Address(10, 96, 0, 10)]
)

/// A Service with these fields, none of them an address.
private func service(_ name: String, _ fields: String = "ports: [{port: 80}]") -> String {
    "apiVersion: v1\nkind: Service\nmetadata: {name: \(name)}\nspec: {\(fields)}\n"
}

private func name(_ name: String) -> ServiceName { ServiceName(namespace: "default", name: name) }

private func allocate(
    _ texts: [String],
    in ranges: AllocationRanges = ranges,
    keeping state: AllocationState = AllocationState()
) throws -> Allocator {
    Allocator(try load(texts), in: ranges, keeping: state)
}

@Suite("Allocation")
struct AllocatorTests {
    @Test("gives the same whatever the order of files", arguments: 0..<16)
    func order(_ seed: Int) throws {
        let balanced =
            "type: LoadBalancer, externalTrafficPolicy: Local, ports: [{name: a, port: 80}, {name: b, port: 443}]"
        var texts = (0..<40).map { service("svc-\($0)") } + (0..<5).map { service("lb-\($0)", balanced) }
        let expected = try allocate(texts)
        var generator = TestGenerator(seed: seed)
        texts.shuffle(using: &generator)
        let found = try allocate(texts)
        #expect(found.state == expected.state)
        #expect(found.services.map(\.clusterIP) == expected.services.map(\.clusterIP))
        #expect(found.faults.isEmpty && found.warnings.isEmpty)
        #expect(found.state.count == 45 + 5 + 10 + 5)
    }

    @Test("fills everything in that a cluster would, once each")
    func everything() throws {
        let text = service("lb", "type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]")
        let allocator = try allocate([text, service("a"), service("none", "clusterIP: None")])
        let service = try #require(allocator.services.first { $0.metadata.name == "lb" })
        let block = try #require(ranges.serviceCIDR)
        #expect(block.contains(try #require(service.clusterIP.address)))
        let ports = [service.ports[0].nodePort, service.healthCheckNodePort].compactMap(\.self)
        #expect(Set(ports).count == 2 && ports.allSatisfy { (30086...32767).contains($0) })
        #expect(service.loadBalancerVIPs.count == 1)
        #expect(allocator.services.first { $0.metadata.name == "none" }?.clusterIP == .headless)
        #expect(Set(allocator.state.clusterIPs.values).count == 2)
    }

    @Test("uses the upper band of the addresses, and the lower one when that is full")
    func bands() throws {
        // 64 addresses: .1 to .16 is the lower band, .17 to .62 the upper one.
        var small = ranges
        small.serviceCIDR = IPv4Prefix("10.96.0.0/26")
        small.reserved = []
        let upper = try allocate((0..<46).map { service("svc-\($0)") }, in: small)
        #expect(Set(upper.state.clusterIPs.values.map { $0.bits & 255 }) == Set(17...62))
        let both = try allocate((0..<62).map { service("svc-\($0)") }, in: small)
        #expect(Set(both.state.clusterIPs.values.map { $0.bits & 255 }) == Set(1...62))
        let full = try allocate((0..<63).map { service("svc-\($0)") }, in: small)
        #expect(full.faults.count == 1)
        #expect(full.faults.first?.description.hasSuffix("spec.clusterIP: no address is left in 10.96.0.0/26") == true)
    }

    @Test("goes on in the blocks of ServiceCIDRs when the configured one is full, and keeps what it gave there")
    func addedBlocks() throws {
        var small = ranges
        small.serviceCIDR = IPv4Prefix("10.96.0.0/29")
        small.addedServiceCIDRs = ["10.97.0.0/29", "10.98.0.0/29"].compactMap { IPv4Prefix($0) }
        small.reserved = []
        let texts = (0..<13).map { service("svc-\($0)") }
        let given = try allocate(texts, in: small)
        let blocks = Dictionary(grouping: given.state.clusterIPs.values) { $0.bits >> 16 & 255 }
        #expect(blocks.mapValues(\.count) == [96: 6, 97: 6, 98: 1] && given.faults.isEmpty)
        #expect(try allocate(texts.reversed(), in: small).state == given.state)
        #expect(try allocate(texts, in: small, keeping: given.state).state == given.state)
        let full = try allocate((0..<19).map { service("svc-\($0)") }, in: small)
        #expect(
            full.faults.first?.description.hasSuffix("no address is left in 10.96.0.0/29, 10.97.0.0/29, 10.98.0.0/29")
                == true && full.faults.count == 1
        )
        // The block is gone, and with it what was given from it.
        small.addedServiceCIDRs = []
        small.serviceCIDR = IPv4Prefix("10.96.0.0/27")
        let moved = try allocate(texts, in: small, keeping: given.state)
        #expect(moved.state.clusterIPs.values.allSatisfy { $0.bits >> 16 & 255 == 96 } && moved.faults.isEmpty)
        #expect(moved.state.clusterIPs.filter { given.state.clusterIPs[$0.key] == $0.value }.count == 6)
    }

    @Test("from nothing but ServiceCIDRs, these are all there is")
    func onlyAddedBlocks() throws {
        var added = ranges
        added.serviceCIDR = nil
        #expect(try allocate([service("a")], in: added).state.clusterIPs.isEmpty)
        added.addedServiceCIDRs = [IPv4Prefix("10.97.0.0/24")].compactMap(\.self)
        let address = try #require(try allocate([service("a")], in: added).state.clusterIPs.values.first)
        #expect(address.bits >> 8 == 0x0a6100)
    }

    @Test("what a load balancer was given is refused to others with both names, too")
    func refusedExternalClaim() throws {
        let first = service("b", "type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]")
        let given = try allocate([first])
        let address = try #require(given.state.loadBalancers.values.first)
        let health = try #require(given.state.healthCheckNodePorts.values.first)
        let claim = service(
            "a",
            "type: NodePort, externalIPs: [\(address)], ports: [{port: 81, nodePort: \(health)}]"
        )
        let both = try allocate([claim, first], keeping: given.state)
        #expect(both.faults.map(\.field) == ["spec.externalIPs[0]", "spec.ports[0].nodePort"])
        for fault in both.faults {
            #expect(fault.object?.name == "a" && fault.expectation.contains("Service default/b (1.yaml: document 1)"))
        }
    }

    @Test("uses the upper band of the NodePorts, and the lower one when that is full")
    func portBands() throws {
        var small = ranges
        small.nodePortRange = 30000...30063
        let upper = try allocate(
            (0..<48).map { service("svc-\($0)", "type: NodePort, ports: [{port: 80}]") },
            in: small
        )
        #expect(Set(upper.state.nodePorts.values) == Set(30016...30063))
        let full = try allocate((0..<65).map { service("svc-\($0)", "type: NodePort, ports: [{port: 80}]") }, in: small)
        #expect(Set(full.state.nodePorts.values) == Set(30000...30063))
        #expect(full.faults.map(\.field) == ["spec.ports[0].nodePort"])
    }

    @Test("shares a NodePort between the protocols of one port, as the API server does")
    func sharedNodePort() throws {
        let text =
            "type: NodePort, ports: [{name: t, port: 53}, {name: u, port: 53, protocol: UDP}, {name: o, port: 80}]"
        let ports = try #require(try allocate([service("dns", text)]).services.first).ports.map(\.nodePort)
        #expect(ports[0] == ports[1] && ports[0] != nil && ports[2] != ports[0])
        let explicit =
            "type: NodePort, ports: [{name: t, port: 53}, {name: u, port: 53, protocol: UDP, nodePort: 30053}]"
        #expect(try allocate([service("dns", explicit)]).services.first?.ports.map(\.nodePort) == [30053, 30053])
    }

    @Test("gives nothing that is claimed, reserved or not wanted")
    func notGiven() throws {
        var tiny = ranges
        tiny.serviceCIDR = IPv4Prefix("10.96.0.8/29")
        // .9 to .14, of which .10 is the DNS server's and three are claimed.
        let claims = [9, 11, 12].map { service("claim-\($0)", "clusterIP: 10.96.0.\($0), ports: [{port: 80}]") }
        let allocator = try allocate(claims + [service("a"), service("b")], in: tiny)
        #expect(Set(allocator.state.clusterIPs.values) == [IPv4Address(10, 96, 0, 13), IPv4Address(10, 96, 0, 14)])
        let without =
            "type: LoadBalancer, allocateLoadBalancerNodePorts: false, loadBalancerClass: x.org/y, ports: [{port: 80}]"
        let other = try #require(try allocate([service("lb", without)]).services.first)
        #expect(other.ports[0].nodePort == nil && other.loadBalancerIngress.isEmpty && other.clusterIP.address != nil)
        let external = try allocate([service("x", "type: ExternalName, externalName: example.org")])
        #expect(external.state.count == 0)
    }

    @Test("load balancers get what they ask for, if it may be had")
    func requestedAddress() throws {
        func balanced(_ address: String) -> String {
            service("lb", "type: LoadBalancer, loadBalancerIP: \(address), ports: [{port: 80}]")
        }
        let given = try allocate([balanced("198.51.100.3")])
        #expect(given.services.first?.loadBalancerVIPs == [IPv4Address(198, 51, 100, 3)])
        let refused = try allocate([balanced("198.51.100.9")])
        #expect(refused.services.first?.loadBalancerIngress.isEmpty == true)
        #expect(refused.warnings.map(\.field) == ["spec.loadBalancerIP"])
        // Six addresses between the network's own and the broadcast address.
        let many = try allocate((0..<7).map { service("lb-\($0)", "type: LoadBalancer, ports: [{port: 80}]") })
        #expect(Set(many.state.loadBalancers.values.map { $0.bits & 255 }) == Set(1...6))
        #expect(many.warnings.count == 1 && many.faults.isEmpty)
    }

    @Test("what was given stays, whoever comes or goes")
    func kept() throws {
        let first = try allocate([service("b", "type: NodePort, ports: [{name: http, port: 80}]")])
        let others = (0..<200).map { service("a-\($0)", "type: NodePort, ports: [{port: 80}]") }
        let later = "type: NodePort, ports: [{name: http, port: 8080}]"
        let second = try allocate(others + [service("b", later)], keeping: first.state)
        #expect(second.state.clusterIPs[name("b")] == first.state.clusterIPs[name("b")])
        let port = AllocationState.Port(service: name("b"), name: "http", transport: "TCP")
        #expect(second.state.nodePorts[port] == first.state.nodePorts[port])
        // What is needed no more is given back, and what lies outside of the ranges is given anew.
        let gone = try allocate([service("c")], keeping: first.state)
        #expect(gone.state.clusterIPs.keys.map(\.name) == ["c"] && gone.state.nodePorts.isEmpty)
        var moved = ranges
        moved.serviceCIDR = IPv4Prefix("10.97.0.0/16")
        let anew = try allocate([service("b")], in: moved, keeping: first.state)
        #expect(anew.state.clusterIPs[name("b")].map { $0.bits >> 16 } == 0x0a61)
    }

    @Test("a claim to what was given is refused with both names, until its owner is gone")
    func refusedClaim() throws {
        let given = try allocate([service("b", "type: NodePort, ports: [{port: 80}]")])
        let address = try #require(given.state.clusterIPs[name("b")])
        let nodePort = try #require(given.state.nodePorts.values.first)
        let claim = service("a", "type: NodePort, clusterIP: \(address), ports: [{port: 80, nodePort: \(nodePort)}]")
        let both = try allocate([claim, service("b", "type: NodePort, ports: [{port: 80}]")], keeping: given.state)
        #expect(both.faults.map(\.field) == ["spec.clusterIP", "spec.ports[0].nodePort"])
        for fault in both.faults {
            #expect(fault.object?.name == "a" && fault.expectation.contains("Service default/b (1.yaml: document 1)"))
        }
        #expect(try allocate([claim], keeping: given.state).faults.isEmpty)
        // From nothing, claims come first.
        let fresh = try allocate([claim, service("b", "type: NodePort, ports: [{port: 80}]")])
        #expect(fresh.faults.isEmpty && fresh.state.clusterIPs[name("b")] != address)
        // Who claims for itself what it was given keeps it.
        let own = service("b", "type: NodePort, clusterIP: \(address), ports: [{port: 80}]")
        #expect(try allocate([own], keeping: given.state).faults.isEmpty)
    }

    @Test("a host port of a pod is no NodePort")
    func hostPorts() throws {
        var small = ranges
        small.nodePortRange = 30000...30003
        let texts = (0..<3).map { service("svc-\($0)", "type: NodePort, ports: [{port: 80}]") }
        let allocator = try allocate(texts + [pod("p", "10.244.0.9", spec: ", hostPort: 30002")], in: small)
        #expect(Set(allocator.state.nodePorts.values) == [30000, 30001, 30003])
    }

    @Test("a large block that is nearly full costs no more than an empty one")
    func large() throws {
        // Linear search would look at 16 million addresses in the full block. The thread's own time does not depend on who
        // else uses the machine.
        let set = try load([(0..<8190).map { service("svc-\($0)") }.joined(separator: "---\n")])
        func allocate(in block: String) -> (count: Int, nanoseconds: UInt64) {
            var blocks = ranges
            blocks.serviceCIDR = IPv4Prefix(block)
            let begin = threadTime()
            let allocator = Allocator(set, in: blocks.with(reserved: []), keeping: AllocationState())
            return (allocator.state.clusterIPs.count, threadTime() - begin)
        }
        let empty = allocate(in: "10.0.0.0/8")
        let full = allocate(in: "10.96.0.0/19")
        #expect(empty.count == 8190 && full.count == 8190)
        #expect(full.nanoseconds < 3 * empty.nanoseconds)
    }
}

extension AllocationRanges {
    fileprivate func with(reserved: [IPv4Address]) -> Self {
        var result = self
        result.reserved = reserved
        return result
    }
}
