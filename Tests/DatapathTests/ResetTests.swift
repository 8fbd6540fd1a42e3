import Datapath
import TestSupport
import Testing
import Wire

/// `conntrack.resetDeletedEndpoints`: connections to deleted endpoints are ended at both sides.
@Suite("Resets after a reload")
struct ResetTests {
    typealias W = World

    private static func world() -> World {
        var world = World()
        world.configuration.resetsDeletedEndpoints = true
        return world
    }

    /// The rules without the endpoint of `default/web:http`, which is another one then.
    private static var rules: ServiceSpecification {
        var world = World()
        let other = [Backend(address: W.otherBackend, port: 8080, isLocal: true)]
        world.rules.servicePorts[0].cluster = other
        world.rules.servicePorts[0].local = other
        world.rules.servicePorts[0].known = [.init(W.otherBackend, 8080, isServing: true)]
        return world.rules
    }

    private static func open(
        _ harness: DatapathHarness,
        from client: IPv4Address = W.client,
        to vip: IPv4Address = W.vip
    ) {
        let port: UInt16 = vip == W.node ? 30080 : 80
        let sent = harness.send(tcp(client, 40000, to: vip, port)).packet.translated
        harness.send(tcp(W.backend, 8080, to: sent.source, sent.sourcePort, [.syn, .ack]))
        harness.send(tcp(client, 40000, to: vip, port, .ack))
    }

