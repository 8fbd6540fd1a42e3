import Datapath
import TestSupport
import Testing
import Wire

/// What went wrong in other datapaths with addresses, rules and what they make themselves: a test for each.
@Suite("Incidents of other datapaths, about addresses and rules")
struct AddressIncidentTests {
    typealias W = World

    @Test(
        "two first datagrams of one socket are one flow, and neither is lost (kubernetes 56903)",
        arguments: [1, 2, 64]
    )
    func twoQuestions(batchSize: Int) {
        let harness = DatapathHarness(batchSize: batchSize)
        var wrong = 0
        for number in 0..<500 {
            let port = UInt16(20000 + number)
            let pair = [1, 28].map { Feed(udp(W.client, port, to: W.vip, 53, payload: [$0]), at: Double(number) / 100) }
            let both = harness.send(pair)
            if both.contains(where: { $0.verdict != .forward }) || both[0].packet.flow != both[1].packet.flow {
                wrong += 1
            }
        }
        #expect(wrong == 0)
        #expect(harness.flows.count == 500)
    }

    @Test("nobody reaches 127.0.0.0/8, and nobody comes from there (CVE-2020-8558)")
    func loopback() {
        for (source, ingress) in [(W.client, W.pods), (W.outside, W.uplink), (W.node, W.host)] {
            for last in [UInt8(1), 2, 255] {
                let inside = IPv4Address(127, 0, 0, last)
                let harness = DatapathHarness()
                for packet in [tcp(source, 40000, to: inside, 10250), udp(source, 40000, to: inside, 53)] {
                    let treatment = harness.send(packet, from: ingress)
                    #expect(treatment.reason == .martianDestination && treatment.sent.isEmpty)
                }
                let treatment = harness.send(tcp(inside, 40000, to: W.vip, 80), from: ingress)
                #expect(treatment.reason == .martianSource && treatment.sent.isEmpty)
            }
        }
    }

    @Test(
        "nothing leaves for a ClusterIP, whatever the port and the protocol (cilium 14118, 20436, 32195; calico 5039)"
    )
    func noCircle() {
        let harness = DatapathHarness()
        for vip in [W.vip, W.emptyVIP, W.localVIP, W.unallocated] {
            for client in [W.client, W.backend, W.outside, W.node] {
                for port in [UInt16(1), 22, 80, 81, 8080, 30080] {
                    for packet in [
                        tcp(client, 40000, to: vip, port), udp(client, 40000, to: vip, port),
                        tcp(client, 40001, to: vip, port, .ack), echo(client, to: vip),
                        PacketBuilder(from: client, to: vip).packet(.init(rawValue: 132), payload: [0, 1, 2, 3]),
                    ] {
                        for sent in harness.send(packet).sent {
                            let destination = Dissection(sent.bytes)?.destination
                            #expect(destination != vip)
                        }
                    }
                }
            }
        }
    }

    @Test("nor for a Service address that is given as an endpoint; the node's own address may be one (cilium 20436)")
    func endpointThatIsAService() {
        for (address, isRefused) in [(W.loadBalancer, true), (W.externalIP, true), (W.vip, true), (W.node, false)] {
            var world = World()
            // Also where the node's address is an external one of a Service.
            world.rules.externalAddresses.append(W.node)
            let backends = [Backend(address: address, port: 6443, isLocal: false)]
            world.add("default/circle:http", backends, backends) { port, rules in
                rules.frontends.append(
                    .init(kind: .clusterIP, address: W.vip, port: 8088, transport: .tcp, servicePort: port)
                )
            }
            let harness = DatapathHarness(world)
            let treatment = harness.send(tcp(W.client, 40000, to: W.vip, 8088))
            #expect(treatment.sent.isEmpty == isRefused && harness.flows.isEmpty == isRefused)
            #expect(treatment.reason == (isRefused ? .noService : .none))
        }
    }

    @Test("an error that is generated takes nothing but the quote from its cause (katran 206)")
    func generatedError() {
        let harness = DatapathHarness()
        let cause = tcp(W.client, 40000, to: W.emptyVIP, 80) {
            $0.typeOfService = 0x2e
            $0.identification = 0xbeef
            $0.timeToLive = 3
            $0.flagsAndOffset = 0
        }
        let error = harness.send(cause).only
        #expect(
            issues(
                in: error,
                .icmp(3, code: 3),
                .from(W.node),
                .to(W.client),
                .timeToLive(64),
                .typeOfService(0xc0),
                .identification(0),
                .flagsAndOffset(FragmentField.doNotFragmentBit),
                .options([]),
                .quote(cause),
                .validChecksums
            ) == []
        )
    }

    @Test(
        "behind options the ports are where the header ends (cilium 23810, gvisor 3834, mirage-tcpip 238)",
        arguments: [[1, 1, 1, 0], [148, 4, 0, 0], [7, 7, 4, 0, 0, 0, 0, 0]] as [[UInt8]]
    )
    func options(options: [UInt8]) {
        let harness = DatapathHarness()
        for asked in [
            tcp(W.client, 40000, to: W.vip, 80, payload: [1]) { $0.options = options },
            udp(W.client, 40000, to: W.vip, 53) { $0.options = options },
        ] {
            let port: UInt16 = asked[9] == 6 ? 8080 : 5353
            let sent = harness.send(asked).only
            #expect(issues(in: sent, .to(W.backend, port: port), .options(options), .validChecksums) == [])
            #expect(issues(in: sent, .unchanged(since: asked)) == [])
        }
    }

    @Test("source ranges hold for every packet: fragments and what comes after them (kubernetes 88698, CVE-2025-30162)")
    func sourceRanges() {
        var world = World()
        let port = world.rules.servicePorts.firstIndex { $0.name == "default/dns:dns" } ?? 0
        world.rules.frontends.append(
            .init(
                kind: .loadBalancer,
                address: W.loadBalancer,
                port: 53,
                transport: .udp,
                servicePort: port,
                sourceRanges: [IPv4Prefix(IPv4Address(203, 0, 113, 0), length: 25)]
            )
        )
        let harness = DatapathHarness(world)
        func parts(_ source: IPv4Address, _ identification: UInt16) -> [[UInt8]] {
            udpFragments(
                source,
                40000,
                to: W.loadBalancer,
                53,
                payload: [UInt8](repeating: 7, count: 100),
                size: 48,
                identification: identification
            )
        }
        #expect(harness.send(udp(W.outOfRange, 40000, to: W.loadBalancer, 53)).reason == .sourceRange)
        #expect(harness.send(tcp(W.outOfRange, 40000, to: W.loadBalancer, 80)).reason == .sourceRange)
        #expect(harness.send(tcp(W.outOfRange, 40000, to: W.loadBalancer, 80, .ack)).reason == .sourceRange)
        for order in [parts(W.outOfRange, 1), parts(W.outOfRange, 2).reversed()] {
            for treatment in order.map({ harness.send($0) }) {
                #expect(treatment.sent.isEmpty)
                #expect(treatment.reason == .sourceRange || treatment.verdict == .hold)
            }
        }
        #expect(harness.flows.isEmpty && harness.pipeline.heldPackets == 0)
        let admitted = parts(W.outside, 3).map { harness.send($0) }
        #expect(admitted.allSatisfy { $0.verdict == .forward })
    }
}
