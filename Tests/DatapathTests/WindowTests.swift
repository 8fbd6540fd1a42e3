import Datapath
import TestSupport
import Testing

/// Windows: what fits, what is harmless, what is invalid; the cases that gVisor's packetimpact tests ask of an end
/// (`tcp_outside_the_window`, `tcp_outside_the_window_closing`, `tcp_timewait_reset`, `tcp_zero_window_probe`, …), seen from
/// the middle.
@Suite("TCP windows")
struct WindowTests {
    private static let opening: [(line: String, expected: String)] = [
        ("c S 0(0) win 64240", "new SYN_SENT"), ("s S. 0(0) ack 1 win 64240", "reply SYN_RECV"),
        ("c . 1(0) ack 1 win 64240", "established ESTABLISHED"),
    ]
    private static let scaled: [(line: String, expected: String)] = [
        ("c S 0(0) win 64240 sackOK wscale 7", "new SYN_SENT"),
        ("s S. 0(0) ack 1 win 64240 sackOK wscale 2", "reply SYN_RECV"),
        ("c . 1(0) ack 1 win 512", "established ESTABLISHED"),
    ]

    private static func table(
        _ name: String,
        _ begin: [(line: String, expected: String)],
        _ rows: [(line: String, expected: String)]
    ) -> ConversationTable {
        ConversationTable(name, begin + rows)
    }

