import Datapath
import TestSupport
import Testing
import Wire

@Suite("Reply tuples and ports")
struct PortTests {
    typealias W = World

    @Test("one client port to two Services with one backend, and to the backend directly: three flows, three replies")
    func clash() {
        let harness = DatapathHarness()
        let asked = [
            tcp(W.client, 40000, to: W.vip, 80), tcp(W.client, 40000, to: W.localVIP, 8000),
            tcp(W.client, 40000, to: W.backend, 8080),
        ]
        let treatments = asked.map { harness.send($0) }
        var ports = Set<UInt16>()
        for (input, treatment) in zip(asked, treatments) {
            guard let sent = treatment.only, let seen = Dissection(sent.bytes), let before = Dissection(input) else {
                Issue.record("nothing was sent")
                return
            }
            #expect(treatment.verdict == .forward)
            #expect(!treatment.packet.masquerade)
            #expect(
                issues(in: sent, .from(W.client), .to(W.backend, port: 8080), .validChecksums, .unchanged(since: input))
                    == []
            )
            ports.insert(seen.sourcePort)
            let reply = harness.send(tcp(W.backend, 8080, to: W.client, seen.sourcePort, [.syn, .ack]))
            #expect(
                issues(
                    in: reply.only,
                    .from(before.destination, port: before.destinationPort),
                    .to(W.client, port: 40000),
                    .validChecksums
                ) == []
            )
        }
        #expect(ports.count == 3 && ports.contains(40000))
        #expect(treatments[2].packet.frontend == .none && treatments[2].packet.service == 0)
        #expect(harness.sharedTuples.isEmpty)
    }

    @Test("masquerading keeps the client's port where it may", arguments: [1024, 29999, 32768, 65535, 40000])
    func ownPort(port: UInt16) {
        let treatment = DatapathHarness().send(tcp(W.outside, port, to: W.node, 30080))
        #expect(issues(in: treatment.only, .from(W.node, port: port)) == [])
    }

    @Test("never a system port, a NodePort or a host port", arguments: [1, 80, 1023, 30000, 31234, 32767, 8443])
    func forbiddenPort(port: UInt16) {
        for seed in UInt64(1)...20 {
            var world = World()
            world.configuration.seed = seed
            let treatment = DatapathHarness(world).send(tcp(W.outside, port, to: W.node, 30080))
            let sent = treatment.only.flatMap { Dissection($0.bytes)?.sourcePort } ?? 0
            #expect(sent >= 1024 && !(30000...32767).contains(sent) && sent != 8443)
            #expect(issues(in: treatment.only, .from(W.node), .validChecksums) == [])
        }
    }

    @Test("without masquerading any port is kept")
    func keptPort() {
        let treatment = DatapathHarness().send(tcp(W.client, 80, to: W.vip, 80))
        #expect(issues(in: treatment.only, .from(W.client, port: 80)) == [])
    }

    @Test("many clients with one port to one backend: distinct ports, and each reply to its own client")
    func overloading() {
        let harness = DatapathHarness(batchSize: 64)
        let clients = (0..<1500).map { IPv4Address(bits: IPv4Address(203, 0, 113, 0).bits + 0x1000 + $0) }
        let treatments = harness.send(clients.map { Feed(udp($0, 50000, to: W.node, 30053)) })
        let ports = treatments.compactMap { $0.only.flatMap { Dissection($0.bytes)?.sourcePort } }
        #expect(ports.count == 1500 && Set(ports).count == 1500)
        #expect(ports.allSatisfy { $0 >= 1024 && !(30000...32767).contains($0) && $0 != 8443 })
        let replies = harness.send(ports.map { Feed(udp(W.backend, 5353, to: W.node, $0)) })
        for (client, reply) in zip(clients, replies) {
            #expect(issues(in: reply.only, .to(client, port: 50000), .from(W.node, port: 30053), .validChecksums) == [])
        }
        #expect(harness.sharedTuples.isEmpty)
    }

    @Test("when all ports but one are taken that one is found; when all are, the flow is refused without a trace")
    func exhaustion() {
        var world = World()
        world.configuration.conntrackCapacity = 200_000
        world.configuration.nodePortRange = 30053...65535
        let harness = DatapathHarness(world, batchSize: 64)
        // Every port that may be used, by clients of their own.
        let allowed = (UInt16(1024)..<30053).filter { $0 != 8443 }
        let last = allowed.count - 1
        harness.send(allowed.dropLast().map { Feed(udp(W.outside, $0, to: W.node, 30053)) })
        #expect(harness.flows.count == last)
        let other = IPv4Address(203, 0, 113, 77)
        let found = harness.send(udp(other, 1024, to: W.node, 30053))
        #expect(issues(in: found.only, .from(W.node, port: allowed[last]), .validChecksums) == [])
        let refused = harness.send(udp(other, 1025, to: W.node, 30053))
        #expect(refused.summary == "drop snat.ports_exhausted new" && refused.sent.isEmpty)
        #expect(harness.flows.count == allowed.count)
        // Another destination has ports of its own.
        #expect(harness.send(tcp(other, 1025, to: W.node, 30080)).verdict == .forward)
        // And when the time of one is over, its port is free.
        let later = harness.send(udp(other, 1025, to: W.node, 30053), at: 31)
        #expect(later.verdict == .forward)
    }

    @Test("a full table refuses, emits nothing, and keeps what it has")
    func tableFull() {
        var world = World()
        world.configuration.conntrackCapacity = 10
        let harness = DatapathHarness(world)
        for port in UInt16(1)...10 {
            #expect(harness.send(tcp(W.client, port, to: W.vip, 80)).verdict == .forward)
            harness.send(tcp(W.backend, 8080, to: W.client, port, [.syn, .ack]))
            harness.send(tcp(W.client, port, to: W.vip, 80, .ack))
        }
        for input in [
            tcp(W.client, 11, to: W.vip, 80), udp(W.client, 11, to: W.outside, 80), echo(W.client, to: W.outside),
        ] {
            let treatment = harness.send(input)
            #expect(treatment.summary == "drop ct.table_full new" && treatment.sent.isEmpty)
        }
        #expect(harness.flows.count == 10)
        #expect(harness.send(tcp(W.client, 3, to: W.vip, 80, .ack)).verdict == .forward)
        #expect(harness.accountingIssues == [])
    }

    @Test("translated and translated back, a packet is what it was but for its TTL", arguments: 0..<20)
    func identity(seed: Int) {
        var generator = TestGenerator(seed: seed)
        let harness = DatapathHarness()
        for _ in 0..<50 {
            let (from, port) = (generator.chance(50) ? W.outside : W.client, UInt16(generator.pick(1..<65536)))
            let payload = generator.bytes(generator.pick(0..<60))
            let isTCP = generator.chance(50)
            let asked =
                isTCP
                ? tcp(from, port, to: W.node, 30080, payload: payload)
                : udp(from, port, to: W.node, 30053, payload: payload, checksum: generator.chance(70))
            guard let sent = harness.send(asked).only, let seen = Dissection(sent.bytes) else {
                Issue.record("nothing was sent")
                continue
            }
            // The backend sends the very packet back, with its ends exchanged: a checksum does not mind.
            var echoed = sent.bytes
            echoed.replaceSubrange(12..<20, with: Array(sent.bytes[16..<20]) + Array(sent.bytes[12..<16]))
            echoed.replaceSubrange(20..<24, with: Array(sent.bytes[22..<24]) + Array(sent.bytes[20..<22]))
            if isTCP { echoed[33] = TCPFlags([.syn, .ack]).rawValue }
            if isTCP { echoed = fixedTCP(echoed) }
            let back = harness.send(echoed)
            var expected = asked
            expected.replaceSubrange(12..<20, with: Array(asked[16..<20]) + Array(asked[12..<16]))
            expected.replaceSubrange(20..<24, with: Array(asked[22..<24]) + Array(asked[20..<22]))
            if isTCP { expected[33] = echoed[33] }
            if isTCP { expected = fixedTCP(expected) }
            expected = changed(expected) { $0[8] = 62 }
            #expect(back.only?.bytes == expected)
            #expect(seen.source == W.node)
        }
    }

    /// A TCP packet whose checksum is computed anew.
    private func fixedTCP(_ bytes: [UInt8]) -> [UInt8] {
        var fixed = bytes
        fixed[36] = 0
        fixed[37] = 0
        guard let packet = Dissection(fixed) else { return bytes }
        let sum = NaiveChecksum.sum(NaiveChecksum.pseudoHeader(packet, length: packet.carried.count) + packet.carried)
        fixed[36] = UInt8(~sum >> 8)
        fixed[37] = UInt8(~sum & 255)
        return fixed
    }

    @Test("UDP without a checksum stays without; a checksum that becomes zero is sent as all ones")
    func udpChecksums() {
        let harness = DatapathHarness()
        let without = harness.send(udp(W.client, 40000, to: W.vip, 53, checksum: false))
        #expect(issues(in: without.only, .transportChecksum(0)) == [])
        let reply = harness.send(udp(W.backend, 5353, to: W.client, 40000, checksum: false))
        #expect(issues(in: reply.only, .transportChecksum(0)) == [])
        // Of all values of the payload word one makes the checksum of what is sent zero.
        var allOnes = 0
        for value in stride(from: 0, through: 0xffff, by: 1) {
            var datagram = PacketBuilder(from: W.client, to: W.backend).udpDatagram(
                40000,
                5353,
                payload: [UInt8(value >> 8), UInt8(value & 255)]
            )
            guard datagram[6] == 0xff, datagram[7] == 0xff else { continue }
            datagram = Array(datagram[8...])
            let treatment = harness.send(udp(W.client, 40000, to: W.vip, 53, payload: datagram))
            #expect(issues(in: treatment.only, .transportChecksum(0xffff), .validChecksums) == [])
            allOnes += 1
        }
        #expect(allOnes > 0)
    }

    @Test("a wrong transport checksum stays as wrong as it was")
    func badChecksum() {
        let harness = DatapathHarness()
        for input in [
            tcp(W.client, 40000, to: W.vip, 80), udp(W.client, 40000, to: W.vip, 53), echo(W.client, to: W.outside),
        ] {
            let bad = input.dropLast() + [input[input.count - 1] ^ 0x11]
            let treatment = harness.send(Array(bad))
            #expect([.forward, .pass].contains(treatment.verdict))
            let sent = treatment.only.flatMap { Dissection($0.bytes) }
            #expect(sent?.isHeaderChecksumValid == true)
            #expect(sent?.isTransportChecksumValid == false)
        }
    }
}
