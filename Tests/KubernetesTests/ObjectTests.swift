import Kubernetes
import Testing
import Wire

@Suite("Objects are decoded in full")
struct ObjectTests {
    @Test("a LoadBalancer with all its fields")
    func loadBalancer() throws {
        let text = """
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: shop, labels: {app: web}, annotations: {note: "a\\tb"}}
            spec:
              type: LoadBalancer
              clusterIP: "fd00::1"
              clusterIPs: ["fd00::1", 10.96.0.10]
              ipFamilies: [IPv6, IPv4]
              ipFamilyPolicy: RequireDualStack
              selector: {app: web}
              externalIPs: [203.0.113.20]
              sessionAffinity: ClientIP
              externalTrafficPolicy: Local
              internalTrafficPolicy: Local
              loadBalancerIP: 198.51.100.1
              loadBalancerSourceRanges: [" 203.0.113.0/25", "2001:db8::/32"]
              loadBalancerClass: example.com/lb
              allocateLoadBalancerNodePorts: false
              healthCheckNodePort: 32000
              publishNotReadyAddresses: yes
              trafficDistribution: PreferClose
              ports:
              - {name: http, port: 80, targetPort: http-alt, nodePort: 30080, appProtocol: kubernetes.io/h2c}
              - {name: dns, port: 53, protocol: UDP, targetPort: 0}
              - {name: sctp, port: 80, protocol: SCTP, targetPort: 81}
            status: {loadBalancer: {ingress: [{ip: 198.51.100.1}, {ip: 198.51.100.2, ipMode: Proxy}, {hostname: a.b}]}}
            """
        let service = try #require(Outcome(text).set?.services.first)
        #expect(service.reference == ObjectReference(kind: "Service", namespace: "shop", name: "web"))
        #expect(service.origin == Origin(file: "web.yaml", document: 1))
        #expect(service.metadata.annotations == ["note": "a\tb"])
        #expect(service.clusterIP == .address(IPv4Address(10, 96, 0, 10)))
        #expect(service.ignoredIPv6 == [IgnoredValue(field: "spec.clusterIPs[0]", value: "fd00::1")])
        #expect(service.clientIPAffinity == 10800)
        #expect(service.externalTrafficPolicy == .local && service.internalTrafficPolicy == .local)
        #expect(service.loadBalancerIP == IPv4Address(198, 51, 100, 1))
        #expect(service.loadBalancerSourceRanges.map(\.description) == ["203.0.113.0/25"])
        #expect(service.loadBalancerClass == "example.com/lb")
        #expect(!service.allocateLoadBalancerNodePorts && service.publishNotReadyAddresses)
        #expect(service.healthCheckNodePort == 32000)
        #expect(service.trafficDistribution == .preferClose)
        #expect(service.loadBalancerVIPs == [IPv4Address(198, 51, 100, 1)])
        #expect(service.loadBalancerIngress.count == 3)
        #expect(service.ports.map(\.targetPort) == [.name("http-alt"), nil, .number(81)])
        #expect(service.ports.map(\.transport) == [.tcp, .udp, .sctp])
        #expect(service.ports[0].nodePort == 30080)
    }

    @Test("a Service without type is a ClusterIP; null and zero values count as not written")
    func defaults() throws {
        let text = service(
            "type: null\nclusterIP: ''\nsessionAffinity: ~\nports: [{port: 80, nodePort: 0, protocol: ''}]"
        )
        let service = try #require(Outcome(text).set?.services.first)
        #expect(service.type == .clusterIP && service.clusterIP == .unassigned && service.clientIPAffinity == nil)
        #expect(service.ports == [ServicePort(port: 80)])
        #expect(service.metadata.namespace == "default")
    }