    static let tables: [ConversationTable] = [
        table(
            "data outside of the window",
            opening,
            [
                ("s P. 200000(10) ack 1", "invalid ESTABLISHED"), ("c P. 4000000(10) ack 1", "invalid ESTABLISHED"),
                ("c P. 3000000000(10) ack 1", "invalid ESTABLISHED"), ("c . 1(0) ack 500", "invalid ESTABLISHED"),
                ("c P. 1(10) ack 3000000000", "invalid ESTABLISHED"), ("c F. 900000(0) ack 1", "invalid ESTABLISHED"),
                ("c P. 1(10) ack 1", "established ESTABLISHED"), ("s . 1(0) ack 11", "reply ESTABLISHED"),
            ]
        ),
        table(
            "the last byte of the window and the next",
            opening,
            [
                ("s P. 1(64240) ack 1", "reply ESTABLISHED"),
                // A little more than was allowed is let in, or its acknowledgment would be of something unseen.
                ("s P. 64241(1000) ack 1", "reply ESTABLISHED"), ("c . 1(0) ack 65241", "established ESTABLISHED"),
                ("s P. 65241(10) ack 1", "reply ESTABLISHED"), ("s P. 300000(10) ack 1", "invalid ESTABLISHED"),
            ]
        ),
        table(
            "both offer scaling, so windows are scaled",
            scaled,
            [
                // The client allows 512 << 7 = 65536.
                ("s P. 1(60000) ack 1 win 16384", "reply ESTABLISHED"),
                ("c . 1(0) ack 60001 win 60000", "established ESTABLISHED"),
                // Now 60000 << 7 beyond 60001.
                ("s P. 7000000(1000) ack 1 win 16384", "reply ESTABLISHED"),
                ("s P. 16000000(1000) ack 1 win 16384", "invalid ESTABLISHED"),
            ]
        ),
        table(
            "one side offers scaling, so nothing is scaled",
            [
                ("c S 0(0) win 64240 wscale 7", "new SYN_SENT"), ("s S. 0(0) ack 1 win 64240", "reply SYN_RECV"),
                ("c . 1(0) ack 1 win 60000", "established ESTABLISHED"),
            ],
            [
                ("s P. 7000000(1000) ack 1", "invalid ESTABLISHED"), ("s P. 1(1000) ack 1", "reply ESTABLISHED"),
            ]
        ),
        table(
            "the window of a SYN is not scaled",
            [
                ("c S 0(0) win 100 wscale 14", "new SYN_SENT"),
                ("s S. 0(0) ack 1 win 100 wscale 14", "reply SYN_RECV"),
            ],
            [
                ("s P. 100000(10) ack 1", "invalid SYN_RECV"), ("c . 1(0) ack 1 win 100", "established ESTABLISHED"),
                ("s P. 100000(10) ack 1", "reply ESTABLISHED"),
            ]
        ),
        table(
            "SACK blocks raise the edge",
            scaled,
            [
                ("s P. 1(1000) ack 1 win 100", "reply ESTABLISHED"),
                ("s P. 1001(1000) ack 1 win 100", "reply ESTABLISHED"),
                ("s P. 2001(1000) ack 1 win 100", "reply ESTABLISHED"),
                ("c . 1(0) ack 1 win 1 sack 2001-3001", "established ESTABLISHED"),
                // Of what was never sent.
                ("c . 1(0) ack 1 win 1 sack 2001-9001", "invalid ESTABLISHED"),
                ("c . 1(0) ack 3001 win 1 ts", "established ESTABLISHED"),
            ]
        ),
        table(
            "a window of nothing, and the byte that asks",
            opening,
            [
                ("s . 1(0) ack 1 win 0", "reply ESTABLISHED"), ("c P. 1(64240) ack 1", "established ESTABLISHED"),
                ("s . 1(0) ack 64241 win 0", "reply ESTABLISHED"), ("c . 64241(1) ack 1", "established ESTABLISHED"),
                ("s . 1(0) ack 64241 win 0", "reply ESTABLISHED"), ("s . 1(0) ack 64242 win 5000", "reply ESTABLISHED"),
            ]
        ),
        table(
            "keep-alives",
            opening,
            [
                ("c . 0(0) ack 1", "established ESTABLISHED"), ("s . 1(0) ack 1", "reply ESTABLISHED"),
                ("+7200 s . 0(0) ack 1", "reply ESTABLISHED"), ("c . 1(0) ack 1", "established ESTABLISHED"),
                ("c . 0(1) ack 1", "established ESTABLISHED"),
            ]
        ),
        table(
            "data with the SYN (RFC 7413), taken or left",
            [("c S 0(100) win 64240", "new SYN_SENT"), ("s S. 0(0) ack 1 win 64240", "reply SYN_RECV")],
            [("c . 1(100) ack 1", "established ESTABLISHED"), ("s . 1(0) ack 101", "reply ESTABLISHED")]
        ),
        table(
            "simultaneous open",
            [
                ("c S 0(0) win 64240 wscale 3", "new SYN_SENT"), ("s S 0(0) win 64240 wscale 3", "reply SYN_SENT2"),
                ("c S. 0(0) ack 1 wscale 3", "established SYN_RECV"), ("s S. 0(0) ack 1 wscale 3", "reply SYN_RECV"),
            ],
            [
                ("c . 1(0) ack 1", "established ESTABLISHED"), ("s P. 1(1000) ack 1", "reply ESTABLISHED"),
                ("c . 1(0) ack 1001", "established ESTABLISHED"), ("s P. 9000000(10) ack 1", "invalid ESTABLISHED"),
            ]
        ),
        table(
            "half-close: the other side may go on for long",
            opening,
            [
                ("c F. 1(0) ack 1", "established FIN_WAIT"), ("s . 1(0) ack 2", "reply CLOSE_WAIT"),
                ("+600 s P. 1(1000) ack 2", "reply CLOSE_WAIT"), ("c . 2(0) ack 1001", "established CLOSE_WAIT"),
                ("+600 s F. 1001(0) ack 2", "reply LAST_ACK"), ("c . 2(0) ack 1002", "established TIME_WAIT"),
                ("s F. 1001(0) ack 2", "reply TIME_WAIT"), ("c . 2(0) ack 1002", "established TIME_WAIT"),
            ]
        ),
        table(
            "simultaneous close",
            opening,
            [
                ("c F. 1(0) ack 1", "established FIN_WAIT"), ("s F. 1(0) ack 1", "reply LAST_ACK"),
                ("c . 2(0) ack 2", "established TIME_WAIT"), ("s . 2(0) ack 2", "reply TIME_WAIT"),
                ("s R 2(0)", "reply CLOSE"), ("c . 2(0) ack 2", "established CLOSE"),
            ]
        ),
        table(
            "a challenge ACK is no last ACK",
            opening,
            [
                ("c F. 1(0) ack 1", "established FIN_WAIT"), ("s . 1(0) ack 2", "reply CLOSE_WAIT"),
                ("s F. 1(0) ack 2", "reply LAST_ACK"), ("c S 70000(0) win 64240", "established LAST_ACK"),
                ("s . 2(0) ack 2", "reply LAST_ACK"), ("c R 2(0)", "established CLOSE"),
                ("c S 70000(0) win 64240", "new SYN_SENT"), ("s S. 90000(0) ack 70001", "reply SYN_RECV"),
            ]
        ),
        table(
            "both ends begin anew, and only the table did not know",
            opening,
            [
                ("c S 5000000(0) win 64240 wscale 2", "established ESTABLISHED"),
                ("s S. 9000000(0) ack 5000001 win 64240 wscale 2", "reply SYN_RECV"),
                ("c . 5000001(0) ack 9000001", "established ESTABLISHED"),
                ("s P. 9000001(1000) ack 5000001", "reply ESTABLISHED"),
                ("c . 1(0) ack 1", "invalid ESTABLISHED"), ("c . 5000001(0) ack 9001001", "established ESTABLISHED"),
            ]
        ),
        table(
            "the far end refuses a SYN that was let through",
            opening,
            [("c S 5000000(0) win 64240", "established ESTABLISHED"), ("s R. 0(0) ack 5000001", "reply CLOSE")]
        ),
        table(
            "an answer to the SYN that comes again is harmless",
            opening,
            [
                ("s S. 0(0) ack 1", "reply ESTABLISHED"), ("c . 1(0) ack 1", "established ESTABLISHED"),
                ("s S. 0(0) ack 1", "reply ESTABLISHED"),
            ]
        ),
    ]

