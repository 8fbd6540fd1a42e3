internal import Datapath
internal import Wire

/// What becomes of flows when one set of rules takes the place of another: of those that a port of a Service has with an
/// endpoint, or of those that were passed on to what is a Service's address now.
///
/// The rules are those by which a reload holds flows against the new table (`Datapath/Conntrack/Reconciliation.swift`).
package struct FlowConsequence: Hashable, Sendable {
    /// What happens to them.
    package enum Effect: String, Sendable {
        /// They are forgotten: their next packet is a new flow.
        case removed
        /// They go on to the endpoint, although it is gone or the address leads there no more.
        case kept
        /// They are reset with their next packet (`conntrack.resetDeletedEndpoints`).
        case reset
    }

    /// What is then done with the next packet of a client.
    package enum Next: String, Sendable {
        /// It is balanced over the endpoints that there are.
        case balanced
        /// It is refused or dropped, as there is no endpoint for it.
        case refused
        /// Its destination is no port of a Service any more.
        case noService
    }

    /// `namespace/name:port`.
    package var service: String
    /// `tcp` or `udp`.
    package var transport: String
    /// `10.96.0.10:80/TCP`, where not all addresses of the Service's port are concerned.
    package var frontend: String?
    /// `10.244.0.5:8080`; nil for flows that were passed on.
    package var backend: String?
    /// What happens to the flows.
    package var effect: Effect
    /// What happens to new ones.
    package var next: Next

    /// What becomes of which flows, in the order of the Services; all others stay as they are.
    static func find(
        from old: ServiceSpecification,
        to new: ServiceSpecification,
        resetsDeletedEndpoints: Bool
    ) -> [FlowConsequence] {
        let before = owners(old)
        let after = owners(new)
        var result: [FlowConsequence] = []
        for group in groups(old, before) {
            let port = old.servicePorts[group.port]
            for endpoint in port.known where endpoint.isServing {
                let found = group.places.compactMap { place -> (place: String, consequence: FlowConsequence)? in
                    let owner = after[place].map { new.servicePorts[$0] }
                    guard let effect = effect(on: endpoint, port.transport, owner, resetsDeletedEndpoints) else {
                        return nil
                    }
                    let consequence = FlowConsequence(
                        service: port.name,
                        transport: port.transport.description,
                        frontend: nil,
                        backend: "\(endpoint.address):\(endpoint.port)",
                        effect: effect,
                        next: next(owner)
                    )
                    return (place, consequence)
                }
                let isSame = found.count == group.places.count && Set(found.map(\.consequence)).count == 1
                if isSame, let first = found.first {
                    result.append(first.consequence)
                } else {
                    result += found.map { place, consequence in
                        var consequence = consequence
                        consequence.frontend = place
                        return consequence
                    }
                }
            }
        }
        return result + passedOn(before, new)
    }

    /// The ServicePorts behind all frontends that packets find: of several with one key the first.
    private static func owners(_ rules: ServiceSpecification) -> [String: Int] {
        Dictionary(rules.frontends.map { ($0.place, $0.servicePort) }, uniquingKeysWith: { first, _ in first })
    }

    /// The frontends of each ServicePort, by the names of these.
    private static func groups(_ rules: ServiceSpecification, _ owners: [String: Int]) -> [(
        port: Int, places: [String]
    )] {
        var places = [[String]](repeating: [], count: rules.servicePorts.count)
        for frontend in rules.frontends where owners[frontend.place] == frontend.servicePort {
            if !places[frontend.servicePort].contains(frontend.place) {
                places[frontend.servicePort].append(frontend.place)
            }
        }
        return places.indices.filter { !places[$0].isEmpty }
            .sorted { rules.servicePorts[$0].name < rules.servicePorts[$1].name }
            .map { ($0, places[$0]) }
    }

    private static func effect(
        on endpoint: ServiceSpecification.KnownEndpoint,
        _ transport: TransportProtocol,
        _ owner: ServiceSpecification.ServicePort?,
        _ resets: Bool
    ) -> Effect? {
        let known = owner?.known.filter { $0.address == endpoint.address && $0.port == endpoint.port } ?? []
        if transport == .udp { return known.contains(where: \.isServing) ? nil : .removed }
        return known.isEmpty ? resets ? .reset : .kept : nil
    }

    private static func next(_ owner: ServiceSpecification.ServicePort?) -> Next {
        guard let owner else { return .noService }
        return owner.cluster.isEmpty && owner.local.isEmpty ? .refused : .balanced
    }

    /// What goes to an external address was passed on until it became a Service's; TCP that was answered stays so.
    private static func passedOn(_ before: [String: Int], _ new: ServiceSpecification) -> [FlowConsequence] {
        var seen: Set<String> = []
        return new.frontends.compactMap { frontend in
            guard frontend.kind == .loadBalancer || frontend.kind == .externalIP, before[frontend.place] == nil,
                seen.insert(frontend.place).inserted
            else { return nil }
            let port = new.servicePorts[frontend.servicePort]
            return FlowConsequence(
                service: port.name,
                transport: frontend.transport.description,
                frontend: frontend.place,
                backend: nil,
                effect: .removed,
                next: next(port)
            )
        }
    }
}
