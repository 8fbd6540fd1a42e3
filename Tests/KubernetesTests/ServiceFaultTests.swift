import Testing

/// One `spec` and what is said of it.
struct SpecCase: Sendable, CustomTestStringConvertible {
    var spec: String
    var message: String

    init(_ spec: String, _ message: String) {
        self.spec = spec
        self.message = message
    }

    var testDescription: String { message }
}

@Suite("Faults of Services")
struct ServiceFaultTests {
    static let refused: [SpecCase] = [
        SpecCase(
            "type: NodePort\nports: [{port: 80, nodePort: 80}]",
            "spec.ports[0].nodePort: 80 is outside 30000-32767"
        ),
        SpecCase("ports: [{port: 80, nodePort: 30080}]", "spec.ports[0].nodePort: 30080 is not possible"),
        SpecCase("ports: [{port: 0}]", "spec.ports[0].port: 0 is outside 1-65535"),
        SpecCase("ports: [{port: 65536}]", "spec.ports[0].port: 65536 is outside 1-65535"),
        SpecCase("ports: [{port: -9223372036854775808}]", "spec.ports[0].port: -9223372036854775808 is outside"),
        SpecCase("ports: [{port: 99999999999999999999}]", "spec.ports[0].port: 99999999999999999999 is not an integer"),
        SpecCase("ports: [{port: 80.5}]", "spec.ports[0].port: 80.5 is not an integer"),
        SpecCase("ports: [{port: \"80\"}]", "spec.ports[0].port: \"80\" is not a number"),
        SpecCase("ports: [{name: a}]", "spec.ports[0].port: is missing"),
        SpecCase("ports: [80]", "spec.ports[0]: 80 is not a mapping"),
        SpecCase("ports: {port: 80}", "spec.ports: a mapping is not a list"),
        SpecCase("ports: []", "spec.ports: is missing"),
        SpecCase("ports: [{port: 80, protocol: tcp}]", "\"tcp\" is not TCP, UDP or SCTP; did you mean TCP?"),
        SpecCase("ports: [{port: 80}, {port: 81}]", "spec.ports[0].name: is missing"),
        SpecCase("ports: [{name: a, port: 80}, {name: b, port: 80}]", "spec.ports[1].port: 80/TCP is already that of"),
        SpecCase("ports: [{name: a, port: 80}, {name: a, port: 81}]", "spec.ports[1].name: \"a\" is already that of"),
        SpecCase("ports: [{port: 80, targetPort: 70000}]", "spec.ports[0].targetPort: 70000 is outside"),
        SpecCase("ports: [{port: 80, targetPort: HTTP}]", "spec.ports[0].targetPort: \"HTTP\" is not a port name"),
        SpecCase("ports: [{port: 80, targetPort: a--b}]", "spec.ports[0].targetPort: \"a--b\" is not a port name"),
        SpecCase("ports: [{port: 80, targetPort: \"8080\"}]", "spec.ports[0].targetPort: \"8080\" is not a port name"),
        SpecCase("clusterIP: 10.96.0.300\nports: [{port: 80}]", "spec.clusterIP: \"10.96.0.300\" is not an IP address"),
        SpecCase("clusterIP: 010.096.000.012\nports: [{port: 80}]", "spec.clusterIP: \"010.096.000.012\" has leading"),
        SpecCase("clusterIP: 0x0a600001\nports: [{port: 80}]", "spec.clusterIP: 0x0a600001 is not a string"),
        SpecCase("clusterIP: 192.168.1.1\nports: [{port: 80}]", "spec.clusterIP: 192.168.1.1 is outside the Service"),
        SpecCase("clusterIP: 1::2::3\nports: [{port: 80}]", "spec.clusterIP: \"1::2::3\" is not an IP address"),
        SpecCase("clusterIP: None\ntype: NodePort\nports: [{port: 80}]", "spec.clusterIP: \"None\" is not possible"),
        SpecCase("clusterIP: 10.96.0.1\nclusterIPs: [10.96.0.2]\nports: [{port: 80}]", "\"10.96.0.2\" stands first"),
        SpecCase("type: Ingress\nports: [{port: 80}]", "spec.type: \"Ingress\" is not ClusterIP, NodePort,"),
        SpecCase("sessionAffinity: Cookie\nports: [{port: 80}]", "spec.sessionAffinity: \"Cookie\" is not None or"),
        SpecCase(
            "sessionAffinity: ClientIP\nsessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}\nports: [{port: 80}]",
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: 0 is outside 1-86400"
        ),
        SpecCase("sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}\nports: [{port: 80}]", "only possible with"),
        SpecCase("externalTrafficPolicy: Local\nports: [{port: 80}]", "spec.externalTrafficPolicy: is only possible"),
        SpecCase("internalTrafficPolicy: Zone\nports: [{port: 80}]", "spec.internalTrafficPolicy: \"Zone\" is not"),
        SpecCase("externalIPs: [not-an-ip]\nports: [{port: 80}]", "spec.externalIPs[0]: \"not-an-ip\" is not"),
        SpecCase(
            "externalIPs: [169.254.169.254]\nports: [{port: 80}]",
            "spec.externalIPs[0]: 169.254.169.254 is a link"
        ),
        SpecCase(
            "loadBalancerSourceRanges: [10.0.0.0/8]\nports: [{port: 80}]",
            "is only possible for type LoadBalancer"
        ),
        SpecCase(
            "type: LoadBalancer\nloadBalancerSourceRanges: [10.0.0.0]\nports: [{port: 80}]",
            "spec.loadBalancerSourceRanges[0]: \"10.0.0.0\" is not a block of addresses"
        ),
        SpecCase("type: ExternalName\nexternalName: bad name!", "spec.externalName: \"bad name!\" is not a DNS name"),
        SpecCase("type: ExternalName", "spec.externalName: is missing"),
        SpecCase("selector: {a: true}\nports: [{port: 80}]", "spec.selector.a: true is not a string; put it in quotes"),
        SpecCase("publishNotReadyAddresses: \"true\"\nports: [{port: 80}]", "\"true\" is not true or false"),
        SpecCase(
            "trafficDistribution: PreferNear\nports: [{port: 80}]",
            "spec.trafficDistribution: \"PreferNear\" is not"
        ),
    ]