    /// A segment with numbers.
    private static func segment(_ packet: [UInt8], sequence: UInt32, acknowledgment: UInt32) -> [UInt8] {
        var bytes = packet
        func put(_ value: UInt32, at offset: Int) {
            for byte in 0..<4 { bytes[20 + offset + byte] = UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * byte)) }
        }
        put(sequence, at: 4)
        put(acknowledgment, at: 8)
        bytes[36] = 0
        bytes[37] = 0
        let length = UInt8(bytes.count - 20)
        let check = ~NaiveChecksum.sum(ArraySlice(Array(bytes[12..<20]) + [0, 6, 0, length] + bytes[20...]))
        bytes[36] = UInt8(check / 256)
        bytes[37] = UInt8(check % 256)
        return bytes
    }

    private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
        bytes[20 + offset..<24 + offset].reduce(0) { $0 << 8 | UInt32($1) }
    }

    @Test(
        "the next segment of the client resets both ends, with the numbers that they expect",
        arguments: [false, true]
    )
    func fromClient(masqueraded: Bool) throws {
        let (client, vip, port) = masqueraded ? (W.outside, W.node, UInt16(30080)) : (W.client, W.vip, UInt16(80))
        let harness = DatapathHarness(Self.world())
        Self.open(harness, from: client, to: vip)
        harness.reload(Self.rules)
        #expect(harness.flows.count == 1, "who is quiet notices nothing yet")
        let data = Self.segment(
            tcp(client, 40000, to: vip, port, [.psh, .ack], payload: [1, 2, 3]),
            sequence: 0xffff_fffe,
            acknowledgment: 7777
        )
        let treatment = harness.send(data, at: 1)
        #expect(treatment.verdict == .reject && treatment.reason == .conntrackReset)
        #expect(treatment.packet.backend.address == W.backend)
        try #require(treatment.sent.count == 2)
        let (back, forth) = (treatment.sent[0], treatment.sent[1])
        #expect(issues(in: back, .from(vip, port: port), .to(client, port: 40000), .validChecksums) == [])
        #expect(issues(in: forth, .to(W.backend, port: 8080), .validChecksums) == [])
        #expect(back.egress == treatment.packet.egress && back.isGenerated && forth.isGenerated)
        #expect(Dissection(forth.bytes)?.source == (masqueraded ? W.node : client))
        #expect(Self.number(back.bytes, 4) == 7777 && back.bytes[33] == TCPFlags.rst.rawValue)
        #expect(Self.number(forth.bytes, 4) == 0xffff_fffe && Self.number(forth.bytes, 8) == 7777)
        #expect(forth.bytes[33] == TCPFlags([.rst, .ack]).rawValue)
        #expect(harness.flows.first?.state == .close)
        harness.idle(until: 13)
        #expect(harness.flows.isEmpty && harness.accountingIssues == [])
    }

    @Test("so does the next segment of the backend")
    func fromBackend() throws {
        let harness = DatapathHarness(Self.world())
        Self.open(harness)
        harness.reload(Self.rules)
        let treatment = harness.send(
            Self.segment(tcp(W.backend, 8080, to: W.client, 40000, .ack), sequence: 5, acknowledgment: 6),
            at: 1
        )
        #expect(treatment.verdict == .reject && treatment.reason == .conntrackReset)
        try #require(treatment.sent.count == 2)
        #expect(issues(in: treatment.sent[0], .to(W.backend, port: 8080), .from(W.client, port: 40000)) == [])
        #expect(issues(in: treatment.sent[1], .to(W.client, port: 40000), .from(W.vip, port: 80)) == [])
        #expect(Self.number(treatment.sent[0].bytes, 4) == 6 && Self.number(treatment.sent[1].bytes, 4) == 5)
        // Late segments of either end get the same; a RST gets nothing.
        #expect(harness.send(tcp(W.client, 40000, to: W.vip, 80, .ack), at: 2).reason == .conntrackReset)
        let rst = harness.send(tcp(W.client, 40000, to: W.vip, 80, .rst), at: 2)
        #expect(rst.sent.allSatisfy { !$0.isGenerated })
        // A new connection of the same ports finds the live endpoint.
        let again = harness.send(tcp(W.client, 40000, to: W.vip, 80), at: 3)
        #expect(again.verdict == .forward && again.packet.backend.address == W.otherBackend)
    }

    @Test("a connection that is hardly begun goes to a live endpoint with its next SYN")
    func halfOpen() {
        let harness = DatapathHarness(Self.world())
        harness.send(tcp(W.client, 40000, to: W.vip, 80))
        harness.reload(Self.rules)
        #expect(harness.flows.isEmpty)
        #expect(harness.send(tcp(W.client, 40000, to: W.vip, 80), at: 1).packet.backend.address == W.otherBackend)
    }

    @Test("an endpoint that is unready, or back before anybody noticed, costs no connection")
    func flap() {
        let harness = DatapathHarness(Self.world())
        Self.open(harness)
        var unready = Self.rules
        unready.servicePorts[0].known.append(.init(W.backend, 8080, isServing: false))
        harness.reload(unready)
        #expect(harness.send(tcp(W.client, 40000, to: W.vip, 80, .ack), at: 1).verdict == .forward)
        harness.reload(Self.rules)
        harness.reload(World().rules)
        #expect(harness.send(tcp(W.client, 40000, to: W.vip, 80, .ack), at: 2).verdict == .forward)
    }

    @Test("nothing depends on the size of the batches")
    func batches() {
        func run(_ size: Int) -> [Treatment] {
            let harness = DatapathHarness(Self.world(), batchSize: size)
            var made = harness.send((1...40).map { Feed(tcp(W.client, 40000 + $0, to: W.vip, 80)) })
            made += harness.send(
                (1...40).map { Feed(tcp(W.backend, 8080, to: W.client, 40000 + $0, [.syn, .ack])) }
            )
            harness.reload(Self.rules)
            let next = (1...40).flatMap { number in
                [
                    Feed(tcp(W.client, 40000 + number, to: W.vip, 80, .ack)),
                    Feed(tcp(W.backend, 8080, to: W.client, 40000 + number, .ack)),
                ]
            }
            return made + harness.send(next)
        }
        let one = run(1)
        #expect(one.count { $0.reason == .conntrackReset } == 80)
        for size in [7, 64] { #expect(zip(one, run(size)).allSatisfy { $0.0.agrees(with: $0.1) }) }
    }

    @Test("a wrong checksum is not answered")
    func badChecksum() {
        var world = Self.world()
        world.configuration.verifiesChecksums = true
        let harness = DatapathHarness(world)
        Self.open(harness)
        harness.reload(Self.rules)
        var bytes = tcp(W.client, 40000, to: W.vip, 80, .ack)
        bytes[36] ^= 1
        let treatment = harness.send(bytes, at: 1)
        #expect(treatment.verdict == .drop && treatment.reason == .checksumL4 && treatment.sent.isEmpty)
    }
}
