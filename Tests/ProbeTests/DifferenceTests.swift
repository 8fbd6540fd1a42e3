import Control
import Foundation
import Kubernetes
import Testing

/// An old and a new set, and lines that diff has for it.
struct DifferenceCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var old: String
    var new: String
    var lines: [String]
    var options = ""

    init(_ description: String, old: String = web, new: String, options: String = "", _ lines: [String]) {
        testDescription = description
        self.old = old
        self.new = new
        self.options = options
        self.lines = lines
    }

    /// A LoadBalancer with a TCP and a UDP port, two endpoints, one of them on this node.
    static let web = """
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec:
          type: LoadBalancer
          clusterIP: 10.96.0.10
          ports: [{name: http, port: 80, nodePort: 30080}, {name: dns, port: 53, nodePort: 30053, protocol: UDP}]
        status: {loadBalancer: {ingress: [{ip: 198.51.100.1}]}}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
        addressType: IPv4
        ports: [{name: http, port: 8080}, {name: dns, port: 5353, protocol: UDP}]
        endpoints: [{addresses: [10.244.0.1], nodeName: node-a}, {addresses: [10.244.1.1], nodeName: node-b}]
        """

    static let other = """

        ---
        apiVersion: v1
        kind: Service
        metadata: {name: shop}
        spec: {type: NodePort, ports: [{name: http, port: 80}]}
        """
}

@Suite("What diff shows")
struct DifferenceTests {
    typealias Case = DifferenceCase

    private static func changed(_ old: String, _ new: String) -> String { Case.web.replacing(old, with: new) }

    static let cases = [
        Case(
            "a Service that is new",
            new: Case.web + Case.other,
            [
                "+ 10.96.60.99:80/TCP  ClusterIP of default/shop:http",
                "+ 192.0.2.10:31852/TCP  NodePort of default/shop:http",
                "+ ClusterIP of default/shop  10.96.60.99",
                "+ NodePort of default/shop:http/TCP  31852",
                "All stay as they are.",
            ]
        ),
        Case(
            "a Service that is gone",
            old: Case.web,
            new: "{apiVersion: v1, kind: List, items: []}",
            [
                "- 10.96.0.10:80/TCP  ClusterIP of default/web:http",
                "- 198.51.100.1:53/UDP  LoadBalancer of default/web:dns",
                "default/web:http (tcp), none is left",
                "- 10.244.0.1:8080*",
                "UDP of default/web:dns to 10.244.0.1:5353 is forgotten: the next packet is for no Service",
                "TCP of default/web:http to 10.244.1.1:8080 stays until it ends, though new connections cannot get there",
                "All others stay as they are.",
            ]
        ),
        Case(
            "an endpoint that moves",
            new: changed("10.244.1.1", "10.244.1.2"),
            [
                "default/web:http (tcp), 2 now", "- 10.244.1.1:8080", "+ 10.244.1.2:8080",
                "UDP of default/web:dns to 10.244.1.1:5353 is forgotten: the next packet is balanced anew",
                "TCP of default/web:http to 10.244.1.1:8080 stays until it ends",
            ]
        ),
        Case(
            "an endpoint that goes, with resets",
            new: changed("{addresses: [10.244.1.1], nodeName: node-b}", ""),
            options: "conntrack: {resetDeletedEndpoints: true}",
            ["TCP of default/web:http to 10.244.1.1:8080 is reset with its next packet: the endpoint is gone"]
        ),
        Case(
            "the last endpoint of a Service",
            new: changed("endpoints: [{", "endpoints: []\nunused: [{"),
            [
                "UDP of default/web:dns to 10.244.0.1:5353 is forgotten: the next packet is refused, as there is no endpoint"
            ]
        ),
        Case(
            "a policy",
            new: changed(
                "  clusterIP: 10.96.0.10",
                "  clusterIP: 10.96.0.10\n  externalTrafficPolicy: Local\n  healthCheckNodePort: 30999"
            ),
            [
                "~ 198.51.100.1:80/TCP  LoadBalancer of default/web:http: policy Cluster -> Local",
                "~ 192.0.2.10:30053/UDP  NodePort of default/web:dns: policy Cluster -> Local", "All stay as they are.",
            ]
        ),
        Case(
            "affinity and source ranges",
            new: changed(
                "  clusterIP: 10.96.0.10",
                "  clusterIP: 10.96.0.10\n  sessionAffinity: ClientIP\n  loadBalancerSourceRanges: [10.0.0.0/8]"
            ),
            [
                "~ 198.51.100.1:80/TCP  LoadBalancer of default/web:http: affinity none -> 10800s, sources any -> 10.0.0.0/8",
                "~ 10.96.0.10:80/TCP  ClusterIP of default/web:http: affinity none -> 10800s",
            ]
        ),
        Case(
            "a NodePort that changes takes its UDP with it",
            new: changed("nodePort: 30053", "nodePort: 30054"),
            [
                "- 192.0.2.10:30053/UDP  NodePort of default/web:dns",
                "+ 192.0.2.10:30054/UDP  NodePort of default/web:dns",
                "UDP of default/web:dns by 192.0.2.10:30053/UDP to 10.244.0.1:5353 is forgotten: the next packet is for no Service",
            ]
        ),
        Case(
            "an external address that becomes a Service's",
            old: changed("[{ip: 198.51.100.1}]", "[]"),
            new: Case.web,
            [
                "UDP that was passed on to 198.51.100.1:53/UDP is forgotten: the next packet is balanced anew",
                "TCP without an answer that was passed on to 198.51.100.1:80/TCP is forgotten",
            ]
        ),
    ]

