/// External names that lead from Service to Service, and back.
enum ExternalNameLoops {
    private struct Name: Hashable {
        var namespace: String
        var name: String
    }

    static func find(in set: ManifestSet, rules: ClusterRules) -> [ManifestFault] {
        var next: [Name: Name] = [:]
        var services: [Name: Service] = [:]
        for service in set.services where service.type == .externalName {
            let name = Name(namespace: service.metadata.namespace, name: service.metadata.name)
            services[name] = service
            next[name] = service.externalName.flatMap { target($0, domain: rules.domain) }
        }
        var settled: Set<Name> = []
        return set.services.compactMap { service in
            let start = Name(namespace: service.metadata.namespace, name: service.metadata.name)
            var trail: [Name] = []
            var current: Name? = start
            while let name = current, services[name] != nil, settled.insert(name).inserted {
                trail.append(name)
                current = next[name]
            }
            guard let end = current, let first = trail.firstIndex(of: end) else { return nil }
            let loop = trail[first...].compactMap { services[$0] }
            guard let object = loop.first else { return nil }
            let way = (loop + [object]).map { "\($0.metadata.namespace)/\($0.metadata.name)" }.prefix(12)
            return ManifestFault(
                .warning,
                of: object,
                field: "spec.externalName",
                expectation: "leads in a circle: \(way.joined(separator: " → "))"
            )
        }
    }

    /// The Service that `NAME.NAMESPACE.svc.DOMAIN` is the name of.
    private static func target(_ text: String, domain: String) -> Name? {
        let bare = text.hasSuffix(".") ? text.dropLast() : text[...]
        let suffix = ".svc.\(domain)"
        guard bare.hasSuffix(suffix) else { return nil }
        let parts = bare.dropLast(suffix.count).split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 ? Name(namespace: String(parts[1]), name: String(parts[0])) : nil
    }
}
