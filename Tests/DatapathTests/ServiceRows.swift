import Datapath
import TestSupport
import Testing
import Wire

/// One row of a table: a packet without state, what must become of it, and where it must go.
struct Row: Sendable, CustomTestStringConvertible {
    var description: String
    var input: [UInt8]
    /// Verdict, reason and conntrack state, as `Treatment.summary` has them.
    var expected: String
    /// The endpoints of what is sent: nil when nothing is, or an ICMP error.
    var source: FlowEndpoint?
    var destination: FlowEndpoint?
    var masquerade = false
    var frontend = FrontendKind.none
    var egress: UInt16?
    var ingress: UInt16?

    var testDescription: String { description }
}

private func at(_ address: IPv4Address, _ port: UInt16) -> FlowEndpoint { FlowEndpoint(address: address, port: port) }

extension Row {
    private typealias W = World
    private static let web = at(World.backend, 8080)
    private static let remoteWeb = at(World.remoteBackend, 8080)

    /// Packets without state, and what the service rules make of them.
    static let services: [Row] = [
        Row(
            description: "pod to ClusterIP: destination only",
            input: tcp(W.client, 40000, to: W.vip, 80),
            expected: "forward - new",
            source: at(W.client, 40000),
            destination: web,
            frontend: .clusterIP,
            egress: W.pods
        ),
        Row(
            description: "outside to ClusterIP: masqueraded",
            input: tcp(W.outside, 40000, to: W.vip, 80),
            expected: "forward - new",
            source: at(W.node, 40000),
            destination: web,
            masquerade: true,
            frontend: .clusterIP,
            egress: W.pods
        ),
        Row(
            description: "node to ClusterIP: masqueraded as itself",
            input: tcp(W.node, 40000, to: W.vip, 80),
            expected: "forward - new",
            source: at(W.node, 40000),
            destination: web,
            masquerade: true,
            frontend: .clusterIP,
            egress: W.pods
        ),
        Row(
            description: "UDP to ClusterIP",
            input: udp(W.client, 40000, to: W.vip, 53),
            expected: "forward - new",
            source: at(W.client, 40000),
            destination: at(W.backend, 5353),
            frontend: .clusterIP,
            egress: W.pods
        ),
        Row(
            description: "outside to NodePort: masqueraded",
            input: tcp(W.outside, 40000, to: W.node, 30080),
            expected: "forward - new",
            source: at(W.node, 40000),
            destination: web,
            masquerade: true,
            frontend: .nodePort,
            egress: W.pods
        ),
        Row(
            description: "pod to NodePort: masqueraded too",
            input: tcp(W.client, 40000, to: W.node, 30080),
            expected: "forward - new",
            source: at(W.node, 40000),
            destination: web,
            masquerade: true,
            frontend: .nodePort,
            egress: W.pods
        ),
        Row(
            description: "NodePort on the second address: the node's own",
            input: tcp(W.outside, 40000, to: W.secondNode, 30080),
            expected: "local - new",
            egress: W.host
        ),
        Row(
            description: "load balancer from within its ranges",
            input: tcp(W.outside, 40000, to: W.loadBalancer, 80),
            expected: "forward - new",
            source: at(W.node, 40000),
            destination: web,
            masquerade: true,
            frontend: .loadBalancer,
            egress: W.pods
        ),
        Row(
            description: "load balancer from outside its ranges",
            input: tcp(W.outOfRange, 40000, to: W.loadBalancer, 80),
            expected: "drop source_range new",
            frontend: .loadBalancer
        ),
        Row(
            description: "a pod is not within the ranges either",
            input: tcp(W.client, 40000, to: W.loadBalancer, 80),
            expected: "drop source_range new",
            frontend: .loadBalancer
        ),
        Row(
            description: "ranges do not concern the NodePort",
            input: tcp(W.outOfRange, 40000, to: W.node, 30080),
            expected: "forward - new",
            source: at(W.node, 40000),
            destination: web,
            masquerade: true,
            frontend: .nodePort,
            egress: W.pods
        ),
        Row(
            description: "ranges do not concern external addresses",
            input: tcp(W.outOfRange, 4000, to: W.externalIP, 80),
            expected: "forward - new",
            source: at(W.node, 4000),
            destination: web,
            masquerade: true,
            frontend: .externalIP,
            egress: W.pods
        ),
        Row(
            description: "policy Local keeps the client's address",
            input: tcp(W.outside, 40000, to: W.node, 30083),
            expected: "forward - new",
            source: at(W.outside, 40000),
            destination: web,
            frontend: .nodePort,
            egress: W.pods
        ),
        Row(
            description: "policy Local, load balancer",
            input: tcp(W.outOfRange, 40000, to: W.loadBalancer, 83),
            expected: "forward - new",
            source: at(W.outOfRange, 40000),
            destination: web,
            frontend: .loadBalancer,
            egress: W.pods
        ),
        Row(
            description: "policy Local, from a pod: all endpoints, not masqueraded",
            input: tcp(W.client, 40000, to: W.node, 30083),
            expected: "forward - new",
            source: at(W.client, 40000),
            destination: remoteWeb,
            frontend: .nodePort,
            egress: W.uplink
        ),
        Row(
            description: "policy Local, from the node: all endpoints, masqueraded",
            input: tcp(W.node, 40000, to: W.loadBalancer, 83),
            expected: "forward - new",
            source: at(W.node, 40000),
            destination: remoteWeb,
            masquerade: true,
            frontend: .loadBalancer,
            egress: W.uplink
        ),
        Row(
            description: "policy Local without a local endpoint",
            input: tcp(W.outside, 40000, to: W.node, 30082),
            expected: "drop no_local_endpoints new",
            frontend: .nodePort
        ),
        Row(
            description: "policy Local without a local endpoint, from a pod",
            input: tcp(W.client, 40000, to: W.node, 30082),
            expected: "forward - new",
            source: at(W.client, 40000),
            destination: remoteWeb,
            frontend: .nodePort,
            egress: W.uplink
        ),
        Row(
            description: "internal policy Local has no way round for pods",
            input: tcp(W.client, 40000, to: W.localVIP, 80),
            expected: "drop no_local_endpoints new",
            frontend: .clusterIP
        ),
        Row(
            description: "hairpin: a pod that is its own backend",
            input: tcp(W.backend, 40000, to: W.vip, 80),
            expected: "forward - new",
            source: at(W.node, 40000),
            destination: web,
            masquerade: true,
            frontend: .clusterIP,
            egress: W.pods
        ),
        Row(
            description: "unallocated Service address",
            input: tcp(W.client, 40000, to: W.unallocated, 80),
            expected: "drop no_service new"
        ),
        Row(
            description: "ping to an unallocated Service address",
            input: echo(W.client, to: W.unallocated),
            expected: "drop no_service new"
        ),
        Row(
            description: "another protocol to a ClusterIP",
            input: changed(udp(W.client, 1, to: W.vip, 53)) { $0[9] = 132 },
            expected: "drop unsupported.l4 untracked"
        ),
        Row(
            description: "unknown port of a load balancer passes",
            input: tcp(W.client, 40000, to: W.loadBalancer, 8080),
            expected: "pass - new",
            source: at(W.client, 40000),
            destination: at(W.loadBalancer, 8080),
            egress: W.uplink
        ),
        Row(
            description: "TCP without a SYN to a ClusterIP",
            input: tcp(W.client, 40000, to: W.vip, 80, .ack),
            expected: "drop ct.nostate invalid",
            frontend: .clusterIP
        ),
        Row(
            description: "SYN+ACK to a ClusterIP",
            input: tcp(W.client, 40000, to: W.vip, 80, [.syn, .ack]),
            expected: "drop ct.nostate invalid",
            frontend: .clusterIP
        ),
        Row(
            description: "RST to a ClusterIP",
            input: tcp(W.client, 40000, to: W.vip, 80, .rst),
            expected: "drop ct.nostate invalid",
            frontend: .clusterIP
        ),
        Row(
            description: "RST to a ClusterIP without endpoints: never answered",
            input: tcp(W.client, 40000, to: W.emptyVIP, 80, .rst),
            expected: "drop no_endpoints new",
            frontend: .clusterIP
        ),
        Row(
            description: "pod to pod passes",
            input: tcp(W.client, 40000, to: W.backend, 8080),
            expected: "pass - new",
            source: at(W.client, 40000),
            destination: web,
            egress: W.pods
        ),
        Row(
            description: "pod to outside passes",
            input: udp(W.client, 40000, to: W.outside, 123),
            expected: "pass - new",
            source: at(W.client, 40000),
            destination: at(W.outside, 123),
            egress: W.uplink
        ),
        Row(
            description: "a connection picked up in the middle that is no Service's passes",
            input: tcp(W.client, 40000, to: W.outside, 443, .ack),
            expected: "pass - new",
            source: at(W.client, 40000),
            destination: at(W.outside, 443),
            egress: W.uplink
        ),
        Row(
            description: "another protocol passes untracked",
            input: changed(udp(W.client, 1, to: W.outside, 2)) { $0[9] = 47 },
            expected: "pass - untracked",
            egress: W.uplink
        ),
        Row(
            description: "to the node itself",
            input: tcp(W.outside, 40000, to: W.node, 22),
            expected: "local - new",
            egress: W.host
        ),
        Row(
            description: "to the node itself, TTL 1 is enough",
            input: tcp(W.outside, 40000, to: W.node, 22) { $0.timeToLive = 1 },
            expected: "local - new",
            egress: W.host
        ),
    ]
}
