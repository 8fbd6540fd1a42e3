internal import Datapath
internal import Services
internal import Wire

/// The answer to a "what if": the way of the packet, and of the answer to it, stage by stage.
package struct ProbeReport: Sendable {
    private let formatter: EventFormatter
    private let forth: ProbeStep
    private let back: ProbeStep?

    /// Sends the packet that is asked about, and what would come back, through a pipeline of the cluster.
    package init(_ request: ProbeRequest, _ cluster: Cluster, seed: UInt64) throws(ProbeError) {
        let bytes = try request.packet(for: cluster)
        var session = ProbeSession(cluster, seed: seed)
        formatter = EventFormatter(interfaces: session.interfaces, names: cluster.registry.names)
        let first = session.send(bytes)
        forth = first
        if let answer = first.answer { back = session.send(answer) } else { back = nil }
    }

    /// The event of the packet, a line of JSON.
    package var event: [UInt8] { event(forth) }

    private func event(_ step: ProbeStep) -> [UInt8] {
        var text = TextBuffer()
        formatter.appendJSON(step.packet, to: &text)
        return text.bytes
    }

    /// One object: `packet` (the event), `stages`, `emitted`, and `reply` with the same three keys, or null.
    package var json: JSONValue {
        .object(members(forth) + [("reply", back.map { .object(members($0)) } ?? .null)])
    }

    private func members(_ step: ProbeStep) -> [(key: String, value: JSONValue)] {
        [
            ("packet", .written(event(step).dropLast())),
            (
                "stages",
                .array(
                    step.stages.map {
                        .object([
                            ("program", .string($0.program)), ("hook", .string($0.hook)), ("match", .string($0.match)),
                            ("action", .string($0.action)),
                        ])
                    }
                )
            ),
            ("emitted", .array(step.emitted.map(\.json))),
        ]
    }

    /// The story for people.
    package var text: String {
        let story = section("Packet", forth)
        guard let back else { return story }
        return story + "\n" + section("Reply", back)
    }

    private func section(_ title: String, _ step: ProbeStep) -> String {
        var lines = ["\(title): \(step.seen?.text ?? "")"]
        let names = step.stages.map { "\($0.hook)/\($0.program)" }
        let width = names.map(\.count).max() ?? 0
        for (stage, name) in zip(step.stages, names) {
            lines.append("  \(name)\(String(repeating: " ", count: width + 2 - name.count))\(stage.match)")
            lines.append("\(String(repeating: " ", count: width + 4))=> \(stage.action)")
        }
        for packet in step.emitted {
            lines.append("\(packet.isGenerated ? "Made" : "Sent") by \(packet.interface): \(packet.text)")
        }
        if step.emitted.isEmpty { lines.append("Nothing is sent.") }
        let reason = step.packet.reason == .none ? "" : " (\(step.packet.reason.id))"
        lines.append("Verdict: \(step.packet.verdict.word)\(reason)")
        return lines.map { $0 + "\n" }.joined()
    }
}