    /// Addresses and families, as ValidateServiceClusterIPsRelatedFields has them.
    static let families: [SpecCase] = [
        SpecCase("clusterIPs: [10.96.0.10]\nports: [{port: 80}]", "spec.clusterIPs: must be empty where clusterIP is"),
        SpecCase(
            "clusterIP: 10.96.0.10\nclusterIPs: [10.96.0.10, \"\"]\nports: [{port: 80}]",
            "clusterIPs[1]: \"\" is not"
        ),
        SpecCase(
            "clusterIP: 10.96.0.10\nclusterIPs: [10.96.0.10, 10.96.0.11]\nports: [{port: 80}]",
            "spec.clusterIPs: has two IPv4 addresses"
        ),
        SpecCase(
            "clusterIP: \"fd00::1\"\nclusterIPs: [\"fd00::1\", \"fd00::2\"]\nports: [{port: 80}]",
            "spec.clusterIPs: has two IPv6 addresses"
        ),
        SpecCase(
            "clusterIP: 10.96.0.10\nclusterIPs: [10.96.0.10, None]\nports: [{port: 80}]",
            "spec.clusterIPs: \"None\" cannot stand beside addresses"
        ),
        SpecCase(
            "clusterIP: 10.96.0.10\nclusterIPs: [10.96.0.10]\nipFamilies: [IPv6]\nports: [{port: 80}]",
            "spec.clusterIPs[0]: is an IPv4 address, but spec.ipFamilies[0] is IPv6"
        ),
        SpecCase(
            "ipFamilies: [IPv4, IPv4]\nports: [{port: 80}]",
            "spec.ipFamilies: has more than one entry of a family"
        ),
        SpecCase("clusterIP: \"::ffff:10.96.0.10\"\nports: [{port: 80}]", "is an IPv4 address written as an IPv6 one"),
        SpecCase("externalIPs: [\"0:0:0:0:0:FFFF:203.0.113.9\"]\nports: [{port: 80}]", "is an IPv4 address written"),
        SpecCase("ipFamilies: [IPv5]\nports: [{port: 80}]", "spec.ipFamilies[0]: \"IPv5\" is not IPv4 or IPv6"),
        SpecCase(
            "ipFamilyPolicy: SingleStack\nipFamilies: [IPv4, IPv6]\nports: [{port: 80}]",
            "spec.ipFamilyPolicy: \"SingleStack\" is not possible with two families"
        ),
        SpecCase("ipFamilyPolicy: Both\nports: [{port: 80}]", "spec.ipFamilyPolicy: \"Both\" is not SingleStack"),
        SpecCase("clusterIP: 10.96.0.0\nports: [{port: 80}]", "spec.clusterIP: 10.96.0.0 is the first or last address"),
        SpecCase("clusterIP: 10.111.255.255\nports: [{port: 80}]", "10.111.255.255 is the first or last address"),
        SpecCase(
            "type: ExternalName\nexternalName: db.example.com\nclusterIP: 10.96.0.9",
            "spec.clusterIP: is not possible for a Service of type ExternalName"
        ),
        SpecCase(
            "type: ExternalName\nexternalName: db.example.com\nipFamilies: [IPv4]\nipFamilyPolicy: SingleStack",
            "spec.ipFamilyPolicy: is not possible for a Service of type ExternalName"
        ),
    ]

