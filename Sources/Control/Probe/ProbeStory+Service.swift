internal import Datapath
internal import Services
internal import Wire

// The stages that the service rules are in: "balance" and "masquerade".

extension ProbeStory {
    /// The frontend, or what the destination is instead.
    var balanced: String {
        guard let match else {
            let place =
                packet.hasPorts && packet.transport != .icmp
                ? "\(packet.tuple.destination):\(packet.tuple.destinationPort)/\(packet.transport)"
                : "\(packet.transport) to \(packet.tuple.destination)"
            return "no frontend for \(place), which is \(destinationRole.words)"
        }
        let frontend = match.frontend
        let kind = "\(frontend.kind.word) \(frontend.address):\(frontend.port)/\(frontend.transport)"
        return "\(kind) of \(match.servicePort.name)\(policy(match))\(ranges(match))"
    }

    private func policy(_ match: FrontendMatch) -> String {
        let frontend = match.frontend
        if frontend.kind == .hostPort { return "" }
        let field = frontend.kind == .clusterIP ? "internalTrafficPolicy" : "externalTrafficPolicy"
        let policy = ", \(field) \(frontend.isLocalPolicy ? "Local" : "Cluster")"
        // The policy's short-circuit: pods and the node use all endpoints.
        let isShort = frontend.isLocalPolicy && match.scope == .cluster
        return isShort ? "\(policy), which lets \(sourceRole.words) use all endpoints" : policy
    }

    private func ranges(_ match: FrontendMatch) -> String {
        guard !match.frontend.sourceRanges.isEmpty else { return "" }
        let ranges = match.frontend.sourceRanges.map(\.description).joined(separator: ", ")
        return ", source \(match.isAdmitted ? "within" : "outside") \(ranges)"
    }

    /// The backend and how it was chosen.
    var balanceAction: String {
        guard let match else { return "no Service: routed as it is" }
        let set = match.endpoints
        let chosen = packet.backend
        let isLocal = set.contains { $0.address == chosen.address && $0.port == chosen.port && $0.isLocal }
        let place = "\(chosen)\(isLocal ? " on this node" : "")"
        let scope = "the \(match.scope.rawValue) set"
        if set.count == 1 { return "\(place), the only endpoint of \(scope)\(affinity(match))" }
        let index = set.firstIndex { $0.address == chosen.address && $0.port == chosen.port } ?? 0
        return
            "\(place), number \(index + 1) of the \(set.count) endpoints of \(scope), \(how(match))\(affinity(match))"
    }

    /// How the algorithm came to its choice.
    private func how(_ match: FrontendMatch) -> String {
        switch algorithm {
        case .random: return "at random with seed \(configuration.seed)"
        case .roundRobin: return "the first in turn"
        case .maglev:
            guard let place = match.maglev else {
                return "at random, as there are more endpoints than a Maglev table has slots"
            }
            let hash = String(place.hash, radix: 16)
            let filled = String(repeating: "0", count: 8 - hash.count) + hash
            return "by Maglev: hash 0x\(filled) leads to slot \(place.slot) of \(place.size)"
        }
    }

    /// What binds the client to its backend.
    private func affinity(_ match: FrontendMatch) -> String {
        let seconds = match.servicePort.affinitySeconds
        return seconds == 0 ? "" : "; the client's next connections within \(seconds) s go there too"
    }

    /// Why the source is replaced, or kept.
    var masqueraded: String {
        guard let match else { return "no Service: the source is kept" }
        let kind = match.frontend.kind
        if packet.masquerade && packet.backend.address == packet.tuple.source {
            return "hairpin: the source is the backend itself"
        }
        let rule = MasqueradeRule(
            kind,
            isLocalPolicy: match.frontend.isLocalPolicy,
            masqueradeAll: configuration.masqueradeAll,
            hasPodCIDR: configuration.podCIDR != nil
        )
        let pods = configuration.podCIDR.map(\.description) ?? "podCIDR"
        switch (rule, packet.masquerade) {
        case (.always, _) where kind == .clusterIP: return "masqueradeAll: every source of a ClusterIP"
        case (.always, _): return "\(kind.word) with externalTrafficPolicy Cluster: every source"
        case (.outside, true): return "ClusterIP: the source is outside \(pods)"
        case (.outside, false): return "ClusterIP: the source is within \(pods)"
        case (.node, true): return "externalTrafficPolicy Local: the source is an address of the node"
        case (.node, false): return "externalTrafficPolicy Local: the source is kept"
        case (.never, _) where kind == .clusterIP:
            return "ClusterIP: no podCIDR is configured, and masqueradeAll is off"
        case (.never, _): return "\(kind.word): the source is kept"
        }
    }

    /// What the source becomes.
    var masqueradeAction: String {
        let old = packet.tuple
        let new = packet.translated
        if old.source == new.source && old.sourcePort == new.sourcePort { return "source kept" }
        let remapped = old.sourcePort == new.sourcePort ? "" : "; its port is taken or reserved"
        if packet.transport == .icmp { return "source \(old.source) becomes \(new.source)\(remapped)" }
        return "source \(old.source):\(old.sourcePort) becomes \(new.source):\(new.sourcePort)\(remapped)"
    }
}
