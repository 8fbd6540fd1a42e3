import TestSupport
import Testing

/// What the packetdrill scripts of the kernel's own tests (tools/testing/selftests/net/netfilter/packetdrill) ask of
/// connection tracking, as conversations of our own; each test has the name of its script.
@Suite("Conversations after the kernel's conntrack scripts")
struct KernelConversationTests {
    private func expect(_ table: ConversationTable) {
        for strict in [false, true] {
            #expect(table.issues(strict: strict) == [], "\(table.name), strict: \(strict)")
            // The same numbers, but with none of them near the end.
            #expect(table.issues(strict: strict, base: (1, 1_000_000)) == [], "\(table.name), strict: \(strict)")
        }
    }

    /// Only the RST with the number that is expected next closes.
    @Test("conntrack_rst_invalid")
    func rstInvalid() {
        expect(
            ConversationTable(
                "RST outside of the window",
                [
                    ("c S 0(0) win 65535 sackOK ts wscale 8", "new SYN_SENT"), ("s S. 0(0) ack 1", "reply SYN_RECV"),
                    ("c . 1(0) ack 1", "established ESTABLISHED"), ("s . 1(1000) ack 1", "reply ESTABLISHED"),
                    ("s . 1001(1000) ack 1", "reply ESTABLISHED"), ("s . 2001(1000) ack 1", "reply ESTABLISHED"),
                    ("c . 1(0) ack 1001", "established ESTABLISHED"), ("c . 1(0) ack 3001", "established ESTABLISHED"),
                    ("s R 0(0)", "invalid ESTABLISHED"), ("s R 1000000(0)", "invalid ESTABLISHED"),
                    ("s R 42(0)", "invalid ESTABLISHED"), ("c P. 1(1000) ack 3001", "established ESTABLISHED"),
                    ("s . 3001(0) ack 1001", "reply ESTABLISHED"), ("s R. 3000(0) ack 1001", "invalid ESTABLISHED"),
                    // Within the window, and not exact: the client answers with a challenge ACK, and all goes on.
                    ("s R 3100(0)", "reply ESTABLISHED"), ("c . 1001(0) ack 3001", "established ESTABLISHED"),
                    ("s R. 3001(0) ack 1001", "reply CLOSE"),
                ]
            )
        )
    }

    /// What is closing already takes any RST.
    @Test("conntrack_inexact_rst")
    func inexactRst() {
        expect(
            ConversationTable(
                "RST while closing",
                [
                    ("c S 0(0) win 65535", "new SYN_SENT"), ("s S. 0(0) ack 1", "reply SYN_RECV"),
                    ("c . 1(0) ack 1", "established ESTABLISHED"), ("s . 1(3000) ack 1", "reply ESTABLISHED"),
                    ("c . 1(0) ack 3001", "established ESTABLISHED"),
                    ("c P. 1(1000) ack 3001", "established ESTABLISHED"),
                    ("s F. 3001(0) ack 1001", "reply FIN_WAIT"), ("c . 1001(0) ack 3002", "established CLOSE_WAIT"),
                    ("+1 c R. 1001(0) ack 3002", "established CLOSE"), ("+0.1 s R 2001(0) win 0", "reply CLOSE"),
                ]
            )
        )
    }

    /// The far end holds an older connection; its ACK and the client's RST pass.
    @Test("conntrack_syn_challenge_ack")
    func synChallengeAck() {
        expect(
            ConversationTable(
                "challenge ACK to a SYN",
                [
                    ("c S 0(0) win 65535 sackOK wscale 8", "new SYN_SENT"),
                    ("+0.1 s . 145824453(0) ack 643160523 win 240 ts wscale 0", "reply SYN_SENT"),
                    ("c R 643160523(0) win 0", "new SYN_SENT"), ("c S 0(0) win 65535 sackOK wscale 8", "new SYN_SENT"),
                    ("+0.1 s S. 0(0) ack 1 win 250 wscale 0", "reply SYN_RECV"),
                    ("c . 1(0) ack 1 win 256 ts", "established ESTABLISHED"),
                ]
            )
        )
    }

    /// An answer to an older SYN is invalid, and does not keep the right one out.
    @Test("conntrack_synack_old")
    func synackOld() {
        expect(
            ConversationTable(
                "answer to an older SYN",
                [
                    ("c S 0(0) win 65535 sackOK wscale 8", "new SYN_SENT"),
                    ("+0.1 s S. 145824453(0) ack 643160523 win 240 ts wscale 0", "invalid SYN_SENT"),
                    ("+1 c S 0(0) win 65535 sackOK wscale 8", "new SYN_SENT"),
                    ("s S. 145758918(0) ack 1 win 250 ts wscale 0", "reply SYN_RECV"),
                    ("c P. 1(1) ack 145758919 win 256 ts", "established ESTABLISHED"),
                ]
            )
        )
    }

    /// The client begins anew on an open connection; its RST ends the old one.
    @Test("conntrack_synack_reuse")
    func synackReuse() {
        expect(
            ConversationTable(
                "SYN on an open connection",
                [
                    ("c S 0(0) win 32792 wscale 7", "new SYN_SENT"), ("s S. 0(0) ack 1 wscale 8", "reply SYN_RECV"),
                    ("c . 1(0) ack 1 win 257", "established ESTABLISHED"),
                    ("c P. 1(100) ack 1 win 257", "established ESTABLISHED"),
                    ("s . 1(0) ack 101 win 256", "reply ESTABLISHED"),
                    ("+1 c S 2000(0) win 32792 wscale 7", "established ESTABLISHED"),
                    ("s . 1(0) ack 101 win 256", "reply ESTABLISHED"),
                    ("c R. 101(0) ack 1 win 257", "established CLOSE"),
                    ("+1.5 c S 2000(0) win 32792 wscale 0", "new SYN_SENT"),
                    ("s S. 5000(0) ack 2001 win 28960", "reply SYN_RECV"),
                ]
            )
        )
    }

    /// Data that was acknowledged long ago, sent again, is answered by an ACK; that must not be lost.
    @Test("conntrack_ack_loss_stall")
    func ackLossStall() {
        var rows: [(line: String, expected: String)] = [
            ("c S 0(0) win 32792", "new SYN_SENT"), ("s S. 0(0) ack 1", "reply SYN_RECV"),
            ("c . 1(0) ack 1 win 65535", "established ESTABLISHED"),
        ]
        for number in 0..<46 {
            rows.append(("c P. \(1 + number * 1460)(1460) ack 1 win 257", "established ESTABLISHED"))
            rows.append(("s . 1(0) ack \(1461 + number * 1460)", "reply ESTABLISHED"))
        }
        rows.append(("c P. 1(1460) ack 1 win 257", "established ESTABLISHED"))
        rows.append(("s . 1(0) ack 67161", "reply ESTABLISHED"))
        expect(ConversationTable("acknowledgments are lost", rows))
    }
}