    /// Load balancers and what checks their health.
    static let balancers: [SpecCase] = [
        SpecCase("type: LoadBalancer\nports: [{port: 10250}]", "spec.ports[0].port: 10250 is the kubelet's port"),
        SpecCase(
            "type: NodePort\nhealthCheckNodePort: 30001\nports: [{port: 80}]",
            "spec.healthCheckNodePort: 30001 is not possible for a Service of type NodePort"
        ),
        SpecCase(
            "type: LoadBalancer\nexternalTrafficPolicy: Local\nhealthCheckNodePort: 80\nports: [{port: 80}]",
            "spec.healthCheckNodePort: 80 is outside 30000-32767"
        ),
        SpecCase(
            "loadBalancerClass: example.com/lb\nports: [{port: 80}]",
            "spec.loadBalancerClass: is only possible for"
        ),
        SpecCase("allocateLoadBalancerNodePorts: false\nports: [{port: 80}]", "is only possible for type LoadBalancer"),
        SpecCase(
            "type: NodePort\nports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 81, nodePort: 30080}]",
            "spec.ports[1].nodePort: 30080/TCP is already that of spec.ports[0]"
        ),
    ]

    @Test("is refused, with the field and the value", arguments: refused + families + balancers)
    func refuses(_ specCase: SpecCase) {
        let outcome = Outcome(service(specCase.spec))
        #expect(outcome.set == nil)
        #expect(outcome.faults.contains { $0.contains(specCase.message) }, "\(outcome.faults)")
        #expect(outcome.faults.allSatisfy { $0.hasPrefix("web.yaml: document 1: ") })
    }

    /// What stands outside of `spec`: metadata and status.
    static let outside: [SpecCase] = [
        SpecCase(
            "metadata: {name: web, labels: {\"-a\": b}}",
            "metadata.labels[\"-a\"]: \"-a\" is not a qualified name"
        ),
        SpecCase("metadata: {name: web, labels: {a: \"b/c\"}}", "metadata.labels.a: \"b/c\" is not a label value"),
        SpecCase("metadata: {name: web, annotations: {\"a b\": c}}", "metadata.annotations[\"a b\"]: \"a b\" is not a"),
        SpecCase(
            "metadata: {name: web, annotations: {a: \(String(repeating: "x", count: 262_144))}}",
            "metadata.annotations: has 262145 bytes, more than 262144"
        ),
        SpecCase("metadata: {name: web, namespace: Shop}", "metadata.namespace: \"Shop\" is not a name"),
        SpecCase(
            "metadata: {name: web, annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: 10.0.0.0/8}}",
            "metadata.annotations[\"service.beta.kubernetes.io/load-balancer-source-ranges\"]: is only possible for type"
        ),
        SpecCase(
            "metadata: {name: web}\nstatus: {loadBalancer: {ingress: [{hostname: \"a b\"}]}}",
            "status.loadBalancer.ingress[0].hostname: \"a b\" is not a DNS name"
        ),
        SpecCase(
            "metadata: {name: web}\nstatus: {loadBalancer: {ingress: [{hostname: 203.0.113.9}]}}",
            "status.loadBalancer.ingress[0].hostname: \"203.0.113.9\" is an address, not a DNS name"
        ),
        SpecCase(
            "metadata: {name: web}\nstatus: {loadBalancer: {ingress: [{hostname: lb.example.com, ipMode: VIP}]}}",
            "status.loadBalancer.ingress[0].ipMode: is only possible beside ip"
        ),
        SpecCase(
            "metadata: {name: web}\nstatus: {loadBalancer: {ingress: [{ip: 203.0.113.9, ipMode: Virtual}]}}",
            "status.loadBalancer.ingress[0].ipMode: \"Virtual\" is not VIP or Proxy"
        ),
        SpecCase(
            "metadata: {name: web}\nstatus: {loadBalancer: {ingress: [{ip: 203.0.113}]}}",
            "status.loadBalancer.ingress[0].ip: \"203.0.113\" is not an IP address"
        ),
    ]

    @Test("is refused outside of spec too", arguments: outside)
    func refusesOutside(_ specCase: SpecCase) {
        let text =
            "apiVersion: v1\nkind: Service\n\(specCase.spec)\nspec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}\n"
        let outcome = Outcome(text)
        #expect(outcome.set == nil)
        #expect(outcome.faults.contains { $0.contains(specCase.message) }, "\(outcome.faults)")
    }

