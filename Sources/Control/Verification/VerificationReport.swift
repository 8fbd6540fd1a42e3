/// Something in a trace that does not hold.
package struct VerificationFinding: Equatable, Sendable {
    /// What was checked.
    package var check: VerificationCheck
    /// The number of the frame in the trace, from 1; nil where it concerns no single one.
    package var frame: UInt64?
    /// The packet id; nil where it concerns no single packet.
    package var packet: UInt64?
    /// What is wrong, in a few words.
    package var message: String
}

/// What `culvert verify` found in a trace.
///
/// Theory of operation: findings are counted by check, and the first of them are kept with their text. A finding that
/// says that something is missing is only kept back: where the writer itself counted lost records it proves nothing.
package struct VerificationReport: Equatable, Sendable {
    /// The file as the user named it.
    package let trace: String
    /// How many records the trace has.
    package internal(set) var frames: UInt64 = 0
    /// How many packets were received.
    package internal(set) var packets: UInt64 = 0
    /// How many flows the comments tell of.
    package internal(set) var flows: UInt64 = 0
    /// The first findings, in the order of their frames.
    package private(set) var findings: [VerificationFinding] = []
    /// How many findings there are of each check.
    package private(set) var counts: [VerificationCheck: UInt64] = [:]
    /// What limited the checks.
    package private(set) var notes: [String] = []
    private var missing: [VerificationFinding] = []
    private var missingCounts: [VerificationCheck: UInt64] = [:]

    /// How many findings are kept with their text.
    package static let limit = 20

    /// A report without findings.
    package init(trace: String) { self.trace = trace }

    /// Whether all checks hold.
    package var holds: Bool { counts.isEmpty }
    /// The number of all findings.
    package var total: UInt64 { counts.values.reduce(0, +) }
    /// How many findings are not in `findings`.
    package var omitted: UInt64 { total - UInt64(findings.count) }

    mutating func add(_ finding: VerificationFinding) {
        counts[finding.check, default: 0] += 1
        if findings.count < Self.limit { findings.append(finding) }
    }

    /// Adds a finding that means nothing in a trace with losses; `settleMissing` decides.
    mutating func addMissing(_ finding: VerificationFinding) {
        missingCounts[finding.check, default: 0] += 1
        if missing.count < Self.limit { missing.append(finding) }
    }

    /// Ends a section: what is missing counts, unless records were lost.
    mutating func settleMissing(hasLosses: Bool) {
        if hasLosses {
            if !missing.isEmpty { note("records were lost in writing: what is missing was not held against the trace") }
        } else {
            for (check, count) in missingCounts { counts[check, default: 0] += count }
            findings += missing
            findings.sort { ($0.frame ?? .max) < ($1.frame ?? .max) }
            findings.removeLast(max(0, findings.count - Self.limit))
        }
        missing = []
        missingCounts = [:]
    }

    mutating func note(_ text: String) {
        if !notes.contains(text) { notes.append(text) }
    }
}
