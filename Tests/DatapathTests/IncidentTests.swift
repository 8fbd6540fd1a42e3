import Datapath
import TestSupport
import Testing
import Wire

/// What went wrong in other datapaths with TCP and with full tables: a test for each, named after where it was reported.
@Suite("Incidents of other datapaths")
struct IncidentTests {
    typealias W = World
    private static let opening = "c:S s:S. c:."

    @Test(
        "data outside of the window is translated or dropped, never passed on as it is (kubernetes 74839, 117924, 119887)"
    )
    func outOfWindow() {
        for strict in [false, true] {
            var world = World()
            world.configuration.strict = strict
            var dialogue = Dialogue(world)
            dialogue.play(all: Self.opening)
            for line in ["s P. 900000(100) ack 1", "c P. 900000(100) ack 1", "s P. 3000000000(100) ack 1"] {
                let treatment = dialogue.line(line)
                #expect(treatment.summary == (strict ? "drop ct.invalid invalid" : "forward - invalid"))
                let isReply = line.hasPrefix("s")
                let place = isReply ? PacketCheck.from(W.vip, port: 80) : .to(W.backend, port: 8080)
                if !strict { #expect(issues(in: treatment.only, place, .validChecksums) == []) }
                #expect(treatment.sent.count == (strict ? 0 : 1))
            }
            #expect(dialogue.play("c:P.").summary == "forward - established")
            #expect(dialogue.play("s:P.").summary == "forward - reply")
        }
    }

    @Test("that there is no such Service is not remembered (kubernetes 48719, 101607)")
    func noServiceIsNotRemembered() {
        let harness = DatapathHarness()
        #expect(harness.send(tcp(W.client, 40000, to: W.vip, 99)).reason == .noService)
        #expect(harness.flows.isEmpty)
        var rules = World().rules
        rules.frontends.append(.init(kind: .clusterIP, address: W.vip, port: 99, transport: .tcp, servicePort: 0))
        harness.reload(rules)
        let again = harness.send(tcp(W.client, 40000, to: W.vip, 99), at: 1)
        #expect(again.summary == "forward - new" && again.packet.backend.address == W.backend)
    }

    @Test("a full table keeps the operator's own connection (kubernetes 18604, felix 617)")
    func fullTable() {
        var world = World()
        world.configuration.conntrackCapacity = 100
        world.configuration.halfOpenPerSource = 100
        var dialogue = Dialogue(world)
        dialogue.play(all: Self.opening)
        for port in 0..<1000 {
            dialogue.harness.send(udp(W.outside, UInt16(1000 + port), to: W.node, 30053), at: 1)
            dialogue.harness.send(tcp(W.outside, UInt16(1000 + port), to: W.node, 30080), at: 1)
        }
        dialogue.clock = 2
        #expect(dialogue.play("c:P.").packet.flow == 1 && dialogue.play("s:.").packet.flow == 1)
        #expect(dialogue.harness.flows.count == 100)
    }

    @Test("a SYN alone lives for a minute, and no idle connection goes for it (cilium 3232, 3239, 5048)")
    func synOnly() {
        var world = World()
        world.configuration.conntrackCapacity = 64
        var dialogue = Dialogue(world)
        dialogue.play(all: Self.opening)
        // Idle for ten hours; then more SYNs than the table has room for.
        for port in 0..<640 {
            let source = IPv4Address(bits: W.outOfRange.bits + UInt32(port % 64))
            dialogue.harness.send(tcp(source, UInt16(1000 + port), to: W.node, 30080), at: 36000)
        }
        #expect(dialogue.harness.flows.count == 64)
        dialogue.clock = 36061
        #expect(dialogue.play("c:P.").packet.flow == 1)
        dialogue.harness.idle(until: 36062)
        #expect(dialogue.harness.flows.map(\.identifier) == [1])
    }

    @Test(
        "a RST or a FIN of one side neither keeps a connection for hours nor ends it early (cilium 11742, 29075, 33907)",
        arguments: [("c:R", 10.0), ("s:R", 10), ("c:F.", 120), ("s:F.", 120), ("c:F. s:. s:F.", 30)]
    )
    func oneSide(ending: String, seconds: Double) {
        for (late, isThere) in [(-1.0, true), (1.0, false)] {
            var dialogue = Dialogue()
            dialogue.play(all: Self.opening)
            dialogue.play(all: ending)
            dialogue.clock = seconds + late
            #expect(dialogue.play("s:.").packet.flow == (isThere ? 1 : 2))
        }
    }

    @Test("a half-closed connection may go on for long, and goes when it is idle (kubernetes 32551, 97377, 106713)")
    func halfClose() {
        var dialogue = Dialogue()
        dialogue.play(all: Self.opening + " c:F. s:.")
        for minute in 1...10 {
            dialogue.clock = Double(minute) * 60
            #expect(dialogue.play("s:P.").summary == "forward - reply")
            #expect(dialogue.play("c:.").summary == "forward - established")
        }
        #expect(dialogue.state == .closeWait)
        dialogue.harness.idle(until: 600 + 3599)
        #expect(dialogue.harness.flows.count == 1)
        dialogue.harness.idle(until: 600 + 3601)
        #expect(dialogue.harness.flows.isEmpty)
        // And the time can be set.
        var world = World()
        world.configuration.timeouts.tcpCloseWait = 60 * Timeouts.second
        var brief = Dialogue(world)
        brief.play(all: Self.opening + " c:F. s:.")
        brief.harness.idle(until: 61)
        #expect(brief.harness.flows.isEmpty)
    }

    @Test(
        "few ports in quick succession: no SYN on a connection in TIME_WAIT is lost (kubernetes 81775, 90854, moby 35082)"
    )
    func reuse() {
        var dialogue = Dialogue()
        for round in 0..<20 {
            for port in UInt16(1000)..<1016 {
                dialogue.port = port
                dialogue.clock += 0.01
                let syn = dialogue.play("c:S")
                #expect(syn.summary == "forward - new", "round \(round)")
                #expect(syn.packet.flow == UInt64(round * 16 + Int(port) - 999))
                dialogue.play(all: "s:S. c:. c:P. s:P. s:F. c:. c:F. s:.")
                #expect(dialogue.harness.flows.first { $0.original.sourcePort == port }?.state == .timeWait)
            }
        }
        #expect(dialogue.harness.flows.count == 16 && dialogue.harness.pipeline.counters.flowsReplaced == 304)
        #expect(dialogue.harness.areClassesRight && dialogue.harness.sharedTuples == [])
    }

    @Test("a connection that is opened anew keeps nothing of the last one (cilium 13340, 19451, 28597, 32472, 32653)")
    func nothingIsKept() {
        /// A world whose only backend of the Service is the other one.
        func rules(_ identifier: UInt32) -> ServiceSpecification {
            var rules = World().rules
            let backend = Backend(address: W.otherBackend, port: 9090, isLocal: true)
            for place in rules.servicePorts.indices where rules.servicePorts[place].name == "default/web:http" {
                rules.servicePorts[place] = .init(
                    identifier: identifier,
                    name: "default/web:http",
                    cluster: [backend],
                    local: [backend],
                    hasAny: true
                )
            }
            return rules
        }
        let syn = PacketBuilder(from: W.outside, to: W.node)
            .tcp(40000, 30080, flags: .syn, sequence: 77, window: 500, tcpOptions: [3, 3, 2, 1])
        var used = Dialogue()
        used.play(all: Self.opening)
        let harness = used.harness
        harness.send(tcp(W.outside, 40000, to: W.node, 30080) { $0.identification = 1 })
        harness.send(tcp(W.backend, 8080, to: W.node, 40000, [.syn, .ack]))
        harness.send(tcp(W.outside, 40000, to: W.node, 30080, .ack))
        // A SYN that was let through leaves notes, which must not outlive the connection either.
        harness.send(tcp(W.outside, 40000, to: W.node, 30080))
        harness.send(tcp(W.outside, 40000, to: W.node, 30080, .rst))
        harness.reload(rules(77))
        let again = harness.send(syn, at: 5)
        #expect(again.summary == "forward - new" && again.packet.backend.address == W.otherBackend)

        var world = World()
        world.rules = rules(77)
        let fresh = DatapathHarness(world)
        fresh.send(syn, at: 5)
        guard let old = harness.flows.last, let new = fresh.flows.last else {
            Issue.record("there is no flow")
            return
        }
        #expect(old.original == new.original && old.reply == new.reply && old.backend == new.backend)
        #expect(old.state == new.state && old.flags == new.flags && old.deadline == new.deadline)
        #expect(old.service == 77 && new.service == 77 && old.frontend == new.frontend)
        #expect(old.egress(.original) == new.egress(.original) && old.egress(.reply) == new.egress(.reply))
        #expect(old.side(.original) == new.side(.original) && old.side(.reply) == new.side(.reply))
        #expect(old.counts == new.counts && old.windows == new.windows)
        #expect(old.identifier == 3)
    }

    @Test("many connections from few ports: nothing reaches the client untranslated (cilium 23126)", arguments: 0..<4)
    func reuseStorm(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var world = World()
        world.configuration.seed = UInt64(seed + 1)
        var dialogue = Dialogue(world)
        let endings = ["c:F. s:. s:F. c:.", "s:F. c:F. s:.", "c:R", "s:R", "c:F. s:F. c:. s:.", "c:F. s:. s:F. c:R"]
        var wrong = 0
        var refused = 0
        for _ in 0..<1500 {
            dialogue.port = UInt16(2000 + generator.pick(0..<50))
            dialogue.clock += Double(generator.pick(0..<40)) / 10
            dialogue.base = (client: generator.word(), server: generator.word())
            if dialogue.play("c:S").verdict != .forward { refused += 1 }
            for step in "s:S. c:. c:P. s:P. \(generator.pick(endings))".split(separator: " ") {
                let treatment = dialogue.play(String(step))
                let place = step.hasPrefix("s") ? PacketCheck.from(W.vip, port: 80) : .to(W.backend, port: 8080)
                if issues(in: treatment.only, place, .validChecksums) != [] { wrong += 1 }
            }
        }
        #expect(wrong == 0 && refused == 0)
        #expect(dialogue.harness.areClassesRight && dialogue.harness.accountingIssues == [])
    }
}
