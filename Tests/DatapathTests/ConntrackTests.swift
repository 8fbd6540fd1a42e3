import Datapath
import TestSupport
import Testing
import Wire

@Suite("Conntrack over time")
struct ConntrackTests {
    typealias W = World

    /// The way to each state, and how many seconds a flow lives in it.
    static let ways: [(steps: String, state: FlowState, seconds: Double)] = [
        ("c:S", .synSent, 60), ("c:S s:S", .synSent2, 60), ("c:S s:S.", .synReceived, 60),
        ("c:S s:S. c:.", .established, 86400), ("c:S s:S. c:. c:P. s:.", .established, 86400),
        ("c:S s:S. c:. c:F.", .finWait, 120), ("c:S s:S. c:. s:F.", .finWait, 120),
        ("c:S s:S. c:. c:F. s:.", .closeWait, 3600), ("c:S s:S. c:. c:F. s:. s:P.", .closeWait, 3600),
        ("c:S s:S. c:. c:F. s:. s:F.", .lastAck, 30), ("c:S s:S. c:. c:F. s:F.", .lastAck, 30),
        ("c:S s:S. c:. c:F. s:. s:F. c:.", .timeWait, 120), ("c:S s:S. c:. c:R", .close, 10),
        ("c:S s:S. c:. s:R", .close, 10), ("c:S s:R.", .close, 10), ("c:S s:S c:S. s:.", .synReceived, 60),
    ]

    @Test("each state lives as long as its timeout says, and not longer", arguments: ways.indices)
    func timeouts(index: Int) {
        let way = Self.ways[index]
        for (late, expected) in [(-0.5, true), (0.5, false)] {
            var dialogue = Dialogue()
            for step in way.steps.split(separator: " ") {
                #expect(dialogue.play(String(step)).verdict == .forward)
                dialogue.clock += 1
            }
            #expect(dialogue.state == way.state)
            // The last packet came a second ago.
            dialogue.clock += way.seconds - 1 + late
            let reply = dialogue.server(.ack)
            #expect(reply.verdict == (expected ? .forward : .pass), "\(way.steps), \(late) s after its end")
            #expect(issues(in: reply.only, .validChecksums) == [])
            if expected { #expect(issues(in: reply.only, .from(W.vip, port: 80)) == []) }
        }
    }

    @Test("a closed connection leaves the table when its time is over, however long it was open")
    func clearedAway() {
        var dialogue = Dialogue()
        for step in ["c:S", "s:S.", "c:."] { dialogue.play(step) }
        // Past the first timeout, so that the wheel has put the flow a day ahead.
        dialogue.clock = 50
        dialogue.play("c:P.")
        dialogue.harness.idle(until: 3000)
        #expect(dialogue.harness.flows.count == 1)
        dialogue.clock = 3001
        for step in ["c:F.", "s:.", "s:F.", "c:."] { dialogue.play(step) }
        #expect(dialogue.state == .timeWait)
        dialogue.harness.idle(until: 3120)
        #expect(dialogue.harness.flows.count == 1)
        dialogue.harness.idle(until: 3123)
        #expect(dialogue.harness.flows.isEmpty)
        #expect(dialogue.harness.pipeline.flows.expirations[.closed] == 1)
    }

    @Test("a full table of closed connections takes new ones")
    func closedMakeRoom() {
        var world = World()
        world.configuration.conntrackCapacity = 50
        world.configuration.halfOpenPerSource = 50
        var dialogue = Dialogue(world)
        for port in UInt16(1)...50 {
            dialogue.port = port
            dialogue.clock = 0
            for step in ["c:S", "s:S.", "c:."] { dialogue.play(step) }
        }
        dialogue.harness.idle(until: 3000)
        dialogue.clock = 3000
        for port in UInt16(1)...50 {
            dialogue.port = port
            dialogue.play("s:R")
        }
        dialogue.clock = 3012
        for port in UInt16(1001)...1050 {
            dialogue.port = port
            #expect(dialogue.play("c:S").verdict == .forward)
        }
    }

    @Test(
        "a SYN on a connection in TIME_WAIT or CLOSE begins a new one at once",
        arguments: ["c:F. s:. s:F. c:.", "s:R"]
    )
    func reuse(ending: String) {
        var dialogue = Dialogue()
        for step in "c:S s:S. c:. \(ending)".split(separator: " ") { dialogue.play(String(step)) }
        let before = dialogue.harness.flows
        dialogue.clock += 5
        let again = dialogue.client(.syn)
        #expect(again.summary == "forward - new")
        let after = dialogue.harness.flows
        #expect(after.count == 1 && after.first?.state == .synSent)
        #expect(after.first?.identifier != before.first?.identifier)
        #expect(after.first?.counts.originalPackets == 1 && after.first?.counts.replyPackets == 0)
        #expect(dialogue.server([.syn, .ack]).summary == "forward - reply")
    }

    @Test("a SYN on an open connection goes to the same backend and changes nothing")
    func synOnEstablished() {
        var dialogue = Dialogue()
        for step in ["c:S", "s:S.", "c:."] { dialogue.play(step) }
        let deadline = dialogue.harness.flows.first?.deadline
        dialogue.clock = 5
        let treatment = dialogue.client(.syn)
        #expect(treatment.verdict == .forward)
        #expect(dialogue.state == .established && dialogue.harness.flows.first?.deadline == deadline)
    }

    @Test("what does not fit the state is translated all the same, and prolongs nothing")
    func invalid() {
        var dialogue = Dialogue()
        dialogue.play("c:S")
        let deadline = dialogue.harness.flows.first?.deadline
        dialogue.clock = 5
        let treatment = dialogue.client(.ack)
        #expect(treatment.summary == "forward - invalid")
        #expect(issues(in: treatment.only, .to(W.backend, port: 8080), .validChecksums) == [])
        #expect(dialogue.state == .synSent && dialogue.harness.flows.first?.deadline == deadline)
    }

    @Test("UDP lives 30 s without a reply and 120 s with one, refreshed from both sides")
    func udpTimeouts() {
        func exchange(_ steps: [(isClient: Bool, at: Double)]) -> [String] {
            let harness = DatapathHarness()
            return steps.map { step in
                let bytes =
                    step.isClient ? udp(W.client, 40000, to: W.vip, 53) : udp(W.backend, 5353, to: W.client, 40000)
                return harness.send(bytes, at: step.at).summary
            }
        }
        let new = "forward - new"
        let reply = "forward - reply"
        #expect(exchange([(true, 0), (true, 29), (false, 58)]) == [new, new, reply])
        #expect(exchange([(true, 0), (false, 30)]) == [new, "pass - new"])
        #expect(
            exchange([(true, 0), (false, 1), (false, 120.5), (true, 240)]) == [
                new, reply, reply, "forward - established",
            ]
        )
        #expect(exchange([(true, 0), (false, 1), (true, 121.5)]) == [new, reply, new])
    }

