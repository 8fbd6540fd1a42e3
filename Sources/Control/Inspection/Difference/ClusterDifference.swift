internal import Datapath
package import Kubernetes
internal import Services
internal import Wire

/// What `culvert diff` shows: what would come of one set of manifests taking the place of another in a running daemon.
package struct ClusterDifference: Sendable {
    let rules: RuleDifference
    let allocations: [AllocationChange]
    /// What is legal and hardly meant in the new set, and was not there in the old one.
    package let warnings: [ManifestFault]

    /// Something that is given, given back, or given anew.
    struct AllocationChange: Sendable {
        var kind: String
        var owner: String
        var old: String?
        var new: String?
    }

    /// The difference of two clusters, of which the second one was loaded after the first.
    package init(from old: Cluster, to new: Cluster) {
        rules = RuleDifference(
            from: old.rules,
            to: new.rules,
            resetsDeletedEndpoints: new.configuration.conntrack.resetDeletedEndpoints
        )
        let known = Set(CheckReport(old).warnings.map(Self.withoutPlace))
        warnings = CheckReport(new).warnings.filter { !known.contains(Self.withoutPlace($0)) }
        let before = AllocationListing(old.allocations).items
        let after = AllocationListing(new.allocations).items
        let (earlier, later) = (Self.byOwner(before), Self.byOwner(after))
        let keys = (before + after.filter { earlier[$0.key] == nil }).map(\.key)
        allocations = keys.compactMap { key in
            let (old, new) = (earlier[key], later[key])
            guard let item = new ?? old, old?.value != new?.value else { return nil }
            return AllocationChange(kind: item.kind, owner: item.owner, old: old?.value, new: new?.value)
        }
    }

    /// A warning whatever file it is of.
    private static func withoutPlace(_ warning: ManifestFault) -> ManifestFault {
        var warning = warning
        warning.file = ""
        warning.document = nil
        warning.item = nil
        return warning
    }

    private static func byOwner(_ items: [AllocationListing.Item]) -> [String: AllocationListing.Item] {
        Dictionary(items.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Whether nothing differs.
    package var isEmpty: Bool { rules.isEmpty && allocations.isEmpty }

    /// The difference for people: `+` is new, `-` is gone, `~` is another one.
    package var text: String {
        if isEmpty { return "No differences.\n" }
        var text = section("Frontends", frontendLines)
        text += section("Backends", rules.endpoints.flatMap(lines))
        text += section("Allocations", allocations.map(line))
        text += section("Flows", rules.consequences.map(line) + [rest])
        return text
    }

    private var rest: String { rules.consequences.isEmpty ? "All stay as they are." : "All others stay as they are." }

    private func section(_ title: String, _ lines: [String]) -> String {
        lines.isEmpty ? "" : "\(title):\n" + lines.map { "  \($0)\n" }.joined()
    }

    private var frontendLines: [String] {
        rules.removed.map { "- \(line($0))" }
            + rules.changed.map { "~ \($0.new.address)  \(changes($0.old, $0.new))" }
            + rules.added.map { "+ \(line($0))" }
    }

    private func line(_ row: RuleDifference.Row) -> String {
        let details = Self.fields(row).dropFirst(2).filter { !$0.isDefault }.map { "  \($0.name) \($0.value)" }
        return "\(row.address)  \(row.kind.word) of \(row.service)\(details.joined())"
    }

    private func changes(_ old: RuleDifference.Row, _ new: RuleDifference.Row) -> String {
        let changed = zip(Self.fields(old), Self.fields(new)).filter { $0.value != $1.value }
        let text = changed.map { "\($0.name) \($0.value) -> \($1.value)" }.joined(separator: ", ")
        return "\(new.kind.word) of \(new.service): \(text)"
    }

    /// What a frontend is besides its address, as words.
    static func fields(_ row: RuleDifference.Row) -> [(name: String, value: String, isDefault: Bool)] {
        let ranges = row.sourceRanges.isEmpty ? "any" : row.sourceRanges.joined(separator: ",")
        return [
            ("service", row.service, false), ("kind", row.kind.word, false),
            ("policy", row.isLocalPolicy ? "Local" : "Cluster", !row.isLocalPolicy),
            ("affinity", row.affinitySeconds > 0 ? "\(row.affinitySeconds)s" : "none", row.affinitySeconds == 0),
            ("sources", ranges, row.sourceRanges.isEmpty),
        ]
    }

    private func lines(_ endpoints: RuleDifference.Endpoints) -> [String] {
        let rest = endpoints.count == 0 ? ", none is left" : ", \(endpoints.count) now"
        return ["\(endpoints.service) (\(endpoints.transport))\(rest)"]
            + endpoints.removed.map { "  - \(Self.text($0))" } + endpoints.added.map { "  + \(Self.text($0))" }
    }

    static func text(_ backend: Backend) -> String {
        "\(backend.address):\(backend.port)\(backend.isLocal ? "*" : "")"
    }

    private func line(_ change: AllocationChange) -> String {
        switch (change.old, change.new) {
        case (let old?, let new?): "~ \(change.kind) of \(change.owner)  \(old) -> \(new)"
        case (let old?, nil): "- \(change.kind) of \(change.owner)  \(old)"
        default: "+ \(change.kind) of \(change.owner)  \(change.new ?? "")"
        }
    }

    private func line(_ consequence: FlowConsequence) -> String {
        let transport = consequence.transport.uppercased()
        guard let backend = consequence.backend else {
            let which = consequence.transport == "tcp" ? "TCP without an answer" : transport
            return "\(which) that was passed on to \(consequence.frontend ?? "") is forgotten: \(next(consequence))"
        }
        let by = consequence.frontend.map { " by \($0)" } ?? ""
        let flows = "\(transport) of \(consequence.service)\(by) to \(backend)"
        return switch consequence.effect {
        case .removed: "\(flows) is forgotten: \(next(consequence))"
        case .kept: "\(flows) stays until it ends, though new connections cannot get there"
        case .reset: "\(flows) is reset with its next packet: the endpoint is gone"
        }
    }

    private func next(_ consequence: FlowConsequence) -> String {
        switch consequence.next {
        case .balanced: "the next packet is balanced anew"
        case .refused: "the next packet is refused, as there is no endpoint"
        case .noService: "the next packet is for no Service"
        }
    }
}
