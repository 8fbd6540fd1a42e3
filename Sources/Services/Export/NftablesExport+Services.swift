internal import Datapath
internal import Wire

// The chains of one port of a Service, and its elements in the maps (service-rules 1 to 8).

extension NftablesExport {
    private typealias Frontend = ServiceSpecification.Frontend
    private typealias Port = ServiceSpecification.ServicePort

    /// Writes what leads to a port of a Service, and its chains.
    mutating func write(
        _ port: ServiceSpecification.ServicePort,
        _ names: NftablesNames,
        _ frontends: [ServiceSpecification.Frontend]
    ) {
        for frontend in frontends {
            lead(to: port, names, from: frontend)
            writeFirewall(port, names, frontend)
        }
        var usesCluster = false
        var usesLocal = false
        for frontend in frontends {
            switch frontend.kind {
            case .clusterIP:
                if frontend.isLocalPolicy { usesLocal = true } else { usesCluster = true }
                writeInternal(port, names, frontend)
            case .nodePort, .loadBalancer, .externalIP:
                // The short-circuits of policy Local lead to all endpoints.
                usesCluster = true
                if frontend.isLocalPolicy { usesLocal = true }
            case .hostPort, .none:
                usesCluster = true
            }
        }
        if let external = frontends.first(where: { $0.kind.isExternal }), port.hasAny {
            writeExternal(port, names, isLocalPolicy: external.isLocalPolicy)
        }
        if usesCluster { writePolicy(port, names, names.cluster, port.cluster) }
        if usesLocal { writePolicy(port, names, names.local, port.local) }
        var seen: Set<Backend> = []
        for backend in (usesCluster ? port.cluster : []) + (usesLocal ? port.local : [])
        where seen.insert(backend).inserted {
            writeEndpoint(backend, port, names)
        }
    }

    /// The element that a frontend is in a map: with endpoints it leads to a chain; without it is refused or dropped.
    private mutating func lead(to port: Port, _ names: NftablesNames, from frontend: Frontend) {
        let backends = frontend.isLocalPolicy ? port.local : port.cluster
        let isNodePort = frontend.kind == .nodePort
        let service = "\(frontend.transport) . \(frontend.port)"
        let key = isNodePort ? service : "\(frontend.address) . \(service)"
        // All NodePort addresses share an element.
        if isNodePort && frontend.address != node.nodePortAddresses.first { return }
        let isLed = frontend.kind.isExternal ? !port.cluster.isEmpty : !backends.isEmpty
        if isLed {
            let chain =
                frontend.kind.isExternal ? names.external : frontend.isLocalPolicy ? names.local : names.cluster
            let map = isNodePort ? "service-nodeports" : frontend.kind == .hostPort ? "host-ports" : "service-ips"
            text.element("map \(map)", "\(key) : goto \(chain)")
        }
        if backends.isEmpty {
            let verdict = port.hasAny ? "drop" : "goto reject-chain"
            let map = isNodePort ? "no-endpoint-nodeports" : "no-endpoint-services"
            text.element("map \(map)", "\(key) comment \"\(port.name)\" : \(verdict)")
        }
    }

    private mutating func writeFirewall(_ port: Port, _ names: NftablesNames, _ frontend: Frontend) {
        guard !frontend.sourceRanges.isEmpty else { return }
        text.element(
            "map firewall-ips",
            "\(frontend.address) . \(frontend.transport) . \(frontend.port) comment \"\(port.name)\" : goto \(names.firewall)"
        )
        // Addresses of one Service have the same ranges.
        guard text.isNew("chain \(names.firewall)") else { return }
        let ranges = Self.widest(frontend.sourceRanges).map(\.description)
        text.rule(names.firewall, "ip saddr != { \(ranges.joined(separator: ", ")) } drop")
    }

    /// The ranges without those that lie in others, which a set of nft may refuse.
    private static func widest(_ ranges: [IPv4Prefix]) -> [IPv4Prefix] {
        var kept: [IPv4Prefix] = []
        for range in ranges.sorted(by: { ($0.length, $0.address.bits) < ($1.length, $1.address.bits) })
        where !kept.contains(where: { $0.contains(range.address) }) {
            kept.append(range)
        }
        return kept
    }

    /// Masquerading of what comes to a ClusterIP; the chain goes on with the choice of an endpoint.
    private mutating func writeInternal(_ port: Port, _ names: NftablesNames, _ frontend: Frontend) {
        guard !(frontend.isLocalPolicy ? port.local : port.cluster).isEmpty else { return }
        let source: String
        if settings.masqueradeAll {
            source = ""
        } else if let podCIDR = settings.podCIDR {
            source = " ip saddr != \(podCIDR)"
        } else {
            return
        }
        text.rule(
            frontend.isLocalPolicy ? names.local : names.cluster,
            "ip daddr \(frontend.address) \(frontend.transport) dport \(frontend.port)\(source) jump mark-for-masquerade"
        )
    }

    /// What comes to the addresses for the world: policy Cluster masquerades all, policy Local nothing but the node's own, and
    /// lets pods and the node reach all endpoints.
    private mutating func writeExternal(_ port: Port, _ names: NftablesNames, isLocalPolicy: Bool) {
        let chain = names.external
        guard isLocalPolicy else {
            text.rule(chain, "jump mark-for-masquerade")
            text.rule(chain, "goto \(names.cluster)")
            return
        }
        if let podCIDR = settings.podCIDR {
            text.rule(chain, "ip saddr \(podCIDR) goto \(names.cluster) comment \"short-circuit pod traffic\"")
        }
        text.rule(chain, "fib saddr type local jump mark-for-masquerade comment \"masquerade local traffic\"")
        text.rule(chain, "fib saddr type local goto \(names.cluster) comment \"short-circuit local traffic\"")
        if !port.local.isEmpty { text.rule(chain, "goto \(names.local)") }
    }

    /// The choice of an endpoint: the one that the client had, or any.
    private mutating func writePolicy(_ port: Port, _ names: NftablesNames, _ chain: String, _ backends: [Backend]) {
        guard !backends.isEmpty else { return }
        if port.affinitySeconds > 0 {
            for backend in backends {
                text.rule(chain, "ip saddr @\(names.affinity(backend)) goto \(names.endpoint(backend))")
            }
        }
        let choices = backends.enumerated().map { "\($0.offset) : goto \(names.endpoint($0.element))" }
        let generator = settings.algorithm == .roundRobin ? "inc" : "random"
        text.rule(chain, "numgen \(generator) mod \(backends.count) vmap { \(choices.joined(separator: ", ")) }")
    }

    private mutating func writeEndpoint(_ backend: Backend, _ port: Port, _ names: NftablesNames) {
        let chain = names.endpoint(backend)
        // A pod that is its own backend would answer itself directly.
        if backend.isLocal { text.rule(chain, "ip saddr \(backend.address) jump mark-for-masquerade") }
        if port.affinitySeconds > 0 {
            let affinity = names.affinity(backend)
            text.open(
                "set \(affinity)",
                "type ipv4_addr",
                "flags dynamic,timeout",
                "timeout \(port.affinitySeconds)s"
            )
            text.rule(chain, "update @\(affinity) { ip saddr }")
        }
        text.rule(chain, "meta l4proto \(port.transport) dnat to \(backend.address):\(backend.port)")
    }
}

extension FrontendKind {
    /// Whether externalTrafficPolicy rules the kind.
    fileprivate var isExternal: Bool {
        switch self {
        case .nodePort, .loadBalancer, .externalIP: true
        case .clusterIP, .hostPort, .none: false
        }
    }
}
