package import Datapath
package import Kubernetes
internal import Wire

/// What a set of manifests compiles to, for people and for `check`: every frontend with what stands behind it.
package struct CompileReport: Sendable {
    /// A frontend, or a port of a Service that has no ClusterIP yet.
    package struct Row: Sendable {
        /// By which kind of address it is reached.
        package var kind: FrontendKind
        /// `address:port`; nil until a ClusterIP is allocated.
        package var address: String?
        /// `tcp` or `udp`.
        package var transport: String
        /// What stands behind it.
        package var servicePort: ServiceSpecification.ServicePort
        /// Whether the policy of its kind of address is Local.
        package var isLocalPolicy: Bool
        /// Of which sources the address is replaced.
        package var masquerade: MasqueradeRule
        /// Empty: from anywhere.
        package var sourceRanges: [String]
        /// Whether the address, or the NodePort, was given by Culvert.
        package var isAllocated = false

        /// The endpoints that the policy may use; the sources that escape a policy Local are not considered.
        package var backends: [Backend] { isLocalPolicy ? servicePort.local : servicePort.cluster }

        /// What becomes of a new connection when no backend is there; nil when one is.
        package var emptyVerdict: (verdict: Verdict, reason: DropReason)? {
            guard backends.isEmpty else { return nil }
            return servicePort.hasAny ? (.drop, .noLocalEndpoints) : (.reject, .noEndpoints)
        }
    }

    /// In the order of ServicePorts and kinds.
    package private(set) var rows: [Row] = []
    /// How much there is of everything.
    package private(set) var totals: Totals
    /// What is legal and hardly meant; the loading has warnings of its own.
    package private(set) var warnings: [ManifestFault]

    /// The report on rules that were compiled from a set for a node.
    package init(
        _ set: ManifestSet,
        _ rules: ServiceSpecification,
        node: NodeSettings,
        allocations: AllocationState = AllocationState(),
        masqueradeAll: Bool,
        hasPodCIDR: Bool
    ) {
        let given = GivenPlaces(allocations)
        let byName = Dictionary(rules.servicePorts.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        totals = Totals(set, rules)
        warnings = CompileWarnings.find(set, byName, node: node)
        func rule(_ kind: FrontendKind, isLocalPolicy: Bool) -> MasqueradeRule {
            MasqueradeRule(
                kind,
                isLocalPolicy: isLocalPolicy,
                masqueradeAll: masqueradeAll,
                hasPodCIDR: hasPodCIDR
            )
        }
        rows = Self.unallocated(set, byName, rule: rule(.clusterIP, isLocalPolicy: false))
        // Earlier frontends win over later ones with the same key, so later ones are none.
        var keys: Set<String> = []
        for frontend in rules.frontends {
            let place = "\(frontend.address):\(frontend.port)"
            guard keys.insert("\(place)/\(frontend.transport)").inserted else { continue }
            rows.append(
                Row(
                    kind: frontend.kind,
                    address: place,
                    transport: frontend.transport.description,
                    servicePort: rules.servicePorts[frontend.servicePort],
                    isLocalPolicy: frontend.isLocalPolicy,
                    masquerade: rule(frontend.kind, isLocalPolicy: frontend.isLocalPolicy),
                    sourceRanges: frontend.sourceRanges.map(\.description),
                    isAllocated: given.contains(frontend)
                )
            )
        }
        rows.sort {
            ($0.servicePort.name, $0.kind.rawValue, $0.address ?? "")
                < ($1.servicePort.name, $1.kind.rawValue, $1.address ?? "")
        }
    }

    /// The ports of Services that wait for a ClusterIP.
    private static func unallocated(
        _ set: ManifestSet,
        _ byName: [String: ServiceSpecification.ServicePort],
        rule: MasqueradeRule
    ) -> [Row] {
        set.services.filter { $0.clusterIP == .unassigned }.flatMap { service in
            service.ports.compactMap { port in
                guard let transport = port.transport.wire, let compiled = byName[service.name(of: port)] else {
                    return nil
                }
                return Row(
                    kind: .clusterIP,
                    address: nil,
                    transport: transport.description,
                    servicePort: compiled,
                    isLocalPolicy: service.internalTrafficPolicy == .local,
                    masquerade: rule,
                    sourceRanges: []
                )
            }
        }
    }
}

/// The addresses and NodePorts that Culvert has given.
private struct GivenPlaces {
    private let addresses: Set<IPv4Address>
    /// NodePorts with their protocols, as one number.
    private let nodePorts: Set<UInt32>

    init(_ state: AllocationState) {
        addresses = Set(state.clusterIPs.values).union(state.loadBalancers.values)
        nodePorts = Set(
            state.nodePorts.compactMap { key, port in
                Kubernetes.TransportProtocol(rawValue: key.transport)?.wire.map { Self.place(port, $0) }
            }
        )
    }

    func contains(_ frontend: ServiceSpecification.Frontend) -> Bool {
        switch frontend.kind {
        case .clusterIP, .loadBalancer: addresses.contains(frontend.address)
        case .nodePort: nodePorts.contains(Self.place(frontend.port, frontend.transport))
        case .externalIP, .hostPort, .none: false
        }
    }

    private static func place(_ port: UInt16, _ transport: Wire.TransportProtocol) -> UInt32 {
        UInt32(port) << 8 | UInt32(transport.rawValue)
    }
}

/// How much there is of everything.
package struct Totals: Sendable {
    /// Services, of which not all have frontends.
    package let services: Int
    /// EndpointSlices.
    package let endpointSlices: Int
    /// Endpoints objects.
    package let endpoints: Int
    /// Pods.
    package let pods: Int
    /// Nodes.
    package let nodes: Int
    /// Addresses and ports that lead to a Service.
    package let frontends: Int
    /// Ports of Services, and host ports.
    package let servicePorts: Int
    /// Different addresses and ports of endpoints in use.
    package let backends: Int
    /// Those of `backends` that are on this node.
    package let localBackends: Int
    /// Objects of kinds that Culvert does not use, by kind.
    package let skipped: [(kind: String, count: Int)]

    init(_ set: ManifestSet, _ rules: ServiceSpecification) {
        services = set.services.count
        endpointSlices = set.endpointSlices.count
        endpoints = set.endpoints.count
        pods = set.pods.count
        nodes = set.nodes.count
        frontends = rules.frontends.count
        servicePorts = rules.servicePorts.count
        let used = Set(rules.servicePorts.flatMap { $0.cluster + $0.local })
        backends = used.count
        localBackends = used.filter(\.isLocal).count
        skipped = set.skipped.sorted { $0.key < $1.key }.map { (kind: $0.key, count: $0.value) }
    }
}

extension Service {
    /// What events call a port of the Service.
    package func name(of port: ServicePort) -> String {
        "\(metadata.namespace)/\(metadata.name):\(port.name.isEmpty ? "\(port.port)" : port.name)"
    }
}
