import Testing

@Suite("Faults of EndpointSlices and Endpoints")
struct EndpointFaultTests {
    @Test(
        "an address that no packet can be sent to is refused",
        arguments: [
            "255.255.255.255", "\"\"", "169.254.1.1", "224.0.0.1", "0.0.0.0", "127.0.0.1", "\"fd00::1\"", "web",
        ]
    )
    func address(_ address: String) {
        let outcome = Outcome("\(plainService)---\n\(slice(endpoints: "[{addresses: [\(address)]}]"))")
        #expect(outcome.faults.count == 1)
        #expect(outcome.faults.allSatisfy { $0.hasPrefix("web.yaml: document 2: endpoints[0].addresses[0]: ") })
    }

    static let refused: [SpecCase] = [
        SpecCase(
            slice(endpoints: "[{addresses: [10.244.1.1], conditions: {ready: \"true\"}}]"),
            "endpoints[0].conditions.ready"
        ),
        SpecCase(slice(endpoints: "[{}]"), "endpoints[0].addresses: is missing"),
        SpecCase(slice(endpoints: "[]", type: "null"), "addressType: is missing"),
        SpecCase(slice(endpoints: "[]", ports: "[{port: 1}, {port: 2}]"), "ports[1].name: \"\" is already that of"),
        SpecCase(
            slice(endpoints: "[\(String(repeating: "{addresses: [10.244.1.1]},", count: 1001))]"),
            "1001 endpoints are more"
        ),
        SpecCase(slice(endpoints: "[]", ports: "[{name: A, port: 1}]"), "ports[0].name: \"A\" is not a name"),
        SpecCase(
            slice(endpoints: "[]", ports: "[{port: 1, appProtocol: a b}]"),
            "ports[0].appProtocol: \"a b\" is not"
        ),
        SpecCase(slice(endpoints: "[]", type: "IP"), "addressType: \"IP\" is not IPv4, IPv6 or FQDN"),
        SpecCase(
            slice(endpoints: "[{addresses: [10.244.1.1], hostname: a.b}]"),
            "endpoints[0].hostname: \"a.b\" is not a name"
        ),
        SpecCase(
            slice(endpoints: "[{addresses: [10.244.1.1], nodeName: Node}]"),
            "endpoints[0].nodeName: \"Node\" is not a DNS name"
        ),
        SpecCase(
            slice(endpoints: "[{addresses: [10.244.1.1], hints: {forZones: [{name: a}, {name: a}]}}]"),
            "endpoints[0].hints.forZones[1].name: \"a\" stands there twice"
        ),
        SpecCase(
            slice(endpoints: "[{addresses: [10.244.1.1], hints: {forZones: [{name: a b}]}}]"),
            "endpoints[0].hints.forZones[0].name: \"a b\" is not a qualified name"
        ),
        SpecCase(
            slice(endpoints: "[{addresses: [10.244.1.1], hints: {forNodes: [{}]}}]"),
            "endpoints[0].hints.forNodes[0].name: is missing"
        ),
        SpecCase(
            slice(
                endpoints:
                    "[{addresses: [10.244.1.1], hints: {forZones: [\((0..<9).map { "{name: z\($0)}" }.joined(separator: ", "))]}}]"
            ),
            "endpoints[0].hints.forZones: 9 hints are more than 8"
        ),
        SpecCase(
            "{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: [{addresses: [], ports: [{port: 1}]}]}",
            "subsets[0]: has neither addresses nor notReadyAddresses"
        ),
        SpecCase(
            "{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: [{addresses: [{ip: 10.244.1.1}], "
                + "ports: [{name: a, port: 1}, {port: 2}]}]}",
            "subsets[0].ports[1].name: is missing: there are several ports"
        ),
        SpecCase(
            "{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: [{ports: [{port: 1}]}]}",
            "subsets[0]: has neither addresses nor notReadyAddresses"
        ),
        SpecCase(
            "{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: [{addresses: [{ip: 127.0.0.1}]}]}",
            "subsets[0].addresses[0].ip: 127.0.0.1 is a loopback address"
        ),
    ]

    @Test("is refused", arguments: refused)
    func refuses(_ refused: SpecCase) {
        let outcome = Outcome("\(plainService)---\n\(refused.spec)")
        #expect(outcome.faults.contains { $0.contains(refused.message) }, "\(outcome.faults)")
    }

    @Test("in Endpoints, TCP and UDP may share a name, as in kube-dns")
    func sharedName() {
        let text =
            "{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: [{addresses: [{ip: 10.244.1.1}], "
            + "ports: [{name: dns, port: 53}, {name: dns, port: 53, protocol: UDP}]}]}"
        let outcome = Outcome("\(plainService)---\n\(text)")
        #expect(outcome.faults == [] && outcome.warnings == [])
    }

    static let odd: [SpecCase] = [
        SpecCase(
            slice(endpoints: "[{addresses: [\"fd00::1\"]}]", type: "IPv6"),
            "addressType: \"IPv6\" means that the slice"
        ),
        SpecCase(
            slice(endpoints: "[{addresses: [10.244.1.1]}, {addresses: [10.244.1.1]}]"),
            "endpoints[1]: 10.244.1.1 is already"
        ),
        SpecCase(slice(endpoints: "[{addresses: [10.244.1.1, 10.244.1.2]}]"), "endpoints[0].addresses: only the first"),
        SpecCase(slice(endpoints: "[]", ports: "[{port: null}]"), "ports[0].port: is missing, which means all ports"),
        SpecCase(
            slice(endpoints: "[]", ports: "[{port: 80, protocol: UDP}]"),
            "ports[0]: UDP without a name is no port of Service"
        ),
        SpecCase(
            slice(endpoints: "[]").replacing("discovery.k8s.io/v1", with: "discovery.k8s.io/v1beta1"),
            "no longer served"
        ),
        SpecCase(
            slice(endpoints: "[]").replacing("service-name: web", with: "service-name: shop"),
            "which is not there"
        ),
        SpecCase(
            slice(endpoints: "[]").replacing("kubernetes.io/service-name: web", with: "a: b"),
            "it belongs to no Service"
        ),
    ]

    @Test("is loaded with a warning", arguments: odd)
    func warns(_ odd: SpecCase) {
        let outcome = Outcome("\(plainService)---\n\(odd.spec)")
        #expect(outcome.faults == [])
        #expect(outcome.warnings.contains { $0.contains(odd.message) }, "\(outcome.warnings)")
    }

    @Test("a pod in the node's network has the node's address")
    func nodeAddress() {
        let outcome = Outcome("\(plainService)---\n\(slice(endpoints: "[{addresses: [192.0.2.10]}]"))")
        #expect(outcome.faults == [] && outcome.warnings == [])
    }
}
