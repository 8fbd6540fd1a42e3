import Control
import Datapath
import Services
import TestSupport
import Testing
import Wire

/// An entry of kube-proxy's own test of its clean-up: what was sent where, and who answers.
private struct Row {
    enum Fate { case keeps, deletes }

    var number: Int
    var destination: String
    var port: UInt16
    var transport: TransportProtocol
    var backend: String
    var backendPort: UInt16
    var kubeProxy: Fate
    /// What Culvert does, where that is something else by intent (docs/differences.md).
    var ours: Fate

    init(
        _ number: Int,
        _ destination: String,
        _ port: UInt16,
        _ transport: TransportProtocol,
        _ backend: String,
        _ backendPort: UInt16,
        _ kubeProxy: Fate,
        ours: Fate? = nil
    ) {
        self.number = number
        self.destination = destination
        self.port = port
        self.transport = transport
        self.backend = backend
        self.backendPort = backendPort
        self.kubeProxy = kubeProxy
        self.ours = ours ?? kubeProxy
    }

    var kind: FrontendKind {
        switch destination {
        case "172.30.1.1": .clusterIP
        case "1.2.3.4": .loadBalancer
        case "192.168.0.2": .nodePort
        default: .externalIP
        }
    }

    /// The rules that the entry was made by: its destination led to its backend; to none where nothing was translated.
    var earlier: ServiceSpecification {
        var rules = ServiceSpecification()
        guard backend != destination else { return rules }
        let endpoint = Backend(address: address(backend), port: backendPort, isLocal: false)
        rules.servicePorts = [
            .init(identifier: 1, name: "earlier", cluster: [endpoint], local: [], hasAny: true, transport: transport)
        ]
        rules.frontends = [
            .init(kind: kind, address: address(destination), port: port, transport: transport, servicePort: 0)
        ]
        return rules
    }
}

private func address(_ text: String) -> IPv4Address { IPv4Address(text) ?? .any }

/// Every row of kube-proxy's TestCleanStaleEntries and TestServiceWithoutEndpoints (pkg/proxy/conntrack/cleanup_test.go), but
/// for SCTP.
@Suite("Conntrack clean-up of kube-proxy")
struct ConntrackCleanupTests {
    private static let staleEntries = [
        Row(1, "172.30.1.1", 8000, .udp, "10.240.0.4", 8080, .deletes),
        Row(2, "1.2.3.4", 8000, .udp, "10.240.0.4", 8080, .deletes),
        Row(3, "192.168.99.100", 8000, .udp, "10.240.0.4", 8080, .deletes),
        Row(4, "172.30.1.1", 8000, .tcp, "10.240.0.4", 9090, .keeps),
        Row(5, "172.30.1.1", 3000, .tcp, "10.240.0.4", 9090, .keeps),
        Row(6, "1.2.3.4", 8000, .tcp, "10.240.0.4", 9090, .keeps),
        Row(7, "1.2.3.4", 3000, .tcp, "10.240.0.4", 9090, .keeps),
        Row(8, "192.168.99.100", 8000, .tcp, "10.240.0.4", 9090, .keeps),
        Row(9, "192.168.99.100", 3000, .tcp, "10.240.0.4", 9090, .keeps),
        Row(10, "192.168.0.2", 32000, .tcp, "10.240.0.4", 9090, .keeps),
        Row(11, "172.30.1.1", 8000, .udp, "10.240.0.4", 9090, .keeps),
        Row(12, "172.30.1.1", 3000, .udp, "10.240.0.4", 9090, .keeps, ours: .deletes),
        Row(13, "1.2.3.4", 8000, .udp, "10.240.0.4", 9090, .keeps),
        Row(14, "1.2.3.4", 3000, .udp, "10.240.0.4", 9090, .keeps, ours: .deletes),
        Row(15, "192.168.99.100", 8000, .udp, "10.240.0.4", 9090, .keeps),
        Row(16, "192.168.99.100", 3000, .udp, "10.240.0.4", 9090, .keeps, ours: .deletes),
        Row(17, "192.168.0.2", 32000, .udp, "10.240.0.4", 9090, .keeps),
        Row(18, "172.30.1.1", 8000, .tcp, "10.240.1.5", 9090, .keeps),
        Row(19, "172.30.1.1", 3000, .tcp, "10.240.1.5", 9090, .keeps),
        Row(20, "1.2.3.4", 8000, .tcp, "10.240.1.5", 9090, .keeps),
        Row(21, "1.2.3.4", 3000, .tcp, "10.240.1.5", 9090, .keeps),
        Row(22, "192.168.99.100", 8000, .tcp, "10.240.1.5", 9090, .keeps),
        Row(23, "192.168.99.100", 3000, .tcp, "10.240.1.5", 9090, .keeps),
        Row(24, "192.168.0.2", 32000, .tcp, "10.240.1.5", 9090, .keeps),
        Row(25, "172.30.1.1", 8000, .udp, "10.240.1.5", 9090, .deletes),
        Row(26, "172.30.1.1", 3000, .udp, "10.240.1.5", 9090, .keeps, ours: .deletes),
        Row(27, "1.2.3.4", 8000, .udp, "10.240.1.5", 9090, .deletes),
        Row(28, "1.2.3.4", 3000, .udp, "10.240.1.5", 9090, .keeps, ours: .deletes),
        Row(29, "192.168.99.100", 8000, .udp, "10.240.1.5", 9090, .deletes),
        Row(30, "192.168.99.100", 3000, .udp, "10.240.1.5", 9090, .keeps, ours: .deletes),
        Row(31, "192.168.0.2", 32000, .udp, "10.240.1.5", 9090, .deletes),
        Row(32, "172.30.1.1", 8000, .tcp, "10.240.2.6", 9090, .keeps),
        Row(33, "172.30.1.1", 3000, .tcp, "10.240.2.6", 9090, .keeps),
        Row(34, "1.2.3.4", 8000, .tcp, "10.240.2.6", 9090, .keeps),
        Row(35, "1.2.3.4", 3000, .tcp, "10.240.2.6", 9090, .keeps),
        Row(36, "192.168.99.100", 8000, .tcp, "10.240.2.6", 9090, .keeps),
        Row(37, "192.168.99.100", 3000, .tcp, "10.240.2.6", 9090, .keeps),
        Row(38, "192.168.0.2", 32000, .tcp, "10.240.2.6", 9090, .keeps),
        Row(39, "172.30.1.1", 8000, .udp, "10.240.2.6", 9090, .deletes),
        Row(40, "172.30.1.1", 3000, .udp, "10.240.2.6", 9090, .keeps, ours: .deletes),
        Row(41, "1.2.3.4", 8000, .udp, "10.240.2.6", 9090, .deletes),
        Row(42, "1.2.3.4", 3000, .udp, "10.240.2.6", 9090, .keeps, ours: .deletes),
        Row(43, "192.168.99.100", 8000, .udp, "10.240.2.6", 9090, .deletes),
        Row(44, "192.168.99.100", 3000, .udp, "10.240.2.6", 9090, .keeps, ours: .deletes),
        Row(45, "192.168.0.2", 32000, .udp, "10.240.2.6", 9090, .deletes),
        Row(46, "172.30.1.1", 8000, .udp, "172.30.1.1", 8000, .deletes),
        Row(47, "172.30.1.1", 3000, .udp, "172.30.1.1", 3000, .keeps),
        Row(48, "1.2.3.4", 8000, .udp, "1.2.3.4", 8000, .deletes),
        Row(49, "1.2.3.4", 3000, .udp, "1.2.3.4", 3000, .keeps),
        Row(50, "192.168.99.100", 8000, .udp, "192.168.99.100", 8000, .deletes),
        Row(51, "192.168.99.100", 3000, .udp, "192.168.99.100", 3000, .keeps),
    ]

