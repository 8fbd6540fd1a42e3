import Datapath
import TestSupport
import Testing
import Wire

@Suite("What the datapath answers itself")
struct RejectTests {
    typealias W = World

    /// What holds for every ICMP error that the datapath sends about `input`.
    private func expectError(
        _ treatment: Treatment,
        _ type: UInt8,
        code: UInt8,
        rest: UInt32 = 0,
        about input: [UInt8],
        to: IPv4Address,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let sent = treatment.only
        #expect(treatment.verdict == .reject, sourceLocation: sourceLocation)
        #expect(sent?.isGenerated == true, sourceLocation: sourceLocation)
        #expect(
            issues(
                in: sent,
                .icmp(type, code: code),
                .icmpRest(rest),
                .from(W.node),
                .to(to),
                .validChecksums,
                .timeToLive(64),
                .typeOfService(0xc0),
                .identification(0),
                .flagsAndOffset(0x4000),
                .quote(Array(input.prefix(548))),
                .length(28 + min(input.count, 548))
            ) == [],
            sourceLocation: sourceLocation
        )
    }

    @Test("no endpoints: port unreachable, TCP and UDP alike, quoting the packet as it came in")
    func noEndpoints() {
        for input in [
            tcp(W.client, 40000, to: W.emptyVIP, 80), udp(W.client, 40000, to: W.emptyVIP, 80),
            tcp(W.client, 40000, to: W.node, 30081), tcp(W.client, 40000, to: W.emptyVIP, 80, .ack),
            udp(W.client, 40000, to: W.emptyVIP, 80, payload: [UInt8](repeating: 3, count: 1400)),
            tcp(W.client, 40000, to: W.emptyVIP, 80) {
                $0.options = [1, 1, 1, 0]
                $0.typeOfService = 0x2e
            },
        ] {
            let harness = DatapathHarness()
            let treatment = harness.send(input)
            #expect(treatment.reason == .noEndpoints)
            expectError(treatment, 3, code: 3, about: input, to: W.client)
            #expect(treatment.only?.egress == W.pods)
            #expect(harness.flows.isEmpty)
        }
    }

    @Test("no endpoints, asked from outside: the error leaves by the uplink")
    func noEndpointsOutside() {
        let input = tcp(W.outside, 40000, to: W.node, 30081)
        let treatment = DatapathHarness().send(input)
        expectError(treatment, 3, code: 3, about: input, to: W.outside)
        #expect(treatment.only?.egress == W.uplink)
    }

    @Test("an unknown port of a ClusterIP and a ping to it are refused")
    func unknownPort() {
        for input in [tcp(W.client, 40000, to: W.vip, 81), udp(W.client, 1, to: W.vip, 80), echo(W.client, to: W.vip)] {
            let treatment = DatapathHarness().send(input)
            #expect(treatment.reason == .noService)
            expectError(treatment, 3, code: 3, about: input, to: W.client)
        }
    }

    @Test("TTL 1 on the way through: time exceeded, before any translation")
    func timeExceeded() {
        let cases: [([UInt8], IPv4Address)] = [
            (tcp(W.outside, 40000, to: W.node, 30080) { $0.timeToLive = 1 }, W.outside),
            (udp(W.client, 40000, to: W.vip, 53) { $0.timeToLive = 1 }, W.client),
            (echo(W.client, to: W.outside) { $0.timeToLive = 1 }, W.client),
        ]
        for (input, sender) in cases {
            let harness = DatapathHarness()
            let treatment = harness.send(input)
            #expect(treatment.reason == .ttlExpired)
            expectError(treatment, 11, code: 0, about: input, to: sender)
            #expect(harness.flows.isEmpty)
        }
    }

    @Test("TTL 1 on an established flow and on its reply; the flow is not prolonged by it")
    func timeExceededEstablished() {
        let harness = DatapathHarness()
        harness.send(udp(W.client, 40000, to: W.vip, 53))
        let late = udp(W.client, 40000, to: W.vip, 53) { $0.timeToLive = 1 }
        expectError(harness.send(late, at: 29), 11, code: 0, about: late, to: W.client)
        let reply = udp(W.backend, 5353, to: W.client, 40000) { $0.timeToLive = 1 }
        expectError(harness.send(reply, at: 29), 11, code: 0, about: reply, to: W.backend)
        let gone = harness.send(udp(W.backend, 5353, to: W.client, 40000), at: 31)
        #expect(gone.verdict == .pass)
    }

    @Test("an ICMP error that comes with TTL 1 is dropped: nothing is said about it")
    func errorsAboutErrors() throws {
        let harness = DatapathHarness()
        let sent = try #require(harness.send(udp(W.client, 40000, to: W.vip, 53)).only)
        let late = changed(icmpError(W.router, to: W.client, about: sent.bytes)) { $0[8] = 1 }
        #expect(harness.send(late).summary == "drop ttl.expired related")
        // With one hop more it arrives.
        let timely = changed(icmpError(W.router, to: W.client, about: sent.bytes)) { $0[8] = 2 }
        #expect(harness.send(timely).summary == "forward - related")
    }

    @Test("longer than the way takes and DF: fragmentation needed with the next hop's MTU")
    func fragmentationNeeded() {
        var world = World()
        world.interfaces[0].mtu = 1400
        let harness = DatapathHarness(world)
        let input = tcp(W.outside, 40000, to: W.node, 30080, payload: [UInt8](repeating: 1, count: 1400))
        let treatment = harness.send(input)
        #expect(treatment.reason == .oversize)
        expectError(treatment, 3, code: 4, rest: 1400, about: input, to: W.outside)
        #expect(harness.flows.isEmpty)
        harness.send(tcp(W.outside, 40000, to: W.node, 30080))
        expectError(harness.send(input), 3, code: 4, rest: 1400, about: input, to: W.outside)
        let fits = tcp(W.outside, 40000, to: W.node, 30080, .ack, payload: [UInt8](repeating: 1, count: 1360))
        #expect(harness.send(fits).verdict == .forward)
    }

    @Test(
        "longer than the way takes and no DF: fragments that put together are the translated packet",
        arguments: [576, 1400]
    )
    func fragments(mtu: Int) {
        var world = World()
        world.interfaces[0].mtu = mtu
        let harness = DatapathHarness(world)
        var generator = TestGenerator(seed: mtu)
        // The first option is copied into every fragment, the second one is not (RFC 791 section 3.1).
        let input = udp(W.outside, 40000, to: W.node, 30053, payload: generator.bytes(3001)) {
            $0.flagsAndOffset = 0
            $0.options = [148, 4, 0, 0, 7, 4, 4, 0]
        }
        let treatment = harness.send(input)
        #expect(treatment.verdict == .forward)
        #expect(treatment.sent.count == (3009 + (mtu - 28) / 8 * 8 - 1) / ((mtu - 28) / 8 * 8))
        for (number, part) in treatment.sent.enumerated() {
            #expect(part.bytes.count <= mtu && !part.isGenerated && part.egress == W.pods)
            let options: [UInt8] = number == 0 ? [148, 4, 0, 0, 7, 4, 4, 0] : [148, 4, 0, 0, 1, 1, 1, 1]
            #expect(issues(in: part, .validChecksums, .timeToLive(63), .options(options)) == [])
        }
        guard let whole = reassemble(treatment.sent.map(\.bytes)) else {
            Issue.record("the fragments do not fit together")
            return
        }
        #expect(
            issues(
                in: whole,
                .from(W.node, port: 40000),
                .to(W.backend, port: 5353),
                .validChecksums,
                .unchanged(since: input, identification: false)
            ) == []
        )
    }

    @Test("a fragment is cut again where its way is narrower")
    func refragmentation() {
        var world = World()
        world.interfaces[0].mtu = 700
        var generator = TestGenerator(seed: 5)
        let payload = generator.bytes(4000)
        let parts = udpFragments(W.outside, 40000, to: W.node, 30053, payload: payload, size: 1480)
        for order in [parts, parts.reversed()] {
            let harness = DatapathHarness(world)
            let sent = harness.send(order.map { Feed($0) }).flatMap(\.sent)
            for part in sent { #expect(part.bytes.count <= 700) }
            let whole = reassemble(sent.map(\.bytes))
            #expect(whole.map { issues(in: $0, .payload(payload), .to(W.backend, port: 5353), .validChecksums) } == [])
        }
    }

    @Test("pings to the node are answered by it", arguments: [0, 1, 57, 1400])
    func ping(length: Int) {
        for (address, sender) in [(W.node, W.outside), (W.secondNode, W.client)] {
            let payload = [UInt8](repeating: 0xee, count: length)
            let input = echo(sender, to: address, identifier: 5, payload: payload) {
                $0.typeOfService = 0x28
                $0.timeToLive = 1
            }
            let treatment = DatapathHarness().send(input)
            #expect(treatment.summary == "answer - untracked")
            #expect(
                issues(
                    in: treatment.only,
                    .icmp(0),
                    .from(address),
                    .to(sender),
                    .validChecksums,
                    .payload(payload),
                    .icmpRest(5 << 16 | 1),
                    .timeToLive(64),
                    .typeOfService(0x28),
                    .options([])
                ) == []
            )
        }
    }

    @Test("a ping that a capture cut is left to the node, and seen there")
    func cutPing() {
        let whole = echo(W.outside, to: W.node, payload: [UInt8](repeating: 1, count: 100))
        var feed = Feed(Array(whole.prefix(60)))
        feed.wireLength = whole.count
        feed.marks = .truncated
        let treatment = DatapathHarness().send([feed])[0]
        #expect(treatment.verdict == .local)
        #expect(treatment.only?.bytes == Array(whole.prefix(60)))
        #expect(treatment.only?.egress == W.host)
    }

    @Test("nothing is answered to what must not be answered (RFC 1812 section 4.3.2.7)")
    func silence() {
        let flowless = tcp(W.backend, 8080, to: W.client, 40000)
        let inputs: [(String, [UInt8])] = [
            ("an ICMP error at TTL 1", icmpError(W.router, to: W.client, about: flowless) { $0.timeToLive = 1 }),
            ("a RST at TTL 1", tcp(W.client, 1, to: W.outside, 2, .rst) { $0.timeToLive = 1 }),
            ("a RST to nothing", tcp(W.client, 1, to: W.vip, 81, .rst)),
        ]
        for (description, input) in inputs {
            let harness = DatapathHarness()
            harness.send(tcp(W.client, 40000, to: W.backend, 8080))
            let treatment = harness.send(input)
            #expect(treatment.sent.isEmpty, "\(description)")
            #expect([.drop, .reject].contains(treatment.verdict), "\(description)")
        }
    }

    @Test("errors are limited in their rate; what is not answered stays refused")
    func rate() {
        let harness = DatapathHarness()
        let treatments = (0..<80).map { harness.send(udp(W.client, UInt16(1000 + $0), to: W.emptyVIP, 80)) }
        #expect(treatments.allSatisfy { $0.verdict == .reject && $0.reason == .noEndpoints })
        #expect(treatments.count { !$0.sent.isEmpty } == 50)
        #expect(harness.pipeline.counters.errorsSuppressed == 30)
        // A thousand a second: one more after a millisecond.
        #expect(harness.send(udp(W.client, 9, to: W.emptyVIP, 80), at: 0.001).sent.count == 1)
        #expect(harness.send(udp(W.client, 9, to: W.emptyVIP, 80), at: 0.001).sent.isEmpty)
        #expect(harness.send(udp(W.client, 9, to: W.emptyVIP, 80), at: 3600).sent.count == 1)
    }

    @Test("with a bad checksum nothing is answered, where checksums are verified")
    func badChecksum() {
        var world = World()
        world.configuration.verifiesChecksums = true
        for input in [
            udp(W.client, 1, to: W.emptyVIP, 80), echo(W.client, to: W.node), tcp(W.client, 1, to: W.emptyVIP, 80),
            tcp(W.client, 1, to: W.outside, 80) { $0.timeToLive = 1 },
        ] {
            let harness = DatapathHarness(world)
            #expect(harness.send(input).sent.count == 1)
            var bad = input
            bad[bad.count - 1] ^= 0x40
            let treatment = harness.send(bad)
            #expect(treatment.verdict == .drop && treatment.reason == .checksumL4 && treatment.sent.isEmpty)
            #expect(harness.pipeline.counters.badChecksums == 1)
        }
    }
}