    @Test("a ping and its reply are one flow for 60 s")
    func ping() {
        let harness = DatapathHarness()
        #expect(harness.send(echo(W.client, to: W.outside)).summary == "pass - new")
        #expect(harness.send(echo(W.outside, to: W.client, .echoReply), at: 59).summary == "pass - reply")
        #expect(harness.send(echo(W.client, to: W.outside), at: 118).summary == "pass - established")
        #expect(harness.send(echo(W.client, to: W.outside), at: 178.5).summary == "pass - new")
        #expect(harness.flows.count == 1)
    }

    @Test("timeouts are what the configuration says")
    func settings() {
        var world = World()
        world.configuration.timeouts.udp = 2 * Timeouts.second
        let harness = DatapathHarness(world)
        harness.send(udp(W.client, 40000, to: W.vip, 53))
        #expect(harness.send(udp(W.client, 40000, to: W.vip, 53), at: 1.9).packet.flow == 1)
        #expect(harness.send(udp(W.client, 40000, to: W.vip, 53), at: 4).packet.flow == 2)
    }

    @Test("clocks that jump by months clear the table, and new flows are as any")
    func jump() {
        let harness = DatapathHarness()
        for port in UInt16(1)...200 { harness.send(tcp(W.client, port, to: W.vip, 80)) }
        let treatment = harness.send(tcp(W.client, 1, to: W.vip, 80), at: 200 * 86400)
        #expect(treatment.summary == "forward - new" && treatment.packet.flow == 201)
        harness.idle(until: 200 * 86400 + 1)
        #expect(harness.flows.count == 1)
    }

    @Test("packets and bytes are counted by direction")
    func counts() {
        var dialogue = Dialogue()
        for step in ["c:S", "s:S.", "c:.", "c:P."] { dialogue.play(step) }
        let flow = dialogue.harness.flows.first
        #expect(flow?.counts.originalPackets == 3 && flow?.counts.originalBytes == 130)
        #expect(flow?.counts.replyPackets == 1 && flow?.counts.replyBytes == 40)
    }
}

@Suite("What is not sent changes nothing")
struct UnsentTests {
    typealias W = World

    @Test("a SYN that ends here does not end the flow whose place it would take")
    func reuseThatFails() {
        let harness = DatapathHarness()
        harness.send(tcp(W.client, 40000, to: W.vip, 80, .syn))
        harness.send(tcp(W.backend, 8080, to: W.client, 40000, [.syn, .ack]))
        harness.send(tcp(W.client, 40000, to: W.vip, 80, .rst), at: 1)
        var expiring = PacketBuilder(from: W.client, to: W.vip)
        expiring.timeToLive = 1
        #expect(harness.send(expiring.tcp(40000, 80, flags: .syn), at: 2).reason == .ttlExpired)
        let late = harness.send(tcp(W.backend, 8080, to: W.client, 40000, .ack), at: 3)
        #expect(late.verdict == .forward, "the old flow is still translated")
        let again = harness.send(tcp(W.client, 40000, to: W.vip, 80, .syn), at: 4)
        #expect(again.packet.conntrack == .new)
        #expect(again.packet.translated.sourcePort == 40000, "the flow that goes is no clash")
        #expect(harness.flows.count == 1)
    }