    private static let withoutEndpoints = [
        Row(1, "192.168.99.100", 8000, .udp, "10.240.0.4", 9090, .keeps, ours: .deletes),
        Row(2, "192.168.99.100", 8000, .udp, "10.240.2.6", 9090, .keeps, ours: .deletes),
    ]

    private static func service(_ ports: String) -> String {
        """
        apiVersion: v1
        kind: Service
        metadata: {name: cleanup-test, namespace: test}
        spec:
          type: LoadBalancer
          clusterIP: 172.30.1.1
          externalIPs: [192.168.99.100]
          ports: [\(ports)]
        status: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}

        """
    }

    private static let udpPort = "{name: test-udp, port: 8000, nodePort: 32000, protocol: UDP}"
    private static let tcpPort = "{name: test-tcp, port: 8000, protocol: TCP}"
    private static let slice = """
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: cleanup-test-0, namespace: test, labels: {kubernetes.io/service-name: cleanup-test}}
        addressType: IPv4
        endpoints:
        - {addresses: [10.240.0.4], conditions: {serving: true}}
        - {addresses: [10.240.1.5], conditions: {serving: false}}
        ports:
        - {name: test-tcp, port: 9090, protocol: TCP}
        - {name: test-udp, port: 9090, protocol: UDP}

        """

    @Test("stale entries", arguments: staleEntries.indices)
    func stale(index: Int) throws {
        try Self.check(Self.staleEntries[index], Self.service("\(Self.tcpPort), \(Self.udpPort)") + Self.slice)
    }

    @Test("a Service without endpoints", arguments: withoutEndpoints.indices)
    func zero(index: Int) throws {
        try Self.check(Self.withoutEndpoints[index], Self.service(Self.udpPort))
    }

    @Test("differences are those that are documented")
    func differences() {
        let differing = Self.staleEntries.filter { $0.ours != $0.kubeProxy }
        #expect(Self.staleEntries.count == 51 && Self.withoutEndpoints.count == 2)
        #expect(differing.map(\.number) == [12, 14, 16, 26, 28, 30, 40, 42, 44])
        #expect(differing.allSatisfy { $0.port == 3000 && $0.transport == .udp })
        #expect(Self.withoutEndpoints.allSatisfy { $0.ours != $0.kubeProxy })
    }

    private static func check(_ row: Row, _ manifests: String) throws {
        let settings = try configuration(
            "{node: {name: test-node, addresses: [192.168.0.2]}, cluster: {podCIDR: 10.0.0.0/8}}"
        )
        let scratch = try VerifyScratch()
        let cluster = try Cluster(settings, manifests: [try scratch.write("set.yaml", Array(manifests.utf8))])
        var world = World()
        world.configuration = cluster.datapathConfiguration(seed: 1, isReplay: false)
        world.configuration.conntrackCapacity = 64
        world.rules = row.earlier
        let harness = DatapathHarness(world)
        let target = address(row.destination)
        let packet =
            row.transport == .tcp
            ? tcp(World.outside, 40000, to: target, row.port) : udp(World.outside, 40000, to: target, row.port)
        harness.send(packet, from: World.uplink)
        let flow = try #require(harness.flows.first, "row \(row.number) makes no entry")
        #expect(flow.backend.description == "\(row.backend):\(row.backendPort)")
        harness.reload(cluster.rules)
        #expect(harness.flows.count == (row.ours == .keeps ? 1 : 0), "row \(row.number)")
    }
}
