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

@Suite("Service rules, packet in and packet out")
struct ServiceTests {
    typealias W = World
    static let web = at(World.backend, 8080)
    static let remoteWeb = at(World.remoteBackend, 8080)

    static let rows: [Row] = [
        Row(
            description: "pod to ClusterIP: destination only", input: tcp(W.client, 40000, to: W.vip, 80),
            expected: "forward - new", source: at(W.client, 40000), destination: web, frontend: .clusterIP,
            egress: W.pods),
        Row(
            description: "outside to ClusterIP: masqueraded", input: tcp(W.outside, 40000, to: W.vip, 80),
            expected: "forward - new", source: at(W.node, 40000), destination: web, masquerade: true,
            frontend: .clusterIP, egress: W.pods),
        Row(
            description: "node to ClusterIP: masqueraded as itself", input: tcp(W.node, 40000, to: W.vip, 80),
            expected: "forward - new", source: at(W.node, 40000), destination: web, masquerade: true,
            frontend: .clusterIP, egress: W.pods),
        Row(
            description: "UDP to ClusterIP", input: udp(W.client, 40000, to: W.vip, 53), expected: "forward - new",
            source: at(W.client, 40000), destination: at(W.backend, 5353), frontend: .clusterIP, egress: W.pods),
        Row(
            description: "outside to NodePort: masqueraded", input: tcp(W.outside, 40000, to: W.node, 30080),
            expected: "forward - new", source: at(W.node, 40000), destination: web, masquerade: true,
            frontend: .nodePort, egress: W.pods),
        Row(
            description: "pod to NodePort: masqueraded too", input: tcp(W.client, 40000, to: W.node, 30080),
            expected: "forward - new", source: at(W.node, 40000), destination: web, masquerade: true,
            frontend: .nodePort, egress: W.pods),
        Row(
            description: "NodePort on the second address: the node's own",
            input: tcp(W.outside, 40000, to: W.secondNode, 30080), expected: "local - new", egress: W.host),
        Row(
            description: "load balancer from within its ranges",
            input: tcp(W.outside, 40000, to: W.loadBalancer, 80), expected: "forward - new",
            source: at(W.node, 40000), destination: web, masquerade: true, frontend: .loadBalancer, egress: W.pods),
        Row(
            description: "load balancer from outside its ranges", input: tcp(W.outOfRange, 40000, to: W.loadBalancer, 80),
            expected: "drop source_range new", frontend: .loadBalancer),
        Row(
            description: "a pod is not within the ranges either", input: tcp(W.client, 40000, to: W.loadBalancer, 80),
            expected: "drop source_range new", frontend: .loadBalancer),
        Row(
            description: "ranges do not concern the NodePort", input: tcp(W.outOfRange, 40000, to: W.node, 30080),
            expected: "forward - new", source: at(W.node, 40000), destination: web, masquerade: true,
            frontend: .nodePort, egress: W.pods),
        Row(
            description: "ranges do not concern external addresses", input: tcp(W.outOfRange, 4000, to: W.externalIP, 80),
            expected: "forward - new", source: at(W.node, 4000), destination: web, masquerade: true,
            frontend: .externalIP, egress: W.pods),
        Row(
            description: "policy Local keeps the client's address", input: tcp(W.outside, 40000, to: W.node, 30083),
            expected: "forward - new", source: at(W.outside, 40000), destination: web, frontend: .nodePort,
            egress: W.pods),
        Row(
            description: "policy Local, load balancer", input: tcp(W.outOfRange, 40000, to: W.loadBalancer, 83),
            expected: "forward - new", source: at(W.outOfRange, 40000), destination: web, frontend: .loadBalancer,
            egress: W.pods),
        Row(
            description: "policy Local, from a pod: all endpoints, not masqueraded",
            input: tcp(W.client, 40000, to: W.node, 30083), expected: "forward - new", source: at(W.client, 40000),
            destination: remoteWeb, frontend: .nodePort, egress: W.uplink),
        Row(
            description: "policy Local, from the node: all endpoints, masqueraded",
            input: tcp(W.node, 40000, to: W.loadBalancer, 83), expected: "forward - new", source: at(W.node, 40000),
            destination: remoteWeb, masquerade: true, frontend: .loadBalancer, egress: W.uplink),
        Row(
            description: "policy Local without a local endpoint", input: tcp(W.outside, 40000, to: W.node, 30082),
            expected: "drop no_local_endpoints new", frontend: .nodePort),
        Row(
            description: "policy Local without a local endpoint, from a pod",
            input: tcp(W.client, 40000, to: W.node, 30082), expected: "forward - new", source: at(W.client, 40000),
            destination: remoteWeb, frontend: .nodePort, egress: W.uplink),
        Row(
            description: "internal policy Local has no way round for pods",
            input: tcp(W.client, 40000, to: W.localVIP, 80), expected: "drop no_local_endpoints new",
            frontend: .clusterIP),
        Row(
            description: "hairpin: a pod that is its own backend", input: tcp(W.backend, 40000, to: W.vip, 80),
            expected: "forward - new", source: at(W.node, 40000), destination: web, masquerade: true,
            frontend: .clusterIP, egress: W.pods),
        Row(
            description: "hairpin under policy Local", input: tcp(W.backend, 40000, to: W.vip, 80),
            expected: "forward - new", source: at(W.node, 40000), destination: web, masquerade: true,
            frontend: .clusterIP, egress: W.pods),
        Row(
            description: "unallocated Service address", input: tcp(W.client, 40000, to: W.unallocated, 80),
            expected: "drop no_service new"),
        Row(
            description: "ping to an unallocated Service address", input: echo(W.client, to: W.unallocated),
            expected: "drop no_service new"),
        Row(
            description: "another protocol to a ClusterIP", input: changed(udp(W.client, 1, to: W.vip, 53)) { $0[9] = 132 },
            expected: "drop unsupported.l4 untracked"),
        Row(
            description: "unknown port of a load balancer passes",
            input: tcp(W.client, 40000, to: W.loadBalancer, 8080), expected: "pass - new", source: at(W.client, 40000),
            destination: at(W.loadBalancer, 8080), egress: W.uplink),
        Row(
            description: "TCP without a SYN to a ClusterIP", input: tcp(W.client, 40000, to: W.vip, 80, .ack),
            expected: "drop ct.nostate invalid", frontend: .clusterIP),
        Row(
            description: "SYN+ACK to a ClusterIP", input: tcp(W.client, 40000, to: W.vip, 80, [.syn, .ack]),
            expected: "drop ct.nostate invalid", frontend: .clusterIP),
        Row(
            description: "RST to a ClusterIP", input: tcp(W.client, 40000, to: W.vip, 80, .rst),
            expected: "drop ct.nostate invalid", frontend: .clusterIP),
        Row(
            description: "RST to a ClusterIP without endpoints: never answered",
            input: tcp(W.client, 40000, to: W.emptyVIP, 80, .rst), expected: "drop no_endpoints new",
            frontend: .clusterIP),
        Row(
            description: "pod to pod passes", input: tcp(W.client, 40000, to: W.backend, 8080), expected: "pass - new",
            source: at(W.client, 40000), destination: web, egress: W.pods),
        Row(
            description: "pod to outside passes", input: udp(W.client, 40000, to: W.outside, 123),
            expected: "pass - new", source: at(W.client, 40000), destination: at(W.outside, 123), egress: W.uplink),
        Row(
            description: "a connection picked up in the middle that is no Service's passes",
            input: tcp(W.client, 40000, to: W.outside, 443, .ack), expected: "pass - new",
            source: at(W.client, 40000), destination: at(W.outside, 443), egress: W.uplink),
        Row(
            description: "another protocol passes untracked",
            input: changed(udp(W.client, 1, to: W.outside, 2)) { $0[9] = 47 }, expected: "pass - untracked",
            egress: W.uplink),
        Row(
            description: "to the node itself", input: tcp(W.outside, 40000, to: W.node, 22), expected: "local - new",
            egress: W.host),
        Row(
            description: "to the node itself, TTL 1 is enough",
            input: tcp(W.outside, 40000, to: W.node, 22) { $0.timeToLive = 1 }, expected: "local - new", egress: W.host),
    ]

