import Datapath
import TestSupport
import Testing
import Wire

@Suite("Queries on the path of packets")
struct NameAnswerTests {
    typealias W = World

    private static let name = "web.default.svc.cluster.local"

    private func query(
        _ name: String = name,
        from source: IPv4Address = W.client,
        port: UInt16 = 40000,
        size: UInt16? = nil,
        checksum: Bool = true,
        _ change: (inout PacketBuilder) -> Void = { _ in }
    ) -> [UInt8] {
        udp(
            source,
            port,
            to: W.dns,
            53,
            payload: DNSQuestion(name, payloadSize: size).bytes,
            checksum: checksum,
            change
        )
    }

    private func response(_ treatment: Treatment) -> DNSDissection? {
        treatment.only.flatMap { Dissection($0.bytes) }.flatMap { DNSDissection(Array($0.carried.dropFirst(8))) }
    }

    @Test("an answer goes back from where the query went to, and leaves nothing behind")
    func answer() throws {
        let harness = DatapathHarness()
        for (source, egress) in [(W.client, W.pods), (W.outside, W.uplink), (W.node, W.host)] {
            for checksum in [true, false] {
                let treatment = harness.send(query(from: source, checksum: checksum) { $0.timeToLive = 1 })
                #expect(treatment.summary == "answer - untracked")
                #expect(treatment.packet.service == 0 && treatment.packet.frontend == .none)
                let sent = try #require(treatment.only)
                #expect(sent.egress == egress && sent.isGenerated)
                let packet = try #require(Dissection(sent.bytes))
                #expect(packet.source == W.dns && packet.destination == source)
                #expect(packet.sourcePort == 53 && packet.destinationPort == 40000 && packet.timeToLive == 64)
                #expect(packet.isHeaderChecksumValid && packet.isTransportChecksumValid)
                #expect(response(treatment)?.summary == "NOERROR ; \(Self.name) A 10.96.0.11")
            }
        }
        #expect(harness.flows.isEmpty && harness.accountingIssues.isEmpty)
    }

    @Test("options of the IPv4 header do not matter")
    func options() {
        let treatment = DatapathHarness().send(query { $0.options = [148, 4, 0, 0] })
        #expect(response(treatment)?.summary == "NOERROR ; \(Self.name) A 10.96.0.11")
    }