    @Test("an EndpointSlice keeps what is unknown apart from what is false")
    func endpointSlice() throws {
        let endpoints = """
            [{addresses: [10.244.1.1], conditions: {ready: true, terminating: false}, nodeName: node-a, zone: z,
              hints: {forZones: [{name: z}], forNodes: [{name: node-a}]}, targetRef: {kind: Pod, name: web-0}, hostname: web-0},
             {addresses: [10.244.1.2]}]
            """
        let text = "\(plainService)---\n\(slice(endpoints: endpoints, ports: "[{port: 8080, protocol: TCP}]"))"
        let slice = try #require(Outcome(text).set?.endpointSlices.first)
        #expect(slice.serviceName == "web" && !slice.isHeadless)
        let first = slice.endpoints[0]
        #expect(first.conditions == EndpointConditions(ready: true, serving: nil, terminating: false))
        #expect(first.conditions.isServing)
        #expect(
            first.nodeName == "node-a" && first.zone == "z" && first.hostname == "web-0" && first.targetName == "web-0"
        )
        #expect(first.zoneHints == ["z"] && first.nodeHints == ["node-a"])
        #expect(slice.endpoints[1] == Endpoint(addresses: [IPv4Address(10, 244, 1, 2)]))
        #expect(slice.ports == [EndpointPort(port: 8080)])
    }

    @Test("Endpoints, Node and Pod")
    func others() throws {
        let text = """
            {apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: [{addresses: [{ip: 10.244.1.1, nodeName: a}],
              notReadyAddresses: [{ip: 10.244.1.2}, {ip: "fd00::2"}], ports: [{name: http, port: 8080}]}]}
            ---
            {apiVersion: v1, kind: Node, metadata: {name: node-a.example, labels: {topology.kubernetes.io/zone: z}},
              spec: {podCIDR: 10.244.0.0/24, podCIDRs: [10.244.0.0/24, "fd00::/64"], unknown: 1},
              status: {addresses: [{type: Hostname, address: node-a}, {type: InternalIP, address: 192.0.2.10}]}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: web-0, deletionTimestamp: "2026-01-01T00:00:00Z"}
            spec:
              nodeName: node-a
              hostname: web-0
              subdomain: web
              containers:
              - {name: c, ports: [{name: http, containerPort: 80, hostPort: 8080, hostIP: 192.0.2.10}, {containerPort: 53, protocol: UDP}]}
              initContainers: [{name: i, ports: [{containerPort: 1}]}, {name: s, restartPolicy: Always, ports: [{containerPort: 2}]}]
            status: {phase: Running, podIP: "fd00::1", podIPs: [{ip: "fd00::1"}, {ip: 10.244.0.5}], conditions: [{type: Ready, status: "True"}]}
            """
        let outcome = Outcome("\(plainService.replacing("web", with: "web"))---\n\(text)")
        let set = try #require(outcome.set, "\(outcome.faults)")
        #expect(set.endpoints[0].subsets[0].addresses.map(\.address.description) == ["10.244.1.1"])
        #expect(set.endpoints[0].subsets[0].notReadyAddresses.map(\.address.description) == ["10.244.1.2"])
        let node = set.nodes[0]
        #expect(node.reference.description == "Node node-a.example" && node.zone == "z")
        #expect(
            node.podCIDRs.map(\.description) == ["10.244.0.0/24"] && node.internalIPs == [IPv4Address(192, 0, 2, 10)]
        )
        let pod = set.pods[0]
        #expect(pod.podIP == IPv4Address(10, 244, 0, 5) && pod.ready == true && pod.phase == .running)
        #expect(pod.metadata.isDeleted && pod.nodeName == "node-a" && pod.hostname == "web-0" && pod.subdomain == "web")
        #expect(pod.ports.map(\.containerPort) == [80, 53, 2])
        #expect(pod.ports[0].hostPort == 8080 && pod.ports[0].hostIP == IPv4Address(192, 0, 2, 10))
    }

    @Test("test objects of kube-proxy, which no API server would take")
    func lenient() {
        let text = service(
            "type: LoadBalancer\nclusterIP: 10.96.0.10\nhealthCheckNodePort: 30000\nexternalTrafficPolicy: Cluster\n"
                + "ports: [{name: p80, port: 80, protocol: TCP}, {name: s, port: 81, protocol: SCTP}]"
        )
        #expect(Outcome(text).faults == [])
        #expect(
            Outcome(text).warnings == [
                "web.yaml: document 1: spec.healthCheckNodePort: 30000 is of no use without externalTrafficPolicy: Local"
            ]
        )
    }
}
