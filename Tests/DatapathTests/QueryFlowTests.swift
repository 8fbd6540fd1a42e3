import Datapath
import TestSupport
import Testing
import Wire

/// ICMP queries: one identifier may be in use by both sides, and an answer needs its question.
@Suite("ICMP queries and their answers")
struct QueryFlowTests {
    typealias W = World

    @Test("pings in both directions with one identifier are two flows", arguments: [UInt16(0), 1, 77, 0xfffe, 0xffff])
    func bothDirections(identifier: UInt16) {
        for batchSize in [1, 64] {
            let harness = DatapathHarness(batchSize: batchSize)
            let treatments = harness.send([
                Feed(echo(W.client, to: W.outside, identifier: identifier)),
                Feed(echo(W.outside, to: W.client, identifier: identifier)),
                Feed(echo(W.outside, to: W.client, .echoReply, identifier: identifier)),
                Feed(echo(W.client, to: W.outside, .echoReply, identifier: identifier)),
                Feed(echo(W.client, to: W.outside, identifier: identifier)),
                Feed(echo(W.outside, to: W.client, identifier: identifier)),
            ])
            #expect(
                treatments.map(\.summary) == [
                    "pass - new", "pass - new", "pass - reply", "pass - reply", "pass - established",
                    "pass - established",
                ]
            )
            #expect(treatments.map(\.packet.flow) == [1, 2, 1, 2, 1, 2])
            #expect(harness.flows.count == 2 && harness.sharedTuples == [])
            #expect(harness.flows.map(\.counts.originalPackets) == [2, 2])
            #expect(harness.flows.map(\.counts.replyPackets) == [1, 1])
        }
    }

    @Test("identifiers side by side are flows of their own, and none answers another")
    func neighbours() {
        let harness = DatapathHarness()
        for identifier in UInt16(10)..<20 {
            #expect(harness.send(echo(W.client, to: W.outside, identifier: identifier)).packet.conntrack == .new)
        }
        for identifier in UInt16(10)..<20 {
            let reply = harness.send(echo(W.outside, to: W.client, .echoReply, identifier: identifier))
            #expect(reply.packet.conntrack == .reply && reply.packet.flow == UInt64(identifier) - 9)
        }
        #expect(harness.flows.count == 10)
    }

    @Test("an answer without a question is plain traffic, and opens no flow")
    func unasked() {
        let harness = DatapathHarness()
        for type in [ICMPv4Type.echoReply, ICMPv4Type(rawValue: 14)] {
            let input = echo(W.outside, to: W.client, type)
            let treatment = harness.send(input)
            #expect(treatment.summary == "pass - untracked" && treatment.packet.flow == 0)
            #expect(issues(in: treatment.only, .unchanged(since: input), .timeToLive(63), .validChecksums) == [])
        }
        #expect(harness.flows.isEmpty)
        // Nor does it become the answer of a question that comes later from its sender.
        #expect(harness.send(echo(W.outside, to: W.client)).summary == "pass - new")
        #expect(harness.send(echo(W.client, to: W.outside, .echoReply)).summary == "pass - reply")
    }

    @Test("an answer that nobody has asked for, in fragments, passes in any order")
    func unaskedFragments() {
        var builder = PacketBuilder(from: W.outside, to: W.client)
        builder.identification = 9
        let message = Array(
            echo(W.outside, to: W.client, .echoReply, payload: [UInt8](repeating: 1, count: 592))[20...]
        )
        for isReversed in [false, true] {
            let harness = DatapathHarness()
            var parts = builder.fragments(.icmp, payload: message, size: 200)
            if isReversed { parts.reverse() }
            let treatments = harness.send(parts.map { Feed($0) })
            #expect(reassemble(treatments.flatMap(\.sent).map(\.bytes))?.count == 20 + message.count)
            #expect(harness.flows.isEmpty && harness.accountingIssues == [])
        }
    }

    @Test("an answer to a Service's address or to the node is no question")
    func answersToServices() {
        let harness = DatapathHarness()
        #expect(harness.send(echo(W.client, to: W.vip, .echoReply)).reason == .noService)
        #expect(harness.send(echo(W.outside, to: W.node, .echoReply)).verdict == .local)
        #expect(harness.flows.isEmpty)
    }

    @Test("an error about a question, and one about its answer, go to whoever sent that")
    func errors() {
        let harness = DatapathHarness()
        guard let question = harness.send(echo(W.client, to: W.outside)).only?.bytes,
            let answer = harness.send(echo(W.outside, to: W.client, .echoReply)).only?.bytes
        else {
            Issue.record("nothing was sent")
            return
        }
        for (about, sender) in [(question, W.client), (answer, W.outside)] {
            let error = harness.send(icmpError(W.router, to: sender, about: about))
            #expect(error.summary == "pass - related" && error.packet.flow == 1)
            #expect(issues(in: error.only, .to(sender), .quote(Array(about.prefix(28))), .validChecksums) == [])
        }
        // The other way round nobody has sent it.
        let stray = harness.send(icmpError(W.router, to: W.client, about: echo(W.client, to: W.outside, .echoReply)))
        #expect(stray.packet.conntrack == .untracked && stray.packet.flow == 0)
    }
}
