import Datapath
import Kubernetes
import Services
import Testing

/// What health check ports say (pkg/proxy/healthcheck, TestHealthCheckNodePortWhenTerminating).
@Suite("Health checks")
struct HealthCheckTests {
    private static let fields =
        "type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 30099"

    private static func checks(_ fields: String, _ endpoints: String, metadata: String = "") throws -> [HealthCheck] {
        let set = try load([service(fields, metadata: metadata), slice(endpoints)])
        var registry = ServicePortRegistry()
        return HealthCheck.all(in: set, ServiceCompiler.compile(set, node: testNode, registry: &registry))
    }

    private static func endpoint(_ address: String, _ conditions: String = "", node: String = "node-a") -> String {
        "{addresses: [\(address)], nodeName: \(node), conditions: {\(conditions)}}"
    }

    @Test(
        "ready endpoints of this node count, by their addresses",
        arguments: [
            (["10.244.0.5"], [], 1), (["10.244.0.5", "10.244.0.6"], ["10.244.7.7"], 2), ([], ["10.244.7.7"], 0),
            ([], [], 0),
        ] as [([String], [String], Int)]
    )
    func counts(local: [String], remote: [String], expected: Int) throws {
        let endpoints = local.map { Self.endpoint($0) } + remote.map { Self.endpoint($0, node: "node-b") }
        let found = try Self.checks(Self.fields, "[\(endpoints.joined(separator: ", "))]")
        #expect(
            found == [HealthCheck(namespace: "default", name: "web", port: 30099, localEndpoints: expected)]
        )
    }

    @Test("what terminates or is unready counts as none, also where it still serves")
    func terminating() throws {
        let terminating = "ready: false, serving: true, terminating: true"
        let only = try Self.checks(Self.fields, "[\(Self.endpoint("10.244.0.5", terminating))]")
        #expect(only.map(\.localEndpoints) == [0])
        let both = "[\(Self.endpoint("10.244.0.5", terminating)), \(Self.endpoint("10.244.0.6"))]"
        #expect(try Self.checks(Self.fields, both).map(\.localEndpoints) == [1])
        let unready = "[\(Self.endpoint("10.244.0.5", "ready: false"))]"
        #expect(try Self.checks(Self.fields, unready).map(\.localEndpoints) == [0])
    }

    @Test("an address counts once for all ports of its Service")
    func severalPorts() throws {
        let fields = Self.fields + ", ports: [{name: a, port: 80}, {name: b, port: 81}]"
        let text = """
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {clusterIP: 10.96.0.10, \(fields)}
            """
        let endpoints = slice(
            "[\(Self.endpoint("10.244.0.5"))]",
            ports: "[{name: a, port: 8080}, {name: b, port: 8081}]"
        )
        let set = try load([text, endpoints])
        var registry = ServicePortRegistry()
        let rules = ServiceCompiler.compile(set, node: testNode, registry: &registry)
        #expect(HealthCheck.all(in: set, rules).map(\.localEndpoints) == [1])
    }

    @Test(
        "only a LoadBalancer with policy Local that is served here has one",
        arguments: [
            "type: LoadBalancer, healthCheckNodePort: 30099",
            "type: NodePort, externalTrafficPolicy: Local",
            "type: LoadBalancer, externalTrafficPolicy: Local",
        ]
    )
    func none(fields: String) throws {
        #expect(try Self.checks(fields, "[\(Self.endpoint("10.244.0.5"))]") == [])
        let other = "labels: {service.kubernetes.io/service-proxy-name: other}"
        #expect(try Self.checks(Self.fields, "[\(Self.endpoint("10.244.0.5"))]", metadata: other) == [])
    }
}
