import Kubernetes
import Testing
import Wire

@Suite("Objects held against each other")
struct ConflictTests {
    /// Loads two Services `a` and `b` from a file each, in both orders, and returns what must be the same.
    private func faults(_ first: String, _ second: String) -> [String] {
        let files = [
            ("a.yaml", Array(service(first, name: "a").utf8)), ("b.yaml", Array(service(second, name: "b").utf8)),
        ]
        let outcome = Outcome(files)
        let reversed = Outcome(files.reversed())
        #expect(outcome.faults == reversed.faults)
        #expect(outcome.set == reversed.set)
        return outcome.faults
    }

    @Test("one ClusterIP for two Services names both")
    func clusterIP() {
        let found = faults("clusterIP: 10.96.0.10\nports: [{port: 80}]", "clusterIP: 10.96.0.10\nports: [{port: 81}]")
        #expect(
            found == [
                "b.yaml: document 1: spec.clusterIP: 10.96.0.10 is also the ClusterIP of Service default/a (a.yaml: document 1)"
            ]
        )
    }

    @Test("one address and port across kinds of address")
    func sockets() {
        let load = "type: LoadBalancer\nclusterIP: 10.96.0.11\nports: [{port: 80}]\nexternalIPs: [203.0.113.20]"
        let found = faults("clusterIP: 10.96.0.10\nexternalIPs: [203.0.113.20]\nports: [{port: 80}]", load)
        #expect(
            found.count == 1
                && found[0].contains("spec.externalIPs[0]: 203.0.113.20:80/TCP is also an address of Service default/a")
        )
        #expect(faults("clusterIP: 10.96.0.10\nexternalIPs: [203.0.113.20]\nports: [{port: 81}]", load).isEmpty)
        #expect(
            faults("clusterIP: 10.96.0.10\nexternalIPs: [203.0.113.20]\nports: [{port: 80, protocol: UDP}]", load)
                .isEmpty
        )
    }

    @Test("a load-balancer address of two Services")
    func ingress() {
        let status = "\nstatus: {loadBalancer: {ingress: [{ip: 203.0.113.10}]}}\n"
        let texts = [("a", 10), ("b", 11)].map { name, last in
            service("type: LoadBalancer\nclusterIP: 10.96.0.\(last)\nports: [{port: 80}]", name: name) + status
        }
        let outcome = Outcome(texts.joined(separator: "---\n"))
        #expect(outcome.faults.count == 1)
        #expect(
            outcome.faults.allSatisfy { $0.contains("status.loadBalancer.ingress[0].ip: 203.0.113.10:80/TCP is also") }
        )
        #expect(
            Outcome(texts.joined(separator: "---\n").replacing("113.10}", with: "113.10, ipMode: Proxy}")).faults == []
        )
    }

    @Test("an external address among the ClusterIPs (CVE-2020-8554)")
    func external() {
        let found = faults(
            "clusterIP: 10.96.0.10\nexternalIPs: [10.96.0.11]\nports: [{port: 80}]",
            "clusterIP: 10.96.0.11\nports: [{port: 81}]"
        )
        #expect(
            found.count == 1
                && found[0].contains("spec.externalIPs[0]: 10.96.0.11 is the ClusterIP of Service default/b")
        )
    }

    @Test("one NodePort for two Services, whatever the protocol; ports of one Service may share it")
    func nodePort() {
        let first = "type: NodePort\nclusterIP: 10.96.0.10\nports: [{port: 80, nodePort: 30080}]"
        let second = "type: NodePort\nclusterIP: 10.96.0.11\nports: [{port: 80, nodePort: 30080}]"
        let found = faults(first, second)
        #expect(
            found.count == 1
                && found[0].contains("spec.ports[0].nodePort: 30080/TCP is also a NodePort of Service default/a")
        )
        let datagrams = faults(first, second.replacing("nodePort: 30080", with: "protocol: UDP, nodePort: 30080"))
        #expect(datagrams.count == 1 && datagrams[0].contains("30080/UDP is also a NodePort of Service default/a"))
        let shared = "{name: a, port: 53, nodePort: 30053}, {name: b, port: 53, protocol: UDP, nodePort: 30053}"
        #expect(faults("type: NodePort\nports: [\(shared)]", "ports: [{port: 80}]").isEmpty)
        let checked =
            "type: LoadBalancer\nexternalTrafficPolicy: Local\nhealthCheckNodePort: 30053\n"
            + "ports: [{port: 53, protocol: UDP, nodePort: 30053}]"
        #expect(faults(checked, "ports: [{port: 80}]").count == 1)
    }

    @Test("the same object twice")
    func duplicates() {
        let files = ["a.yaml", "b.yaml"].map { ($0, Array(slice(endpoints: "[]").utf8)) }
        let outcome = Outcome(files)
        #expect(outcome.faults == ["b.yaml: document 1: EndpointSlice default/web-1 is already in a.yaml: document 1"])
    }

    @Test("endpoints that are Service addresses would translate in a circle")
    func endpoints() {
        let outcome = Outcome(
            "\(plainService)---\n\(slice(endpoints: "[{addresses: [10.96.0.10]}, {addresses: [10.96.9.9]}]"))"
        )
        #expect(outcome.faults.count == 2)
        #expect(
            outcome.faults[0].contains("endpoints[0].addresses[0]: 10.96.0.10 is an address of Service default/web")
        )
        #expect(outcome.faults[1].contains("endpoints[1].addresses[0]: 10.96.9.9 lies among the ClusterIPs"))
    }

    @Test("host ports of one node")
    func hostPorts() {
        func pod(_ name: String, _ port: String, _ rest: String = "") -> String {
            "---\n{apiVersion: v1, kind: Pod, metadata: {name: \(name)}, spec: {nodeName: n, \(rest)containers: "
                + "[{ports: [{containerPort: 80, hostPort: 8080, \(port)}]}]}}\n"
        }
        #expect(Outcome(pod("a", "") + pod("b", "")).faults.count == 1)
        #expect(Outcome(pod("a", "hostIP: 192.0.2.10") + pod("b", "")).faults.count == 1)
        #expect(Outcome(pod("a", "hostIP: 192.0.2.10") + pod("b", "hostIP: 192.0.2.11")).faults == [])
        #expect(Outcome(pod("a", "protocol: UDP") + pod("b", "")).faults == [])
        let ended = pod("a", "").replacing("]}]}}", with: "]}]}, status: {phase: Succeeded}}")
        #expect(Outcome(ended + pod("b", "")).faults == [])
        // A pod of the node's own network has what it listens on as its host port.
        func host(_ name: String) -> String {
            "---\n{apiVersion: v1, kind: Pod, metadata: {name: \(name)}, spec: {nodeName: n, hostNetwork: true, "
                + "containers: [{ports: [{containerPort: 8080}]}]}}\n"
        }
        #expect(Outcome(host("a") + pod("b", "")).faults.count == 1)
        #expect(Outcome(pod("a", "hostIP: 192.0.2.10") + host("b")).faults.count == 1)
        #expect(Outcome(host("a") + host("b")).faults == [])
    }

    @Test("blocks of pods that overlap")
    func blocks() {
        func node(_ name: String, _ block: String) -> String {
            "---\n{apiVersion: v1, kind: Node, metadata: {name: \(name)}, spec: {podCIDR: \(block)}}\n"
        }
        let outcome = Outcome(node("a", "10.244.0.0/16") + node("b", "10.244.3.0/24") + node("c", "10.245.0.0/24"))
        #expect(outcome.faults.count == 1)
        #expect(outcome.faults.allSatisfy { $0.contains("10.244.3.0/24 overlaps 10.244.0.0/16 of Node a") })
        #expect(Outcome(node("a", "10.96.5.0/24")).faults.allSatisfy { $0.contains("overlaps the ClusterIPs") })
        let inside = node("a", "10.245.0.0/24").replacing(
            "10.245.0.0/24}}",
            with: "10.245.0.0/24}, status: {addresses: [{type: InternalIP, address: 10.96.0.4}]}}"
        )
        let found = Outcome(inside).faults
        #expect(found.count == 1)
        #expect(found.allSatisfy { $0.contains("status.addresses[0].address: 10.96.0.4 lies among the ClusterIPs") })
    }

    @Test("external names in a circle")
    func externalNames() {
        func name(_ name: String, _ target: String) -> String {
            service("type: ExternalName\nexternalName: \(target)", name: name) + "---\n"
        }
        let circle = name("a", "b.default.svc.cluster.local") + name("b", "a.default.svc.cluster.local.")
        let outcome = Outcome(circle + name("c", "a.default.svc.cluster.local") + name("d", "example.com"))
        #expect(outcome.faults == [])
        #expect(
            outcome.warnings == [
                "web.yaml: document 1: spec.externalName: leads in a circle: default/a → default/b → default/a"
            ]
        )
    }
}
