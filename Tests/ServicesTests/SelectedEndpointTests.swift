import Datapath
import Kubernetes
import Services
import Testing

/// A Pod `default/NAME` of app `web` with whatever a row wants of it.
private func webPod(
    _ name: String,
    _ address: String?,
    node: String? = "node-a",
    metadata: String = "",
    ports: String = "[{name: http, containerPort: 8080}]",
    spec: String = "",
    ready: String? = "True",
    phase: String = "Running"
) -> String {
    let conditions = ready.map {
        ", conditions: [{type: Initialized, status: \"True\"}, {type: Ready, status: \"\($0)\"}]"
    }
    return """
        apiVersion: v1
        kind: Pod
        metadata: {name: \(name), labels: {app: web, tier: front}\(metadata.isEmpty ? "" : ", " + metadata)}
        spec:
          \(node.map { "nodeName: \($0)" } ?? "{}")
          containers: [{name: c, ports: \(ports)}]
          \(spec)
        status: {phase: \(phase)\(address.map { ", podIP: \($0)" } ?? "")\(conditions ?? "")}
        """.replacing("  {}\n", with: "")
}

private let deleted = "deletionTimestamp: \"2026-01-01T00:00:00Z\""

private func node(_ name: String, zone: String) -> String {
    "apiVersion: v1\nkind: Node\nmetadata: {name: \(name), labels: {topology.kubernetes.io/zone: \(zone)}}\n"
}

/// A Service that selects `app: web`, with a named target port unless told otherwise.
private func selecting(_ fields: String = "", selector: String = "{app: web}", target: String = "http") -> String {
    """
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec: {clusterIP: 10.96.0.10, selector: \(selector), ports: [{port: 80, targetPort: \(target)}]\(fields.isEmpty ? "" : ", " + fields)}
    """
}

/// An endpoint in short: address, port, and the conditions that hold.
private func short(_ record: EndpointRecord) -> String {
    let conditions = [
        record.isReady ? "ready" : "", record.isServing ? "serving" : "", record.isTerminating ? "terminating" : "",
        record.isLocal ? "local" : "",
    ]
    return "\(record.address):\(record.port) " + conditions.filter { !$0.isEmpty }.joined(separator: " ")
}

@Suite("Endpoints from selectors")
struct SelectedEndpointTests {
    private func records(_ texts: String...) throws -> [EndpointRecord] {
        let set = try load(texts)
        let service = try #require(set.services.first)
        return EndpointListing(set, node: testNode).records(of: service, port: service.ports[0])
    }

    private func endpoints(_ texts: String...) throws -> [String] {
        let set = try load(texts)
        let service = try #require(set.services.first)
        return EndpointListing(set, node: testNode).records(of: service, port: service.ports[0]).map(short)
    }

    private func sets(_ texts: [String], node: NodeSettings = testNode) throws -> (cluster: [String], local: [String]) {
        let port = try #require(try compile(texts, node: node).servicePorts.first)
        return (port.cluster.map(\.text), port.local.map(\.text))
    }

    @Test("every label of the selector must be there, in the Service's namespace; an empty one selects nothing")
    func selector() throws {
        let one = webPod("a", "10.244.0.1")
        let elsewhere = webPod("b", "10.244.0.2", metadata: "namespace: other")
        #expect(try endpoints(selecting(), one, elsewhere) == ["10.244.0.1:8080 ready serving local"])
        #expect(try endpoints(selecting(selector: "{app: web, tier: front}"), one).count == 1)
        #expect(try endpoints(selecting(selector: "{app: web, tier: back}"), one) == [])
        #expect(try endpoints(selecting(selector: "{app: web, other: x}"), one) == [])
        #expect(try endpoints(selecting(selector: "{}"), one) == [])
    }

