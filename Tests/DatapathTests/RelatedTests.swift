import Datapath
import TestSupport
import Testing
import Wire

@Suite("ICMP errors about tracked flows")
struct RelatedTests {
    typealias W = World

    /// A flow, as its packets are seen on either side of the datapath.
    struct Conversation: Sendable, CustomTestStringConvertible {
        var name: String
        var asked: [UInt8]
        var ingress: UInt16?
        var testDescription: String { name }
    }

    static let conversations = [
        Conversation(name: "ClusterIP, TCP", asked: tcp(W.client, 40000, to: W.vip, 80, payload: [1, 2, 3])),
        Conversation(name: "ClusterIP, UDP", asked: udp(W.client, 40000, to: W.vip, 53)),
        Conversation(name: "UDP without checksum", asked: udp(W.client, 40000, to: W.vip, 53, checksum: false)),
        Conversation(name: "NodePort, masqueraded", asked: tcp(W.outside, 40000, to: W.node, 30080)),
        Conversation(name: "hairpin", asked: tcp(W.backend, 40000, to: W.vip, 80)),
        Conversation(name: "direct", asked: udp(W.client, 40000, to: W.backend, 9)),
        Conversation(name: "ping", asked: echo(W.client, to: W.outside)),
        Conversation(
            name: "with IP options",
            asked: udp(W.client, 40000, to: W.vip, 53) { $0.options = [148, 4, 0, 0] }
        ),
    ]

    /// Bytes of the packet that its sender knows, as a quote would show them when `sent` was quoted.
    private func quoted(_ packet: [UInt8], as sent: [UInt8], count: Int) -> [UInt8] {
        // TTL and both checksums follow the quoted copy; the rest is the sender's own packet.
        Array(changed(packet) { $0[8] = sent[8] }.prefix(count))
    }

