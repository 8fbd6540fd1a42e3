import Datapath
import Kubernetes
import Services
import Testing
import Wire

@Suite("Compilation of Services")
struct ServiceCompilerTests {
    private static let endpoints = slice("[{addresses: [10.244.0.1], nodeName: node-a}, {addresses: [10.244.1.1]}]")

    private func frontends(_ rules: ServiceSpecification) -> [String] {
        rules.frontends.map { "\($0.kind.word) \($0.address):\($0.port)/\($0.transport)" }
    }

    @Test("Addresses of Services come before NodePorts; each has the policy of its kind")
    func kinds() throws {
        let balanced = """
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec:
              type: LoadBalancer
              clusterIP: 10.96.0.10
              externalIPs: [203.0.113.9]
              externalTrafficPolicy: Local
              loadBalancerSourceRanges: [203.0.113.0/25]
              ports: [{port: 80, nodePort: 30080}]
            status: {loadBalancer: {ingress: [{ip: 198.51.100.1}, {ip: 198.51.100.2, ipMode: Proxy}]}}
            """
        let rules = try compile(balanced, Self.endpoints)
        #expect(
            frontends(rules) == [
                "ClusterIP 10.96.0.10:80/tcp", "ExternalIP 203.0.113.9:80/tcp", "LoadBalancer 198.51.100.1:80/tcp",
                "NodePort 192.0.2.10:30080/tcp",
            ]
        )
        #expect(rules.frontends.map(\.isLocalPolicy) == [false, true, true, true])
        #expect(rules.frontends.map(\.sourceRanges.count) == [0, 0, 1, 0])
        #expect(rules.servicePorts.map { $0.local.map(\.text) } == [["10.244.0.1:8080*"]])
    }

    @Test(
        "Services of others are left out",
        arguments: [
            service("", metadata: "labels: {service.kubernetes.io/service-proxy-name: other}"),
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: None, ports: [{port: 80}]}",
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: ExternalName, externalName: example.com}",
        ]
    )
    func skipped(_ text: String) throws {
        let rules = try compile(text)
        #expect(rules.frontends.isEmpty)
        #expect(rules.servicePorts.isEmpty)
    }

    @Test("A zero-length source range restricts nothing")
    func openRange() throws {
        let text = """
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.0/25, 0.0.0.0/0], ports: [{port: 80}]}
            status: {loadBalancer: {ingress: [{ip: 198.51.100.1}]}}
            """
        #expect(try compile(text).frontends.map(\.sourceRanges) == [[]])
    }

    @Test("Host ports of pods on this node are frontends of its addresses, or of the one they name")
    func hostPorts() throws {
        let here = pod("a", "10.244.0.1", spec: ", hostPort: 8081")
        let there = pod("b", "10.244.1.1", node: "node-b", spec: ", hostPort: 8082")
        let bound = pod("c", "10.244.0.3", spec: ", hostPort: 8083, hostIP: 192.0.2.10")
        // An address of somebody else must not be captured.
        let foreign = pod("d", "10.244.0.4", spec: ", hostPort: 53, hostIP: 8.8.8.8")
        let rules = try compile(here, there, bound, foreign)
        #expect(frontends(rules) == ["HostPort 192.0.2.10:8081/tcp", "HostPort 192.0.2.10:8083/tcp"])
        #expect(
            rules.servicePorts.prefix(2).map { $0.cluster.map(\.text) } == [["10.244.0.1:8080*"], ["10.244.0.3:8080*"]]
        )
        #expect(rules.hostPorts == [8081, 8083, 53])
        // A Service may have the name of the pod, and its port that of the container's.
        #expect(rules.servicePorts.prefix(2).map(\.name) == ["default/a:hostPort-8081", "default/c:hostPort-8083"])
    }

    @Test("The host port of a pod that ends goes to the pod that follows it")
    func hostPortOfDeleted() throws {
        let old = pod("a", "10.244.0.1", spec: ", hostPort: 8081").replacing(
            "labels: {app: web}",
            with: "deletionTimestamp: \"2026-01-01T00:00:00Z\""
        )
        let rules = try compile(old, pod("b", "10.244.0.2", spec: ", hostPort: 8081"))
        let first = try #require(rules.frontends.first { $0.port == 8081 })
        #expect(rules.servicePorts[first.servicePort].cluster.map(\.text) == ["10.244.0.2:8080*"])
        let alone = try compile(old)
        #expect(alone.servicePorts.first?.cluster.map(\.text) == ["10.244.0.1:8080*"])
    }

    @Test("Ports that masquerading must not use: those of host network pods here, and for health checks")
    func reservedPorts() throws {
        func host(_ name: String, node: String) -> String {
            pod(name, "192.0.2.10", node: node).replacing("spec: {", with: "spec: {hostNetwork: true, ")
        }
        let balanced = "type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 32100"
        let rules = try compile(service(balanced), host("a", node: "node-a"), host("b", node: "node-b"))
        #expect(rules.hostPorts == [32100, 8080])
        #expect(rules.frontends.allSatisfy { $0.kind != .hostPort })
    }

    @Test("A host port has the protocol of its container's port")
    func hostPortProtocol() throws {
        let rules = try compile(pod("a", "10.244.0.1", spec: ", hostPort: 53, protocol: UDP"))
        #expect(frontends(rules) == ["HostPort 192.0.2.10:53/udp"])
        #expect(rules.servicePorts.map(\.transport) == [.udp])
    }

    @Test("The order of files changes nothing", arguments: 0..<24)
    func order(_ seed: UInt64) throws {
        var texts = [
            service("selector: {app: web}"), Self.endpoints, slice("[{addresses: [10.244.0.9]}]", name: "web-2"),
            pod("a", "10.244.0.1", spec: ", hostPort: 8081"), pod("b", "10.244.0.2"),
            "apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec: {clusterIP: 10.96.0.11, selector: {app: web}, ports: [{port: 80}]}",
        ]
        let expected = "\(try compile(texts))"
        var state = seed
        for index in stride(from: texts.count - 1, to: 0, by: -1) {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            texts.swapAt(index, Int(state >> 33) % (index + 1))
        }
        #expect("\(try compile(texts))" == expected)
    }

    @Test("ServiceCIDRs are blocks of ClusterIPs")
    func serviceBlocks() throws {
        let more =
            "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: more}\nspec: {cidrs: [10.99.0.0/24]}\n"
        #expect(try compile(service(), more).serviceBlocks == [IPv4Prefix("10.99.0.0/24")].compactMap(\.self))
        #expect(try compile(service()).serviceBlocks.isEmpty)
    }

    @Test("A ServicePort keeps its number over reloads, and gets it back")
    func numbers() throws {
        var registry = ServicePortRegistry()
        let web = try load([service()])
        let both = try load([service(), service(name: "api").replacing("10.96.0.10", with: "10.96.0.11")])
        let first = ServiceCompiler.compile(web, node: testNode, registry: &registry)
        let second = ServiceCompiler.compile(both, node: testNode, registry: &registry)
        let third = ServiceCompiler.compile(web, node: testNode, registry: &registry)
        #expect(first.servicePorts.map(\.identifier) == [1])
        #expect(second.servicePorts.map(\.identifier) == [2, 1])
        #expect(third.servicePorts.map(\.identifier) == [1])
        #expect(registry.names == ["", "default/web:80", "default/api:80"])
    }
}