    @Test("readiness is the condition Ready; without conditions a pod that runs counts")
    func readiness() throws {
        let unready = webPod("a", "10.244.0.1", ready: "False")
        let unknown = webPod("b", "10.244.0.2", ready: "Unknown")
        let plain = webPod("c", "10.244.0.3", ready: nil)
        let waiting = webPod("d", "10.244.0.4", ready: nil, phase: "Pending")
        #expect(
            try endpoints(selecting(), unready, unknown, plain, waiting) == [
                "10.244.0.1:8080 local", "10.244.0.2:8080 local", "10.244.0.3:8080 ready serving local",
                "10.244.0.4:8080 local",
            ]
        )
        #expect(try sets([selecting(), unready, plain]).cluster == ["10.244.0.3:8080*"])
    }

    @Test("a pod that has ended, or has no address yet, is none")
    func ended() throws {
        let evicted = webPod("a", "10.244.0.1", ready: "False", phase: "Failed")
        let completed = webPod("b", "10.244.0.2", ready: "True", phase: "Succeeded")
        let unscheduled = webPod("c", nil, node: nil, ready: nil, phase: "Pending")
        for fields in ["", "publishNotReadyAddresses: true"] {
            #expect(try endpoints(selecting(fields), evicted, completed, unscheduled) == [])
        }
    }

    @Test("a pod that is being deleted is not ready, but serves as long as it says so, and is the last resort")
    func terminating() throws {
        let serving = webPod("a", "10.244.0.1", metadata: deleted)
        let silent = webPod("b", "10.244.0.2", metadata: deleted, ready: "False")
        let other = webPod("c", "10.244.0.3", node: "node-b")
        #expect(
            try endpoints(selecting(), serving, silent) == [
                "10.244.0.1:8080 serving terminating local", "10.244.0.2:8080 terminating local",
            ]
        )
        #expect(try sets([selecting(), serving, silent]).cluster == ["10.244.0.1:8080*"])
        let beside = try sets([selecting(), serving, other])
        #expect(beside.cluster == ["10.244.0.3:8080"] && beside.local == ["10.244.0.1:8080*"])
        #expect(try sets([selecting(), silent]).cluster == [])
    }

    @Test("publishNotReadyAddresses makes them all ready; what they serve stays what it is")
    func published() throws {
        let fields = "publishNotReadyAddresses: true"
        let unready = webPod("a", "10.244.0.1", ready: "False")
        let ending = webPod("b", "10.244.0.2", metadata: deleted, ready: "False")
        #expect(
            try endpoints(selecting(fields), unready, ending) == [
                "10.244.0.1:8080 ready local", "10.244.0.2:8080 ready terminating local",
            ]
        )
        #expect(try sets([selecting(fields), unready, ending]).cluster == ["10.244.0.1:8080*", "10.244.0.2:8080*"])
    }

    @Test("a named target port is each pod's own, by name and protocol; a pod without it is left out")
    func namedPorts() throws {
        let first = webPod(
            "a",
            "10.244.0.1",
            ports: "[{name: admin, containerPort: 1}, {name: http, containerPort: 8081}]"
        )
        let second = webPod("b", "10.244.0.2", ports: "[{name: http, containerPort: 8082}]")
        let datagrams = webPod("c", "10.244.0.3", ports: "[{name: http, containerPort: 8083, protocol: UDP}]")
        let without = webPod("d", "10.244.0.4", ports: "[{name: web, containerPort: 8084}]")
        let found = try sets([selecting(), first, second, datagrams, without]).cluster
        #expect(found == ["10.244.0.1:8081*", "10.244.0.2:8082*"])
        // A number needs no port of the container, and no target port is the Service's own.
        #expect(try sets([selecting(target: "9999"), without]).cluster == ["10.244.0.4:9999*"])
        let plain = selecting().replacing(", targetPort: http", with: "")
        #expect(try sets([plain, without]).cluster == ["10.244.0.4:80*"])
    }

    @Test("init containers that keep running have ports; those that end have none")
    func sidecars() throws {
        let side = "initContainers: [{name: s, restartPolicy: Always, ports: [{name: http, containerPort: 8085}]}]"
        let first = "initContainers: [{name: s, ports: [{name: http, containerPort: 8086}]}]"
        #expect(
            try sets([selecting(), webPod("a", "10.244.0.1", ports: "[]", spec: side)]).cluster == ["10.244.0.1:8085*"]
        )
        #expect(try sets([selecting(), webPod("a", "10.244.0.1", ports: "[]", spec: first)]).cluster == [])
    }

    @Test("pods of the host network share their node's address, and are one endpoint, ready if one of them is")
    func hostNetwork() throws {
        let unready = webPod("a", "192.0.2.10", spec: "hostNetwork: true", ready: "False")
        let ready = webPod("b", "192.0.2.10", spec: "hostNetwork: true")
        #expect(try endpoints(selecting(), unready, ready) == ["192.0.2.10:8080 ready serving local"])
        #expect(try endpoints(selecting(), ready, unready) == ["192.0.2.10:8080 ready serving local"])
    }

    @Test(
        "trafficDistribution gives hints of the pod's zone, and with PreferSameNode of its node",
        arguments: [
            ("PreferClose", ["zone-a"], nil), ("PreferSameZone", ["zone-a"], nil),
            ("PreferSameNode", ["zone-a"], ["node-a"]),
        ] as [(String, [String], [String]?)]
    )
    func hints(_ wish: String, _ zones: [String], _ nodes: [String]?) throws {
        let found = try records(
            selecting("trafficDistribution: \(wish)"),
            webPod("a", "10.244.0.1"),
            webPod("b", "10.244.0.2", node: "node-b"),
            webPod("c", "10.244.0.3", ready: "False"),
            node("node-b", zone: "zone-b")
        )
        // The zone of this node is configured; that of another comes from its Node object.
        #expect(found.map(\.zoneHints) == [zones, ["zone-b"], nil])
        #expect(found.map(\.nodeHints) == [nodes, nodes.map { _ in ["node-b"] }, nil])
        #expect(
            try records(selecting(), webPod("a", "10.244.0.1")).allSatisfy {
                $0.zoneHints == nil && $0.nodeHints == nil
            }
        )
    }

    @Test("hints lead to the near endpoints: the node's, else the zone's, else all")
    func nearest() throws {
        let nodes = [node("node-b", zone: "zone-b"), node("node-c", zone: "zone-a")]
        let here = webPod("a", "10.244.0.1")
        let zone = webPod("c", "10.244.0.3", node: "node-c")
        let far = webPod("b", "10.244.0.2", node: "node-b")
        func near(_ wish: String, _ pods: String...) throws -> [String] {
            try sets([selecting("trafficDistribution: \(wish)")] + pods + nodes).cluster
        }
        #expect(try near("PreferSameNode", here, zone, far) == ["10.244.0.1:8080*"])
        #expect(try near("PreferSameNode", zone, far) == ["10.244.0.3:8080"])
        #expect(try near("PreferSameNode", far) == ["10.244.0.2:8080"])
        #expect(try near("PreferSameZone", here, zone, far) == ["10.244.0.1:8080*", "10.244.0.3:8080"])
        #expect(try near("PreferClose", far) == ["10.244.0.2:8080"])
        // A pod whose node has no zone has no hint, and so no hint counts.
        #expect(try near("PreferClose", here, webPod("d", "10.244.0.4", node: "node-d")).count == 2)
    }

    @Test("the order of pods does not matter", arguments: 0..<8)
    func order(_ turn: Int) throws {
        let pods = (1...8).map { webPod("p-\($0)", "10.244.0.\($0)", ready: $0 % 3 == 0 ? "False" : "True") }
        let turned = Array(pods[turn...] + pods[..<turn])
        #expect(try sets([selecting()] + turned).cluster == sets([selecting()] + pods).cluster)
    }
}