    @Test("what is no query gets nothing")
    func noQuery() {
        var world = World()
        world.configuration.verifiesChecksums = true
        let harness = DatapathHarness(world)
        var asked = DNSQuestion(Self.name)
        asked.flags = 0x8180
        #expect(
            harness.send(udp(W.client, 1, to: W.dns, 53, payload: asked.bytes)).summary == "drop dns.no_query untracked"
        )
        #expect(harness.send(udp(W.client, 1, to: W.dns, 53, payload: [])).summary == "drop dns.no_query untracked")
        #expect(harness.send(query(port: 0)).summary == "drop malformed.port0 untracked")
        var damaged = query()
        damaged[40] ^= 1
        #expect(harness.send(damaged).summary == "drop checksum.l4 untracked")
    }

    @Test("what else comes to the address is the node's")
    func others() {
        let harness = DatapathHarness()
        #expect(harness.send(tcp(W.client, 1, to: W.dns, 53)).verdict == .local)
        #expect(harness.send(udp(W.client, 1, to: W.dns, 54)).verdict == .local)
        #expect(harness.send(echo(W.client, to: W.dns)).verdict == .answer)
        let parts = udpFragments(
            W.client,
            1,
            to: W.dns,
            53,
            payload: DNSQuestion(Self.name).bytes,
            size: 24,
            identification: 9
        )
        for part in parts.reversed() { harness.send(part) }
        #expect(harness.pipeline.counters[.local] == UInt64(parts.count) + 2)
        // What the node's stack sends back, and what others claim to be.
        #expect(harness.send(tcp(W.dns, 53, to: W.client, 1, [.syn, .ack]), from: W.host).verdict == .pass)
        #expect(harness.send(udp(W.dns, 53, to: W.client, 1), from: W.pods).reason == .spoofVIP)
        #expect(harness.send(udp(W.dns, 53, to: W.client, 1), from: W.uplink).reason == .spoofVIP)
        #expect(harness.accountingIssues.isEmpty)
    }

    @Test("without a host interface only UDP queries are answered")
    func withoutHost() {
        var world = World()
        world.interfaces.remove(at: Int(W.host))
        let harness = DatapathHarness(world)
        #expect(harness.send(query()).verdict == .answer)
        #expect(harness.send(tcp(W.client, 1, to: W.dns, 53)).summary == "reject no_service new")
    }

    @Test("a Service that owns the address takes precedence")
    func ownedByService() {
        var world = World()
        world.add("kube-system/dns:dns", [Backend(address: W.backend, port: 5353, isLocal: true)], []) { port, rules in
            rules.frontends.append(
                .init(kind: .clusterIP, address: W.dns, port: 53, transport: .udp, servicePort: port)
            )
        }
        world.rules.clusterIPs.append(W.dns)
        let harness = DatapathHarness(world)
        #expect(harness.send(query()).verdict == .forward)
        #expect(harness.send(tcp(W.client, 1, to: W.dns, 53)).summary == "reject no_service new")
    }

    @Test("an answer fits the way back, and says so when it is cut")
    func size() throws {
        var world = World()
        world.interfaces[Int(W.pods)].mtu = 600
        let harness = DatapathHarness(world)
        let cut = harness.send(query("many.svc.cluster.local", size: 4096))
        #expect(cut.only?.bytes.count ?? 0 <= 600)
        #expect(response(cut)?.isTruncated == true && response(cut)?.answers.count == 32)
        let plain = harness.send(query("many.svc.cluster.local"))
        #expect(plain.only?.bytes.count ?? 0 <= 540)
        #expect(response(plain)?.answers.count == 29)
        let wide = harness.send(query("many.svc.cluster.local", from: W.outside, size: 4096))
        #expect(wide.only?.bytes.count ?? 0 <= 1500)
        #expect(response(wide)?.answers.count == 88)
    }

    @Test("a new table answers from the next query on")
    func replacement() {
        let world = World()
        let harness = DatapathHarness(world)
        harness.pipeline.replaceServices(ServiceTable(world.rules, seed: 1))
        #expect(response(harness.send(query()))?.summary == "REFUSED")
        harness.pipeline.replaceServices(ServiceTable(world.rules, seed: 1, names: world.names))
        #expect(response(harness.send(query()))?.summary == "NOERROR ; \(Self.name) A 10.96.0.11")
    }

    @Test("in a replay the captured answers go, or count as what comes from a Service's address")
    func capturedAnswers() {
        for (reconstructs, reason) in [(true, DropReason.replayAnswered), (false, .spoofVIP)] {
            var world = World()
            world.configuration.takesIngressFromSource = true
            world.configuration.reconstructsReplies = reconstructs
            for batchSize in [1, 7, 64] {
                let harness = DatapathHarness(world, batchSize: batchSize)
                let answer = udp(W.dns, 53, to: W.client, 40000)
                let parts = udpFragments(
                    W.dns,
                    53,
                    to: W.client,
                    40000,
                    payload: [UInt8](repeating: 1, count: 100),
                    size: 40,
                    identification: 3
                )
                let treatments = harness.send([query(), answer, query()].map { Feed($0) } + parts.map { Feed($0) })
                #expect(treatments.map(\.verdict) == [.answer, .drop, .answer] + parts.map { _ in .drop })
                #expect(harness.pipeline.counters[reason] == UInt64(parts.count) + 1)
                #expect(harness.flows.isEmpty)
                // Other ports are not DNS.
                #expect(harness.send(tcp(W.dns, 53, to: W.client, 1, .ack)).verdict == .pass)
            }
        }
    }
}
