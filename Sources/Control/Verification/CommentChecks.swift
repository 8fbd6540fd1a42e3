internal import Datapath
internal import Wire

/// What comments and verdict options say, against what became of the packet.
enum CommentChecks {
    /// Whether a record says that its packet was left to the node; nil where it does not tell.
    static func isLocal(_ sighting: Sighting) -> Bool? {
        if let comment = sighting.comment { return comment.verdict == .local }
        return sighting.verdictCode.map { $0 == UInt64(Verdict.local.expressDataPathCode ?? 0) }
    }

    /// A packet that waits.
    static func held(_ sighting: Sighting, _ comment: TraceComment) -> [Objection] {
        var found = common(sighting, sighting, comment)
        if comment.verdict == .hold && sighting.ip?.fragment.offset ?? 0 == 0 {
            found.append(Objection(check: .comments, message: "is held, and no later fragment"))
        }
        if comment.egress != nil { found.append(Objection(check: .comments, message: "is held, and has an egress")) }
        return found
    }

    /// A packet at the place for drops: dropped, or refused without an answer.
    static func dropped(_ sighting: Sighting, _ received: Sighting) -> [Objection] {
        var found = verdictObjections(sighting, [.drop, .reject])
        guard let comment = sighting.comment else { return found }
        found += common(sighting, received, comment)
        if comment.egress != nil { found.append(Objection(check: .comments, message: "is dropped, and has an egress")) }
        return found
    }

    /// A generated packet.
    static func generated(_ sighting: Sighting, _ received: Sighting, _ packet: GeneratedPacket) -> [Objection] {
        let isReset = packet.sent.tcpFlags?.contains(.rst) ?? false
        var found = verdictObjections(sighting, packet.kind == .error || isReset ? [.reject] : [.answer])
        guard let comment = sighting.comment else { return found }
        found += common(sighting, received, comment) + egressObjections(sighting, comment)
        return found
    }

    /// A packet that was sent on, or its first fragment.
    static func sent(_ sighting: Sighting, _ received: Sighting) -> [Objection] {
        var found = verdictObjections(sighting, [.forward, .pass, .local])
        guard let comment = sighting.comment, let before = received.ip, let after = sighting.ip else { return found }
        found += common(sighting, received, comment) + egressObjections(sighting, comment)
        func add(_ message: String) { found.append(Objection(check: .comments, message: message)) }
        let isChanged = Translation(received: before, sent: after).changesTuple
        if comment.verdict == .pass && isChanged { add("says pass, and was translated") }
        if comment.verdict == .forward && !isChanged && before.fragment.offset == 0 {
            add("says forward, and was not translated")
        }
        guard comment.verdict == .forward, comment.conntrack == .new || comment.conntrack == .established else {
            return found
        }
        if !comment.isMasqueraded && before.source != after.source { add("has another source, and says no masquerade") }
        guard let backend = comment.backend else { return found }
        if backend.address != after.destination || after.tuple().map({ $0.target != backend }) ?? false {
            add("says backend \(backend), and goes to \(after.tuple()?.target.description ?? "\(after.destination)")")
        }
        return found
    }

    /// What holds wherever a comment stands.
    private static func common(_ sighting: Sighting, _ received: Sighting, _ comment: TraceComment) -> [Objection] {
        var found: [Objection] = []
        func add(_ message: String) { found.append(Objection(check: .comments, message: message)) }
        if comment.interface != received.place.label {
            add("says interface \(comment.interface), and was received from \(received.place.label)")
        }
        switch (comment.verdict, comment.reason) {
        case (.drop, .none), (.reject, .none): add("says \(comment.verdict.word) without a reason")
        case (.drop, _), (.reject, _), (_, .none): break
        default: add("says \(comment.verdict.word), and has a reason")
        }
        if comment.backend != nil && comment.service == nil { add("has a backend without a service") }
        if comment.frontend != .none && comment.service == nil { add("has a frontend without a service") }
        return found
    }

    private static func egressObjections(_ sighting: Sighting, _ comment: TraceComment) -> [Objection] {
        if comment.egress == sighting.place.label { return [] }
        let message = "says egress \(comment.egress ?? "none"), and was sent to \(sighting.place.label)"
        return [Objection(check: .comments, message: message)]
    }

    /// What the verdict may be where a packet ends, by the comment and by the option.
    private static func verdictObjections(_ sighting: Sighting, _ allowed: [Verdict]) -> [Objection] {
        var found: [Objection] = []
        if let verdict = sighting.comment?.verdict, !allowed.contains(verdict) {
            found.append(Objection(check: .comments, message: "says \(verdict.word), which it was not"))
        }
        guard let code = sighting.verdictCode else { return found }
        let codes = (sighting.comment.map { [$0.verdict] } ?? allowed).compactMap(\.expressDataPathCode)
        if !codes.contains(where: { UInt64($0) == code }) {
            found.append(Objection(check: .verdicts, message: "has verdict \(code), which it was not"))
        }
        return found
    }
}