    @Test("every row", arguments: rows)
    func row(row: Row) {
        let harness = DatapathHarness()
        let treatment = harness.send(row.input, from: row.ingress)
        #expect(treatment.summary == row.expected)
        #expect(treatment.packet.frontend == row.frontend)
        #expect(treatment.packet.masquerade == row.masquerade)
        #expect(harness.accountingIssues == [])
        switch treatment.verdict {
        case .forward, .pass:
            let sent = treatment.only
            #expect(sent?.egress == row.egress)
            #expect(sent?.isGenerated == false)
            if let source = row.source, let destination = row.destination {
                #expect(
                    issues(
                        in: sent, .from(source.address, port: source.port),
                        .to(destination.address, port: destination.port)) == [])
                #expect(treatment.packet.translated.source == source.address)
                #expect(treatment.packet.translated.destinationPort == destination.port)
            }
            #expect(
                issues(
                    in: sent, .timeToLive(63), .identification(UInt16(row.input[4]) << 8 | UInt16(row.input[5])),
                    .flagsAndOffset(0x4000), .unchanged(since: row.input)) == [])
            if treatment.packet.hasPorts { #expect(issues(in: sent, .validChecksums) == []) }
        case .local:
            #expect(treatment.only?.bytes == row.input)
            #expect(treatment.only?.egress == row.egress)
        default:
            #expect(treatment.sent.isEmpty)
        }
        let isTracked = (treatment.verdict == .forward || treatment.verdict == .pass) && treatment.packet.hasPorts
        #expect(harness.flows.count == (isTracked ? 1 : 0), "state without a packet that was sent, or none with one")
    }

    @Test("replies go back as from whom the client asked", arguments: rows.filter { $0.expected == "forward - new" })
    func reply(row: Row) {
        let harness = DatapathHarness()
        let first = harness.send(row.input, from: row.ingress)
        guard let asked = Dissection(row.input), let sent = first.only.flatMap({ Dissection($0.bytes) }) else {
            Issue.record("nothing was sent")
            return
        }
        let isTCP = asked.transport == 6
        let answer =
            isTCP
            ? tcp(sent.destination, sent.destinationPort, to: sent.source, sent.sourcePort, [.syn, .ack])
            : udp(sent.destination, sent.destinationPort, to: sent.source, sent.sourcePort)
        let reply = harness.send(answer)
        #expect(reply.summary == "forward - reply")
        #expect(
            issues(
                in: reply.only, .from(asked.destination, port: asked.destinationPort),
                .to(asked.source, port: asked.sourcePort), .timeToLive(63), .validChecksums, .unchanged(since: answer))
                == [])
        #expect(reply.packet.flow == first.packet.flow && first.packet.flow > 0)
        let next =
            isTCP
            ? tcp(asked.source, asked.sourcePort, to: asked.destination, asked.destinationPort, .ack, payload: [1])
            : row.input
        let more = harness.send(next)
        #expect(more.summary == "forward - established")
        #expect(
            issues(
                in: more.only, .from(sent.source, port: sent.sourcePort),
                .to(sent.destination, port: sent.destinationPort), .validChecksums, .unchanged(since: next)) == [])
    }

    @Test("an unknown port of an external address is dropped where the configuration says so")
    func unknownPorts() {
        var world = World()
        world.configuration.unknownPorts = .drop
        let harness = DatapathHarness(world)
        #expect(harness.send(tcp(W.client, 40000, to: W.loadBalancer, 8080)).summary == "drop no_service new")
        #expect(harness.send(tcp(W.client, 40000, to: W.loadBalancer, 83)).verdict == .forward)
    }

    @Test("pickup turns a segment in the middle into a connection")
    func pickup() {
        var world = World()
        world.configuration.midstream = .pickup
        let harness = DatapathHarness(world)
        let segment = tcp(W.client, 40000, to: W.vip, 80, [.psh, .ack], payload: [1, 2])
        #expect(harness.send(segment).summary == "forward - new")
        let reply = harness.send(tcp(W.backend, 8080, to: W.client, 40000, .ack))
        #expect(issues(in: reply.only, .from(W.vip, port: 80), .validChecksums) == [])
        #expect(harness.flows.first?.state == .established)
    }

    @Test("masqueradeAll concerns ClusterIPs; without a detector nothing to them is masqueraded")
    func masqueradeSettings() {
        var world = World()
        world.configuration.masqueradeAll = true
        #expect(DatapathHarness(world).send(tcp(W.client, 40000, to: W.vip, 80)).packet.masquerade)
        #expect(!DatapathHarness(world).send(tcp(W.outside, 40000, to: W.node, 30083)).packet.masquerade)
        world = World()
        world.configuration.podCIDR = nil
        #expect(!DatapathHarness(world).send(tcp(W.outside, 40000, to: W.vip, 80)).packet.masquerade)
        // Without a detector pods use the local set, as anybody.
        let treatment = DatapathHarness(world).send(tcp(W.client, 40000, to: W.node, 30083))
        #expect(issues(in: treatment.only, .to(W.backend, port: 8080), .from(W.client)) == [])
    }

    @Test("without an address of the node nothing is masqueraded from nowhere")
    func noNodeAddress() {
        var world = World()
        world.configuration.nodeAddresses = []
        let harness = DatapathHarness(world)
        let treatment = harness.send(tcp(W.backend, 40000, to: W.vip, 80))
        #expect(treatment.verdict == .drop)
        #expect(treatment.sent.isEmpty && harness.flows.isEmpty)
    }

    @Test("choices are spread over all endpoints, and stay with their flow")
    func choice() {
        var world = World()
        let many = (1...8).map { Backend(address: IPv4Address(10, 244, 3, $0), port: 80, isLocal: true) }
        world.add("default/many:x", many, []) { port, rules in
            rules.frontends.append(
                .init(kind: .clusterIP, address: W.vip, port: 99, transport: .udp, servicePort: port))
        }
        let harness = DatapathHarness(world)
        var counts: [IPv4Address: Int] = [:]
        for port in UInt16(1024)..<1824 {
            let first = harness.send(udp(W.client, port, to: W.vip, 99))
            let second = harness.send(udp(W.client, port, to: W.vip, 99))
            #expect(first.packet.backend == second.packet.backend && first.packet.flow == second.packet.flow)
            counts[first.packet.backend.address, default: 0] += 1
        }
        #expect(counts.count == 8)
        for count in counts.values { #expect((60...140).contains(count)) }
    }

    @Test("a new table rules new flows only")
    func reload() {
        let harness = DatapathHarness()
        harness.send(tcp(W.client, 40000, to: W.vip, 80))
        harness.pipeline.replaceServices(ServiceTable(ServiceSpecification(), seed: 1))
        #expect(harness.send(tcp(W.client, 40000, to: W.vip, 80)).summary == "forward - new")
        #expect(harness.send(tcp(W.client, 40001, to: W.vip, 80)).summary == "drop no_service new")
    }
}
