package import Datapath

/// What a replay says at its end.
package struct ReplaySummary: Sendable {
    /// Packets that entered the pipeline.
    package let received: UInt64
    /// Packets that the filter left out.
    package let filtered: UInt64
    /// How many packets each verdict got, in the order of verdicts; without those that none got.
    package let verdicts: [(verdict: Verdict, packets: UInt64)]
    /// Fragments that still wait for the first one of their datagram.
    package let held: Int
    /// How many packets each reason got, the most frequent first.
    package let reasons: [(reason: DropReason, packets: UInt64)]
    /// Flows entered into the conntrack table.
    package let flows: UInt64
    /// Packets whose TCP, UDP or ICMP checksum is wrong.
    package let badChecksums: UInt64
    /// How often other manifests were taken over.
    package let reloads: Int
    /// Flows that contradicted the new rules and were removed.
    package let flowsReconciled: UInt64

    init(_ pipeline: borrowing Pipeline, filtered: UInt64, reloads: Int) {
        self.reloads = reloads
        flowsReconciled = pipeline.counters.flowsReconciled
        self.filtered = filtered
        received = pipeline.counters.received
        var verdicts: [(verdict: Verdict, packets: UInt64)] = []
        for verdict in Verdict.allCases where pipeline.counters[verdict] > 0 {
            verdicts.append((verdict: verdict, packets: pipeline.counters[verdict]))
        }
        self.verdicts = verdicts
        held = pipeline.heldPackets
        var reasons: [(reason: DropReason, packets: UInt64)] = []
        for reason in DropReason.allCases where pipeline.counters[reason] > 0 {
            reasons.append((reason: reason, packets: pipeline.counters[reason]))
        }
        self.reasons = reasons.sorted { ($1.packets, $0.reason.rawValue) < ($0.packets, $1.reason.rawValue) }
        flows = pipeline.counters.flowsCreated
        badChecksums = pipeline.counters.badChecksums
    }

    /// A few lines for people.
    package var text: String {
        var lines = ["\(received) packets" + (filtered > 0 ? ", \(filtered) left out by the filter" : "")]
        for entry in verdicts { lines.append("  \(entry.verdict.word): \(entry.packets)") }
        if held > 0 { lines.append("  held: \(held)") }
        if !reasons.isEmpty {
            lines.append("reasons")
            for entry in reasons { lines.append("  \(entry.reason.id): \(entry.packets)") }
        }
        lines.append("\(flows) flows" + (badChecksums > 0 ? ", \(badChecksums) packets with a bad checksum" : ""))
        if reloads > 0 {
            lines.append("\(reloads) reload\(reloads == 1 ? "" : "s"), which removed \(flowsReconciled) flows")
        }
        let midstream = reasons.first { $0.reason == .conntrackNoState }?.packets ?? 0
        if midstream > 0 {
            lines.append(
                "\(midstream) TCP packets to a Service came without the beginning of their connection; "
                    + "'conntrack.midstream: pickup' takes them in"
            )
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