    static let resets: [ConversationTable] = [
        table("a SYN is refused", [("c S 0(0)", "new SYN_SENT")], [("s R. 0(0) ack 1", "reply CLOSE")]),
        table(
            "a RST in answer to a SYN must acknowledge it",
            [("c S 0(0)", "new SYN_SENT")],
            [
                ("s R 0(0)", "invalid SYN_SENT"), ("s R. 0(0) ack 77", "invalid SYN_SENT"),
                ("s R. 0(0) ack 0", "invalid SYN_SENT"), ("s R. 3829(0) ack 1", "reply CLOSE"),
            ]
        ),
        table(
            "a client that gives up its handshake",
            [("c S 0(0)", "new SYN_SENT"), ("s S. 0(0) ack 1", "reply SYN_RECV")],
            [("c R 900000(0)", "invalid SYN_RECV"), ("c R 1(0)", "established CLOSE")]
        ),
        table(
            "a RST after data that was not acknowledged yet",
            opening,
            [
                ("s P. 1(19) ack 1", "reply ESTABLISHED"), ("s R 20(0)", "reply CLOSE"),
            ]
        ),
        table(
            "after a RST what is late still passes",
            opening,
            [
                ("c R. 1(0) ack 1", "established CLOSE"), ("+5 s P. 1(10) ack 1", "reply CLOSE"),
                ("+5 s P. 1(10) ack 1", "reply CLOSE"),
            ]
        ),
    ]

    @Test("the tables hold", arguments: (tables + resets).indices, [false, true])
    func holds(index: Int, strict: Bool) {
        let table = (Self.tables + Self.resets)[index]
        for base: (client: UInt32, server: UInt32) in [(0xffff_ff00, 0x7fff_fff0), (0, 0), (0x7fff_ffff, 0xffff_ffff)] {
            #expect(table.issues(strict: strict, base: base) == [], "\(table.name), strict: \(strict)")
        }
    }

    @Test(
        "what is invalid changes neither state nor time",
        arguments: [
            "s P. 900000(10) ack 1", "s R 900000(0)", "s F. 900000(0) ack 1", "c . 1(0) ack 99999",
        ]
    )
    func invalidChangesNothing(line: String) {
        for strict in [false, true] {
            var world = World()
            world.configuration.strict = strict
            var dialogue = Dialogue(world)
            for row in Self.opening { dialogue.line(row.line) }
            let before = dialogue.harness.flows.first
            dialogue.clock = 100
            #expect(dialogue.line(line).conntrack == .invalid)
            let after = dialogue.harness.flows.first
            #expect(after?.deadline == before?.deadline && after?.state == before?.state)
            #expect(after?.windows == before?.windows)
            #expect(after?.counts.replyBytes == before?.counts.replyBytes || !strict)
            #expect(dialogue.harness.pipeline.counters.invalidSegments == 1)
            #expect(dialogue.harness.pipeline.counters[.conntrackInvalid] == (strict ? 1 : 0))
        }
    }

    @Test("a connection that was picked up is believed, in strict mode too")
    func pickedUp() {
        let rows: [(line: String, expected: String)] = [
            ("c . 5000(100) ack 7000 win 10", "new ESTABLISHED"),
            ("s . 7000(1000) ack 5100 win 10", "reply ESTABLISHED"),
            ("s . 90000(1000) ack 5100 win 10", "reply ESTABLISHED"),
            ("c . 5100(0) ack 91000 win 10", "established ESTABLISHED"), ("s R 8(0)", "invalid ESTABLISHED"),
            ("s R 91000(0)", "reply CLOSE"),
        ]
        let table = ConversationTable("picked up", rows)
        for strict in [false, true] {
            #expect(table.issues(strict: strict) { $0.configuration.midstream = .pickup } == [])
        }
    }
}
