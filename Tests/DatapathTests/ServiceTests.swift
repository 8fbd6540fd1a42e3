import Datapath
import TestSupport
import Testing
import Wire

@Suite("Service rules, packet in and packet out")
struct ServiceTests {
    typealias W = World

    @Test("every row", arguments: Row.services)
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
                        in: sent,
                        .from(source.address, port: source.port),
                        .to(destination.address, port: destination.port)
                    ) == []
                )
                #expect(treatment.packet.translated.source == source.address)
                #expect(treatment.packet.translated.destinationPort == destination.port)
            }
            #expect(
                issues(
                    in: sent,
                    .timeToLive(63),
                    .identification(UInt16(row.input[4]) << 8 | UInt16(row.input[5])),
                    .flagsAndOffset(0x4000),
                    .unchanged(since: row.input)
                ) == []
            )
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

    @Test(
        "replies go back as from whom the client asked",
        arguments: Row.services.filter { $0.expected == "forward - new" }
    )
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
                in: reply.only,
                .from(asked.destination, port: asked.destinationPort),
                .to(asked.source, port: asked.sourcePort),
                .timeToLive(63),
                .validChecksums,
                .unchanged(since: answer)
            )
                == []
        )
        #expect(reply.packet.flow == first.packet.flow && first.packet.flow > 0)
        let next =
            isTCP
            ? tcp(asked.source, asked.sourcePort, to: asked.destination, asked.destinationPort, .ack, payload: [1])
            : row.input
        let more = harness.send(next)
        #expect(more.summary == "forward - established")
        #expect(
            issues(
                in: more.only,
                .from(sent.source, port: sent.sourcePort),
                .to(sent.destination, port: sent.destinationPort),
                .validChecksums,
                .unchanged(since: next)
            ) == []
        )
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
                .init(kind: .clusterIP, address: W.vip, port: 99, transport: .udp, servicePort: port)
            )
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