    @Test("an ICMP error to another than the sender of what it quotes is unrelated")
    func errorToSomebodyElse() {
        let harness = DatapathHarness()
        let sent = udp(W.client, 1000, to: W.outside, 2000)
        harness.send(sent)
        let stray = harness.send(icmpError(W.router, to: IPv4Address(10, 244, 2, 77), about: sent))
        #expect(stray.reason == .icmpUnrelated)
        #expect(stray.sent.isEmpty)
    }

    /// The kernel calls such a RST INVALID and passes it on.
    @Test("a RST of no connection opens none, and is in nobody's way", arguments: [false, true])
    func loneReset(strict: Bool) {
        var world = World()
        world.configuration.strict = strict
        world.configuration.conntrackCapacity = 2
        let harness = DatapathHarness(world)
        for flags in [TCPFlags.rst, [.rst, .ack]] {
            let input = tcp(W.backend, 8080, to: W.client, 40000, flags)
            let treatment = harness.send(input)
            #expect(treatment.summary == "pass - untracked" && treatment.packet.flow == 0)
            #expect(issues(in: treatment.only, .unchanged(since: input), .timeToLive(63), .validChecksums) == [])
            #expect(harness.send(tcp(W.client, 40000, to: W.vip, 80, flags)).reason == .conntrackNoState)
            #expect(harness.send(tcp(W.client, 40000, to: W.node, 1, flags)).verdict == .local)
        }
        #expect(harness.flows.isEmpty)
        // Its receiver can connect to its sender, with the same ports, and through a Service as well.
        #expect(harness.send(tcp(W.client, 40000, to: W.backend, 8080)).summary == "pass - new")
        #expect(harness.send(tcp(W.backend, 8080, to: W.client, 40000, [.syn, .ack])).summary == "pass - reply")
        #expect(harness.send(tcp(W.client, 40000, to: W.backend, 8080, .ack)).summary == "pass - established")
        // Where a Service takes TCP in its middle, it is the choice of a backend that says where the RST goes.
        world.configuration.midstream = .pickup
        let picking = DatapathHarness(world)
        #expect(picking.send(tcp(W.client, 40000, to: W.vip, 80, .rst)).summary == "forward - new")
    }

    @Test(
        "what a stranger has sent keeps nobody from connecting to it, whatever it was",
        arguments: [TCPFlags.ack, [.syn, .ack], [.fin, .ack], [.psh, .ack]],
        [false, true]
    )
    func oneSided(flags: TCPFlags, strict: Bool) {
        for batchSize in [1, 64] {
            var world = World()
            world.configuration.strict = strict
            let harness = DatapathHarness(world, batchSize: batchSize)
            // The late word of a connection that nobody here remembers, and hours later one to its sender.
            let treatments = harness.send([
                Feed(tcp(W.backend, 8080, to: W.client, 40000, flags)),
                Feed(tcp(W.client, 40000, to: W.backend, 8080), at: 50),
                Feed(tcp(W.backend, 8080, to: W.client, 40000, [.syn, .ack]), at: 50),
                Feed(tcp(W.client, 40000, to: W.backend, 8080, .ack), at: 50),
                // Once both sides were seen it is a connection, which a SYN of the far end does not end.
                Feed(tcp(W.backend, 8080, to: W.client, 40000), at: 51),
                Feed(tcp(W.client, 40000, to: W.backend, 8080, [.psh, .ack], payload: [1]), at: 52),
            ])
            let invalid = strict ? "drop ct.invalid invalid" : "pass - invalid"
            #expect(
                treatments.map(\.summary) == [
                    "pass - new", "pass - new", "pass - reply", "pass - established", invalid, "pass - established",
                ]
            )
            #expect(harness.flows.map(\.original.source) == [W.client] && harness.flows.map(\.state) == [.established])
            #expect(harness.areClassesRight && harness.pipeline.counters.flowsReplaced == 1)
        }
    }

    @Test("a RST of no connection passes in fragments")
    func loneResetInFragments() {
        var builder = PacketBuilder(from: W.outside, to: W.client)
        builder.identification = 9
        let segment = Array(
            tcp(W.outside, 80, to: W.client, 40000, .rst, payload: [UInt8](repeating: 1, count: 500))[20...]
        )
        for isReversed in [false, true] {
            let harness = DatapathHarness()
            var parts = builder.fragments(.tcp, payload: segment, size: 200)
            if isReversed { parts.reverse() }
            let treatments = harness.send(parts.map { Feed($0) })
            #expect(reassemble(treatments.flatMap(\.sent).map(\.bytes))?.count == 20 + segment.count)
            #expect(harness.flows.isEmpty && harness.accountingIssues == [])
        }
    }
}