    @Test(
        "an error about a packet as it was sent reaches its sender, about the packet that it had sent",
        arguments: conversations,
        [28, 32, 48, 500]
    )
    func towardsClient(conversation: Conversation, count: Int) {
        for (reporter, type, code, rest) in [
            (W.router, UInt8(3), UInt8(4), UInt32(1400)), (W.router, 11, 0, 0), (nil, 3, 3, 0),
            (W.router, 12, 0, 5 << 24),
        ] {
            let harness = DatapathHarness()
            guard let sent = harness.send(conversation.asked).only, let seen = Dissection(sent.bytes),
                let asked = Dissection(conversation.asked)
            else {
                Issue.record("nothing was sent")
                return
            }
            let needed = max(count, seen.headerLength + 8)
            let from = reporter ?? seen.destination
            let error = icmpError(
                from,
                to: seen.source,
                ICMPv4Type(rawValue: type),
                code: code,
                rest: rest,
                about: sent.bytes,
                count: needed
            )
            let treatment = harness.send(error)
            #expect(treatment.conntrack == .related)
            let isTranslated = sent.bytes.dropFirst(12).prefix(12) != conversation.asked.dropFirst(12).prefix(12)
            #expect(treatment.verdict == (isTranslated ? .forward : .pass))
            // The far end is known to the client by the address that it asked; a router keeps its own.
            let shown = reporter ?? asked.destination
            #expect(
                issues(
                    in: treatment.only,
                    .icmp(type, code: code),
                    .icmpRest(rest),
                    .from(shown),
                    .to(asked.source),
                    .validChecksums,
                    .timeToLive(63),
                    .quote(quoted(conversation.asked, as: sent.bytes, count: needed))
                ) == []
            )
        }
    }

    @Test(
        "an error of the client about a reply reaches the backend, about the reply that it had sent",
        arguments: conversations
    )
    func towardsBackend(conversation: Conversation) {
        let harness = DatapathHarness()
        guard let sent = harness.send(conversation.asked).only, let seen = Dissection(sent.bytes),
            let asked = Dissection(conversation.asked)
        else {
            Issue.record("nothing was sent")
            return
        }
        let answer: [UInt8]
        switch asked.transport {
        case 6: answer = tcp(seen.destination, seen.destinationPort, to: seen.source, seen.sourcePort, [.syn, .ack])
        case 17: answer = udp(seen.destination, seen.destinationPort, to: seen.source, seen.sourcePort)
        default: answer = echo(seen.destination, to: seen.source, .echoReply)
        }
        guard let reply = harness.send(answer).only else {
            Issue.record("no reply was sent")
            return
        }
        let error = icmpError(asked.source, to: asked.destination, code: 3, about: reply.bytes)
        // A hairpin client is the backend; its error comes from the pod that it is about.
        let treatment = harness.send(error)
        #expect(treatment.conntrack == .related)
        #expect(
            issues(
                in: treatment.only,
                .icmp(3, code: 3),
                .from(seen.source),
                .to(seen.destination),
                .validChecksums,
                .quote(quoted(answer, as: reply.bytes, count: 28))
            ) == []
        )
    }

    @Test("an error changes neither the state nor the time of its flow")
    func noEffect() {
        let harness = DatapathHarness()
        guard let sent = harness.send(udp(W.client, 40000, to: W.vip, 53)).only else { return }
        let before = harness.flows
        harness.send(icmpError(W.backend, to: W.client, code: 3, about: sent.bytes), at: 20)
        let after = harness.flows
        #expect(before.map(\.deadline) == after.map(\.deadline))
        #expect(before.map(\.state) == after.map(\.state))
        #expect(before.map(\.counts.originalPackets) == after.map(\.counts.originalPackets))
        #expect(harness.send(udp(W.client, 40000, to: W.vip, 53), at: 20).packet.backend.port == 5353)
    }

    @Test(
        "an error with a wrong ICMP checksum goes nowhere, whether other checksums are verified or not",
        arguments: [false, true]
    )
    func badChecksum(verifies: Bool) {
        var world = World()
        world.configuration.verifiesChecksums = verifies
        let harness = DatapathHarness(world)
        guard let sent = harness.send(udp(W.client, 40000, to: W.vip, 53)).only else {
            Issue.record("nothing was sent")
            return
        }
        var error = icmpError(W.router, to: W.client, about: sent.bytes)
        error[22] ^= 1
        let treatment = harness.send(error)
        #expect(treatment.reason == .checksumL4 && treatment.sent.isEmpty)
        var ping = echo(W.outside, to: W.node)
        ping[22] ^= 1
        #expect(harness.send(ping).reason == .checksumL4)
        #expect(harness.pipeline.counters.badChecksums == 2)
    }

    @Test("what is no Service's and belongs to no flow is plain traffic")
    func plain() {
        let sent = udp(W.client, 40000, to: W.outside, 53)
        let rows: [(String, [UInt8])] = [
            ("no such flow", icmpError(W.router, to: W.client, about: sent)),
            ("another protocol", icmpError(W.router, to: W.client, about: changed(sent) { $0[9] = 47 })),
            (
                "an unknown ICMP type inside",
                icmpError(W.router, to: W.client, about: echo(W.client, to: W.outside, ICMPv4Type(rawValue: 42)))
            ),
        ]
        for (name, input) in rows {
            let treatment = DatapathHarness().send(withLength(input))
            #expect(treatment.verdict == .pass, "\(name): \(treatment.summary)")
            #expect(treatment.packet.conntrack == .untracked, "\(name)")
            #expect(treatment.sent.count == 1, "\(name)")
        }
    }

    @Test("what cannot be related is dropped under its reason")
    func refused() {
        let asked = udp(W.client, 40000, to: W.vip, 53)
        let sent = udp(W.client, 40000, to: W.backend, 5353)
        let rows: [(String, [UInt8], DropReason)] = [
            ("the packet before translation", icmpError(W.router, to: W.client, about: asked), .icmpUnrelated),
            (
                "no such flow of a Service",
                icmpError(W.router, to: W.client, about: udp(W.client, 1, to: W.vip, 53)), .icmpUnrelated
            ),
            (
                "to a Service", icmpError(W.router, to: W.vip, about: udp(W.vip, 1, to: W.client, 2)),
                .icmpUnrelated
            ),
            ("nothing quoted", icmpError(W.router, to: W.client, about: sent, count: 0), .icmpInnerShort),
            ("a part of the IP header", icmpError(W.router, to: W.client, about: sent, count: 19), .icmpInnerShort),
            ("seven bytes behind it", icmpError(W.router, to: W.client, about: sent, count: 27), .icmpInnerShort),
            ("IHL 4 inside", icmpError(W.router, to: W.client, about: [0x44] + sent.dropFirst()), .icmpInnerShort),
            ("version 6 inside", icmpError(W.router, to: W.client, about: [0x65] + sent.dropFirst()), .icmpInnerShort),
            (
                "options that are not there", icmpError(W.router, to: W.client, about: [0x4f] + sent.dropFirst()),
                .icmpInnerShort
            ),
            (
                "a wrong inner checksum",
                icmpError(W.router, to: W.client, about: sent.prefix(10) + [1, 2] + sent.dropFirst(12)),
                .icmpInnerChecksum
            ),
            (
                "a later fragment inside", icmpError(W.router, to: W.client, about: changed(sent) { $0[7] = 1 }),
                .icmpInnerFragment
            ),
            (
                "an error inside",
                icmpError(W.router, to: W.client, about: icmpError(W.client, to: W.outside, about: sent)),
                .icmpErrorAboutError
            ),
            ("a redirect", icmpError(W.router, to: W.client, .redirect, about: sent), .icmpRedirect),
            ("source quench", icmpError(W.router, to: W.client, .sourceQuench, code: 0, about: sent), .icmpUnsupported),
            (
                "in fragments",
                changed(icmpError(W.router, to: W.client, about: sent, count: 28)) { $0[6] = 0x20 }.dropLast(4) + [],
                .icmpUnsupported
            ),
        ]
        for (name, input, reason) in rows {
            let harness = DatapathHarness()
            harness.send(asked)
            let bytes = withLength(input)
            let treatment = harness.send(bytes)
            #expect(treatment.verdict == .drop, "\(name)")
            #expect(treatment.reason == reason, "\(name)")
            #expect(treatment.sent.isEmpty, "\(name)")
        }
    }

    /// A packet whose total length says how long it is.
    private func withLength(_ bytes: [UInt8]) -> [UInt8] {
        changed(bytes) {
            $0[2] = UInt8($0.count / 256)
            $0[3] = UInt8($0.count % 256)
        }
    }
}
