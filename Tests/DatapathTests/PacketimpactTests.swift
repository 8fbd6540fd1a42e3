import Datapath
import TestSupport
import Testing
import Wire

/// What gVisor's packetimpact tests, and those of its reassembly, ask of an end, seen from the middle; each test has the
/// name of its model.
@Suite("Conversations after gVisor's packetimpact tests")
struct PacketimpactTests {
    typealias W = World
    private typealias Rows = [(line: String, expected: String)]

    private static let opening: Rows = [
        ("c S 0(0) win 64240", "new SYN_SENT"), ("s S. 0(0) ack 1 win 64240", "reply SYN_RECV"),
        ("c . 1(0) ack 1 win 64240", "established ESTABLISHED"),
    ]

    private func expect(_ name: String, _ rows: Rows) {
        let table = ConversationTable(name, Self.opening + rows)
        for strict in [false, true] { #expect(table.issues(strict: strict) == [], "\(name), strict: \(strict)") }
    }

    /// What lies outside of the window is answered by an ACK, which passes, and the connection goes on.
    @Test("tcp_outside_the_window")
    func outsideTheWindow() {
        expect(
            "outside of the window",
            [
                ("c S 200000(0)", "established ESTABLISHED"), ("s . 1(0) ack 1", "reply ESTABLISHED"),
                ("c S. 200000(0) ack 1", "invalid ESTABLISHED"), ("s . 1(0) ack 1", "reply ESTABLISHED"),
                ("c . 200000(0) ack 1", "invalid ESTABLISHED"), ("s . 1(0) ack 1", "reply ESTABLISHED"),
                ("c F. 200000(0) ack 1", "invalid ESTABLISHED"), ("s . 1(0) ack 1", "reply ESTABLISHED"),
                ("c P. 200000(10) ack 1", "invalid ESTABLISHED"), ("s . 1(0) ack 1", "reply ESTABLISHED"),
                ("c P. 1(10) ack 1", "established ESTABLISHED"), ("s . 1(0) ack 11", "reply ESTABLISHED"),
            ]
        )
    }

    /// The same while both sides have sent a FIN: nothing of it ends the wait for the last ACK.
    @Test("tcp_outside_the_window_closing")
    func outsideTheWindowClosing() {
        expect(
            "outside of the window while closing",
            [
                ("c F. 1(0) ack 1", "established FIN_WAIT"), ("s F. 1(0) ack 1", "reply LAST_ACK"),
                ("c . 200000(0) ack 2", "invalid LAST_ACK"), ("c P. 200000(10) ack 2", "invalid LAST_ACK"),
                ("c . 2(0) ack 200000", "invalid LAST_ACK"), ("s . 2(0) ack 2", "reply TIME_WAIT"),
                ("c . 2(0) ack 2", "established TIME_WAIT"),
            ]
        )
    }

    /// A RST ends TIME_WAIT; what comes after it is refused by the end itself, and the ports are free at once.
    @Test("tcp_timewait_reset")
    func timeWaitReset() {
        expect(
            "RST in TIME_WAIT",
            [
                ("c F. 1(0) ack 1", "established FIN_WAIT"), ("s F. 1(0) ack 2", "reply LAST_ACK"),
                ("c . 2(0) ack 2", "established TIME_WAIT"), ("c R 2(0)", "established CLOSE"),
                ("c . 2(0) ack 2", "established CLOSE"), ("s R 2(0)", "reply CLOSE"),
                ("c S 7000(0) win 64240", "new SYN_SENT"), ("s S. 90000(0) ack 7001", "reply SYN_RECV"),
            ]
        )
    }

    /// An error reaches the socket that it is about, whatever it says, and the socket works on.
    @Test(
        "udp_icmp_error_propagation",
        arguments: [
            (ICMPv4Type.destinationUnreachable, UInt8(3)), (.destinationUnreachable, 1), (.timeExceeded, 0),
            (.timeExceeded, 1),
        ]
    )
    func udpErrorPropagation(type: ICMPv4Type, code: UInt8) {
        for isAnswered in [false, true] {
            let harness = DatapathHarness()
            let asked = harness.send(udp(W.client, 40000, to: W.vip, 53))
            if isAnswered { harness.send(udp(W.backend, 5353, to: W.client, 40000)) }
            guard let sent = asked.only?.bytes else {
                Issue.record("nothing was sent")
                return
            }
            let before = harness.flows
            let error = harness.send(icmpError(W.backend, to: W.client, type, code: code, about: sent), at: 20)
            #expect(error.summary == "forward - related")
            let quote = Array(udp(W.client, 40000, to: W.vip, 53) { $0.timeToLive = 63 }.prefix(28))
            let found = issues(
                in: error.only,
                .icmp(type.rawValue, code: code),
                .from(W.vip),
                .to(W.client),
                .quote(quote),
                .validChecksums
            )
            #expect(found == [])
            #expect(harness.flows.map(\.deadline) == before.map(\.deadline))
            let next = harness.send(udp(W.client, 40000, to: W.vip, 53), at: 21)
            #expect(next.packet.flow == asked.packet.flow && next.packet.backend == asked.packet.backend)
        }
    }

    /// The fragments of an echo request, by the first byte and the number of bytes; the last one ends the datagram.
    private func echoFragments(_ pieces: [(offset: Int, count: Int)], of length: Int) -> [[UInt8]] {
        let whole = Array(
            echo(W.client, to: W.outside, payload: [UInt8](repeating: 0x5a, count: length - 8)).dropFirst(20)
        )
        return pieces.map { piece in
            var builder = PacketBuilder(from: W.client, to: W.outside)
            builder.identification = 5
            let isLast = piece.offset + piece.count == length
            builder.flagsAndOffset = UInt16(piece.offset / 8) | (isLast ? 0 : FragmentField.moreFragmentsBit)
            return builder.packet(.icmp, payload: Array(whole[piece.offset..<piece.offset + piece.count]))
        }
    }

    private func expectFragments(
        _ pieces: [(offset: Int, count: Int)],
        _ expected: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for batchSize in [1, 64] {
            let harness = DatapathHarness(batchSize: batchSize)
            let treatments = harness.send(echoFragments(pieces, of: 2000).map { Feed($0) })
            #expect(treatments.map(\.summary) == expected, sourceLocation: sourceLocation)
            let isWhole = expected.allSatisfy { !$0.hasPrefix("drop") } && expected.contains { $0.hasPrefix("pass") }
            // A copy of a fragment leaves as one more; the receiver needs it once.
            var sent: [[UInt8]] = []
            for bytes in treatments.flatMap(\.sent).map(\.bytes) where !sent.contains(bytes) { sent.append(bytes) }
            let put = reassemble(sent)
            #expect((put?.count == 2020) == isWhole, sourceLocation: sourceLocation)
            #expect(harness.accountingIssues == [], sourceLocation: sourceLocation)
        }
    }

    /// In order, out of order, and with a hole.
    @Test("ipv4_fragment_reassembly")
    func fragmentReassembly() {
        expectFragments([(0, 1000), (1000, 1000)], ["pass - new", "pass - new"])
        expectFragments([(1000, 1000), (0, 1000)], ["hold - untracked", "pass - new"])
        // What comes after the hole waits for nothing: the receiver is the one who puts together.
        let harness = DatapathHarness()
        let treatments = harness.send(echoFragments([(0, 800), (1200, 800)], of: 2000).map { Feed($0) })
        #expect(treatments.map(\.verdict) == [.pass, .pass] && treatments.allSatisfy { $0.sent.count == 1 })
    }

    @Test("ip_reassembly: basic, duplicate, out of order")
    func reassembly() {
        expectFragments([(0, 800), (800, 800), (1600, 400)], ["pass - new", "pass - new", "pass - new"])
        expectFragments(
            [(0, 800), (800, 800), (800, 800), (1600, 400)],
            ["pass - new", "pass - new", "pass - new", "pass - new"]
        )
        expectFragments([(1600, 400), (800, 800), (0, 800)], ["hold - untracked", "hold - untracked", "pass - new"])
    }

    /// RFC 5722 for IPv6, and what Linux does for IPv4 since 4.19: a datagram whose fragments overlap is dropped.
    @Test("ip_reassembly: overlap, subset")
    func overlaps() {
        let drop = "drop frag.overlap"
        for second in [(offset: 400, count: 800), (offset: 80, count: 160)] {
            let harness = DatapathHarness()
            let pieces = [(offset: 0, count: 800), second, (offset: 800, count: 1200)]
            let treatments = harness.send(echoFragments(pieces, of: 2000).map { Feed($0) })
            #expect(treatments.map { "\($0.verdict.word) \($0.reason.id)" } == ["pass ", drop, drop])
            #expect(harness.accountingIssues == [])
        }
    }

    /// Options are walked over: the ports stand behind them, and they stay as they are.
    @Test(
        "udp_ipoptions",
        arguments: [[1, 1, 1, 0], [148, 4, 0, 0], [7, 7, 4, 0, 0, 0, 0, 0], [1, 148, 4, 0, 0, 0, 0, 0]]
    )
    func options(options: [UInt8]) {
        let harness = DatapathHarness()
        let input = udp(W.client, 40000, to: W.vip, 53) { $0.options = options }
        let sent = harness.send(input)
        #expect(sent.summary == "forward - new")
        let found = issues(
            in: sent.only,
            .from(W.client, port: 40000),
            .to(W.backend, port: 5353),
            .options(options),
            .unchanged(since: input),
            .validChecksums
        )
        #expect(found == [])
        let broken = udp(W.client, 40000, to: W.vip, 53) { $0.options = [148, 9, 0, 0] }
        #expect(harness.send(broken).summary.hasPrefix("drop malformed.ipopt"))
    }

    @Test("syn_with_same_ip")
    func sameAddress() {
        for address in [W.client, W.vip, W.node, W.outside] {
            let harness = DatapathHarness()
            #expect(harness.send(tcp(address, 80, to: address, 80)).reason == .land)
            #expect(harness.send(tcp(address, 81, to: address, 80)).reason == .land)
            #expect(harness.flows.isEmpty)
        }
    }

    @Test("udp_discard_mcast_source_addr")
    func multicastSource() {
        for source in [
            IPv4Address(224, 0, 0, 1), IPv4Address(224, 0, 1, 42), IPv4Address(232, 0, 1, 42),
            IPv4Address(239, 255, 255, 255), IPv4Address(255, 255, 255, 255),
        ] {
            let harness = DatapathHarness()
            let treatment = harness.send(udp(source, 40000, to: W.vip, 53), from: W.uplink)
            #expect(treatment.summary == "drop martian.src untracked" && treatment.sent.isEmpty)
            #expect(harness.flows.isEmpty)
        }
    }
}
