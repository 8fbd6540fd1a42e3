import Kubernetes
import Testing

@Suite("Faults of Pods and Nodes")
struct PodAndNodeFaultTests {
    private static func pod(_ ports: String, _ rest: String = "", status: String = "") -> String {
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {nodeName: n, \(rest)containers: [{name: c, ports: "
            + "[\(ports)]}]}, status: {\(status)}}"
    }

    private static func node(_ spec: String, status: String = "") -> String {
        "{apiVersion: v1, kind: Node, metadata: {name: n}, spec: {\(spec)}, status: {\(status)}}"
    }

    static let refused: [SpecCase] = [
        SpecCase(pod("{name: http}"), "spec.containers[0].ports[0].containerPort: is missing"),
        SpecCase(pod("{containerPort: 0}"), "spec.containers[0].ports[0].containerPort: 0 is outside 1-65535"),
        SpecCase(pod("{containerPort: 80, hostPort: 65536}"), "spec.containers[0].ports[0].hostPort: 65536 is outside"),
        SpecCase(pod("{containerPort: 80, hostIP: web}"), "spec.containers[0].ports[0].hostIP: \"web\" is not an IP"),
        SpecCase(pod("{containerPort: 80, protocol: tcp}"), "spec.containers[0].ports[0].protocol: \"tcp\" is not TCP"),
        SpecCase(
            pod("{containerPort: 80, name: HTTP}"),
            "spec.containers[0].ports[0].name: \"HTTP\" is not a port name"
        ),
        SpecCase(
            pod("{containerPort: 80, name: a}, {containerPort: 81, name: a}"),
            "spec.containers[0].ports[1].name: \"a\" is already that of another port"
        ),
        SpecCase(
            pod("{containerPort: 80, hostPort: 8080}, {containerPort: 81, hostPort: 8080}"),
            "spec.containers: hostPort 8080/TCP stands there twice"
        ),
        SpecCase(
            pod("{containerPort: 80, hostPort: 8080}", "hostNetwork: true, "),
            "spec.containers[0].ports[0].hostPort: 8080 is not 80, though hostNetwork is true"
        ),
        SpecCase(pod("", "hostname: a.b, "), "spec.hostname: \"a.b\" is not a name"),
        SpecCase(pod("", "subdomain: A, "), "spec.subdomain: \"A\" is not a name"),
        SpecCase(pod("", status: "podIP: 10.244.0.999"), "status.podIP: \"10.244.0.999\" is not an IP address"),
        SpecCase(
            pod("", status: "podIPs: [{ip: 10.244.0.1}, {ip: 10.244.0.2}]"),
            "status.podIPs: has more than one IPv4 address"
        ),
        SpecCase(pod("", status: "phase: Ready"), "status.phase: \"Ready\" is not Pending"),
        SpecCase(node("podCIDR: 10.244.0.0"), "spec.podCIDR: \"10.244.0.0\" is not a block of addresses"),
        SpecCase(
            node("podCIDRs: [10.244.0.0/24, 10.244.1.0/24]"),
            "spec.podCIDRs: has more than one IPv4 block"
        ),
        SpecCase(
            node("", status: "addresses: [{type: InternalIP, address: 192.0.2.300}]"),
            "status.addresses[0].address: \"192.0.2.300\" is not an IP address"
        ),
        SpecCase(
            "{apiVersion: v1, kind: Node, metadata: {name: Node_1}}",
            "metadata.name: \"Node_1\" is not a DNS name"
        ),
    ]

    @Test("is refused, with the field and the value", arguments: refused)
    func refuses(_ refused: SpecCase) {
        let outcome = Outcome(refused.spec)
        #expect(outcome.set == nil)
        #expect(outcome.faults.contains { $0.contains(refused.message) }, "\(outcome.faults)")
    }

    @Test(
        "an address that nothing can be sent to is none, with a warning",
        arguments: ["127.0.0.1", "169.254.1.1", "224.0.0.1", "0.0.0.0"]
    )
    func unreachable(_ address: String) {
        let outcome = Outcome(Self.pod("", status: "podIP: \(address)"))
        #expect(outcome.faults == [] && outcome.set?.pods.first?.podIP == nil)
        #expect(outcome.warnings.contains { $0.contains("status.podIP: \(address) is ") }, "\(outcome.warnings)")
    }

    @Test(
        "is taken as it is",
        arguments: [
            pod("{containerPort: 80, hostPort: 8080}, {containerPort: 80, hostPort: 8080, protocol: UDP}"),
            pod(
                "{containerPort: 80, hostPort: 8080, hostIP: 192.0.2.10}, {containerPort: 81, hostPort: 8080, hostIP: 192.0.2.11}"
            ),
            pod("", status: "podIP: 10.244.0.1, podIPs: [{ip: 10.244.0.1}, {ip: \"fd00::1\"}]"),
            node("podCIDR: 10.244.0.0/24, podCIDRs: [10.244.0.0/24, \"fd00::/64\"]"),
        ]
    )
    func accepts(_ text: String) {
        let outcome = Outcome(text)
        #expect(outcome.faults == [] && outcome.warnings == [])
    }

    @Test("a host port that a NodePort has too wins on the pod's node, which is worth a warning")
    func hostPortAgainstNodePort() {
        let ported = service("type: NodePort\nclusterIP: 10.96.0.10\nports: [{port: 80, nodePort: 30080}]")
        let outcome = Outcome("\(ported)---\n\(Self.pod("{containerPort: 80, hostPort: 30080}"))")
        #expect(outcome.faults == [])
        #expect(
            outcome.warnings == [
                "web.yaml: document 2: spec.containers: hostPort 30080/TCP takes over the NodePort of Service default/web "
                    + "(web.yaml: document 1) on node n"
            ]
        )
        #expect(
            Outcome("\(ported)---\n\(Self.pod("{containerPort: 80, hostPort: 30080, protocol: UDP}"))").warnings == []
        )
    }
}