    @Test(
        "is taken as it is",
        arguments: [
            "clusterIP: 10.96.0.10\nclusterIPs: [10.96.0.10]\nipFamilies: [IPv4]\nipFamilyPolicy: SingleStack\nports: [{port: 80}]",
            "clusterIP: None\nclusterIPs: [None]\nipFamilies: [IPv4]\nports: [{port: 80}]",
            "type: LoadBalancer\nexternalTrafficPolicy: Local\nhealthCheckNodePort: 30001\nports: [{port: 80}]",
            "type: ExternalName\nexternalName: db.example.com.\nports: [{port: 80}]",
            "ports: [{port: 10250}]",
        ]
    )
    func accepts(_ spec: String) {
        let outcome = Outcome(service(spec))
        #expect(outcome.faults == [] && outcome.warnings == [])
    }

    static let odd: [SpecCase] = [
        SpecCase("ports: [{port: 0120}]", "spec.ports[0].port: 0120 is read as 80"),
        SpecCase("clusterIp: 10.96.0.1\nports: [{port: 80}]", "spec.clusterIp: unknown field; did you mean clusterIP?"),
        SpecCase("selectr: {a: b}\nports: [{port: 80}]", "spec.selectr: unknown field; did you mean selector?"),
        SpecCase(
            "clusterIPs: [10.96.0.10, \"fd00::10\"]\nclusterIP: 10.96.0.10\nports: [{port: 80}]",
            "spec.clusterIPs[1]: fd00::10 is an IPv6 address, which is ignored"
        ),
        SpecCase("ipFamilies: [IPv6]\nports: [{port: 80}]", "spec.ipFamilies: the Service is IPv6 only"),
        SpecCase("externalIPs: [192.0.2.10]\nclusterIP: 10.96.0.1\nports: [{port: 80}]", "192.0.2.10 is an address of"),
        SpecCase("type: ExternalName\nexternalName: 10.0.0.1", "spec.externalName: \"10.0.0.1\" is an address"),
        SpecCase(
            "type: LoadBalancer\nloadBalancerSourceRanges: [198.51.100.7/24]\nports: [{port: 80}]",
            "\"198.51.100.7/24\" has bits set behind the prefix; 198.51.100.0/24 is used"
        ),
    ]

    @Test("is loaded with a warning", arguments: odd)
    func warns(_ specCase: SpecCase) {
        let outcome = Outcome(service(specCase.spec))
        #expect(outcome.faults == [])
        #expect(outcome.warnings.contains { $0.contains(specCase.message) }, "\(outcome.warnings)")
    }

    @Test("the status of a load balancer that is none any more is warned of")
    func leftOver() {
        let status = "\nstatus: {loadBalancer: {ingress: [{ip: 203.0.113.10}]}}\n"
        let outcome = Outcome(service("type: NodePort\nclusterIP: 10.96.0.10\nports: [{port: 80}]") + status)
        #expect(outcome.faults == [])
        #expect(
            outcome.warnings.contains { $0.contains("status.loadBalancer.ingress: is left over") },
            "\(outcome.warnings)"
        )
        let balanced = Outcome(service("type: LoadBalancer\nclusterIP: 10.96.0.10\nports: [{port: 80}]") + status)
        #expect(balanced.warnings.isEmpty, "\(balanced.warnings)")
    }

    @Test("names may begin with a digit, as since Kubernetes 1.36 (KEP-5311)", arguments: ["1web", "1-2", "\"3\""])
    func acceptsDigits(_ name: String) {
        let outcome = Outcome(service("ports: [{port: 80}]", name: name))
        #expect(outcome.faults == [])
    }

    @Test(
        "names that are no labels are refused",
        arguments: ["-web", "web.x", "\"\"", "\"we b\"", "Web", "\"web\\nx\"", "web-"]
    )
    func refusesNames(_ name: String) {
        let outcome = Outcome(service("ports: [{port: 80}]", name: name))
        #expect(outcome.faults.contains { $0.contains("metadata.name: ") }, "\(outcome.faults)")
        #expect(!outcome.faults.contains { $0.contains("\n") })
    }

    @Test("all faults of all documents are reported, in order")
    func collects() {
        let bad = service("clusterIP: x\ntype: y\nports: [{port: 0}, {port: 70000, name: A}]")
        let outcome = Outcome("\(plainService)---\n\(bad)")
        #expect(
            outcome.faults == [
                "web.yaml: document 2: spec.type: \"y\" is not ClusterIP, NodePort, LoadBalancer or ExternalName",
                "web.yaml: document 2: spec.clusterIP: \"x\" is not an IP address",
                "web.yaml: document 2: spec.ports[0].port: 0 is outside 1-65535",
                "web.yaml: document 2: spec.ports[1].name: \"A\" is not a name of up to 63 lower-case letters, digits and '-', "
                    + "alphanumeric at both ends",
                "web.yaml: document 2: spec.ports[1].port: 70000 is outside 1-65535",
            ]
        )
    }
}