    private func difference(_ old: String, _ new: String, options: String = "") throws -> ClusterDifference {
        let folders = try [folder(of: [old]), folder(of: [new])]
        defer { for folder in folders { try? FileManager.default.removeItem(at: folder) } }
        let before = try Cluster(try configuration(options), manifests: [folders[0].path])
        return ClusterDifference(from: before, to: try before.next(manifests: [folders[1].path]))
    }

    @Test("says what is new, gone and another one, and what becomes of flows", arguments: cases)
    func text(_ row: DifferenceCase) throws {
        let text = try difference(row.old, row.new, options: row.options).text
        for line in row.lines { #expect(text.contains(line), "\(text)") }
    }

    @Test("finds nothing where the set is the same, in another order")
    func same() throws {
        let set = Case.web + Case.other
        let parts = set.components(separatedBy: "\n---\n")
        let found = try difference(set, parts.reversed().joined(separator: "\n---\n"))
        #expect(found.isEmpty)
        #expect(found.text == "No differences.\n")
    }

    @Test("what was given stays, though a new set alone would be given something else")
    func allocations() throws {
        let names = (0..<40).map { Case.other.replacing("name: shop", with: "name: shop-\($0)") }
        let found = try difference(names[20...].joined(), names.joined())
        let json = try object(found.json.line)
        let changes = try #require(json["allocations"] as? [[String: Any]])
        #expect(changes.count == 40)
        #expect(changes.allSatisfy { $0["old"] is NSNull })
    }

    @Test("warns of what the new set does not mean, and the old one did not say")
    func warnings() throws {
        let local = Self.changed("  clusterIP: 10.96.0.10", "  clusterIP: 10.96.0.10\n  externalTrafficPolicy: Local")
        let away = local.replacing("node-a}", with: "node-c}")
        let found = try difference(local, away).warnings
        #expect(found.count == 2)
        #expect(found.allSatisfy { $0.description.contains("spec.externalTrafficPolicy: Local leaves default/web:") })
        #expect(try difference(away, away.replacing("10.244.1.1", with: "10.244.1.2")).warnings.isEmpty)
    }

    @Test("is one object as JSON")
    func json() throws {
        let found = try object(
            try difference(Case.web, Self.changed("10.244.1.1", "10.244.1.2") + Case.other).json.line
        )
        #expect(Set(found.keys) == ["frontends", "backends", "allocations", "flows"])
        let frontends = try #require(found["frontends"] as? [String: [[String: Any]]])
        #expect(frontends["removed"]?.isEmpty == true && frontends["changed"]?.isEmpty == true)
        let added = try #require(frontends["added"])
        #expect(added.map { $0["frontend"] as? String } == ["ClusterIP", "NodePort"])
        #expect(
            added.allSatisfy {
                Set($0.keys) == ["address", "service", "frontend", "policy", "affinitySeconds", "sourceRanges"]
            }
        )
        let backends = try #require(found["backends"] as? [[String: Any]])
        #expect(backends.map { $0["service"] as? String } == ["default/web:dns", "default/web:http"])
        let gone = try #require(backends[1]["removed"] as? [[String: Any]])
        #expect(gone.map { $0["backend"] as? String } == ["10.244.1.1:8080"])
        #expect(gone.map { $0["local"] as? Bool } == [false])
        let flows = try #require(found["flows"] as? [[String: Any]])
        #expect(flows.map { $0["effect"] as? String } == ["removed", "kept"])
        #expect(flows.map { $0["next"] as? String } == ["balanced", "balanced"])
        #expect(flows.allSatisfy { $0["frontend"] is NSNull })
    }
}
