internal import Datapath
internal import Kubernetes
internal import Services
internal import Wire

/// The Services of the cluster and their endpoints, as the running datapath has them.
///
/// Addresses and ports are those of the compiled rules, so that what was allocated is shown with what was written.
struct ServicesResource {
    private let cluster: Cluster
    /// What was compiled, by the name of the ServicePort.
    private let compiled: [String: (port: ServiceSpecification.ServicePort, frontends: [ServiceSpecification.Frontend])]
    /// The ports of the health checks that are answered.
    private let healthCheckPorts: [ServiceName: UInt16]

    init(_ context: ControlContext) {
        cluster = context.cluster()
        let rules = cluster.rules
        var compiled: [String: (port: ServiceSpecification.ServicePort, frontends: [ServiceSpecification.Frontend])] =
            [:]
        for port in rules.servicePorts { compiled[port.name] = (port: port, frontends: []) }
        for frontend in rules.frontends {
            compiled[rules.servicePorts[frontend.servicePort].name]?.frontends.append(frontend)
        }
        self.compiled = compiled
        healthCheckPorts = Dictionary(
            HealthCheck.all(in: cluster.manifests, rules).map { ($0.service, $0.port) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private var sorted: [Service] {
        cluster.manifests.services.sorted {
            ($0.metadata.namespace, $0.metadata.name) < ($1.metadata.namespace, $1.metadata.name)
        }
    }

    /// One item for each Service, in the order of namespaces and names.
    func services() -> [JSONValue] { sorted.map(service) }

    private func service(_ service: Service) -> JSONValue {
        let frontends = service.ports.flatMap { compiled[service.name(of: $0)]?.frontends ?? [] }
        func addresses(_ kind: FrontendKind) -> [String] {
            let found = frontends.filter { $0.kind == kind }.map(\.address)
            return Set(found).sorted().map(\.description)
        }
        let clusterIP: String? = service.isHeadless ? "None" : addresses(.clusterIP).first
        let ready = service.ports.map { compiled[service.name(of: $0)]?.port.cluster.count ?? 0 }
        return .object([
            ("namespace", .string(service.metadata.namespace)), ("name", .string(service.metadata.name)),
            ("type", .string(service.type.rawValue)), ("clusterIP", .optional(clusterIP)),
            ("loadBalancerIPs", .array(addresses(.loadBalancer).map { .string($0) })),
            ("externalIPs", .array(addresses(.externalIP).map { .string($0) })),
            ("externalName", .optional(service.externalName)),
            ("externalTrafficPolicy", .string(service.externalTrafficPolicy.rawValue)),
            ("internalTrafficPolicy", .string(service.internalTrafficPolicy.rawValue)),
            ("affinitySeconds", .optional(service.clientIPAffinity)), ("backends", .number(ready.max() ?? 0)),
            ("ports", .array(service.ports.map { port(service, $0) })),
            ("healthCheckNodePort", .optional(healthCheckPorts[service.serviceName].map { Int($0) })),
        ])
    }

    private func port(_ service: Service, _ port: ServicePort) -> JSONValue {
        let name = service.name(of: port)
        let found = compiled[name]
        let nodePort = found?.frontends.first { $0.kind == .nodePort }?.port
        return .object([
            ("service", .string(name)), ("name", port.name.isEmpty ? .null : .string(port.name)),
            ("protocol", .string(port.transport.rawValue.lowercased())), ("port", .number(Int(port.port))),
            ("nodePort", .optional(nodePort.map { Int($0) })), ("id", .optional(found.map { Int($0.port.identifier) })),
            ("backends", .number(found?.port.cluster.count ?? 0)),
            ("localBackends", .number(found?.port.cluster.count(where: \.isLocal) ?? 0)),
            ("frontends", .array((found?.frontends ?? []).map(frontend))),
        ])
    }

    private func frontend(_ frontend: ServiceSpecification.Frontend) -> JSONValue {
        .object([
            ("frontend", .string(frontend.kind.word)), ("address", .string("\(frontend.address):\(frontend.port)")),
            ("policy", .string(frontend.isLocalPolicy ? "Local" : "Cluster")),
            ("sourceRanges", .array(frontend.sourceRanges.map { .string($0.description) })),
        ])
    }

    /// One item for each port of a Service, with its endpoints, ready or not.
    ///
    /// `inUse` says whether new connections may get an endpoint by either policy: that depends on what else there is.
    func endpoints() -> [JSONValue] {
        let listing = EndpointListing(cluster.manifests, node: cluster.node)
        return sorted.flatMap { service in
            service.ports.map { port in
                let name = service.name(of: port)
                let used = compiled[name].map { Set($0.port.cluster + $0.port.local) } ?? []
                let endpoints = listing.records(of: service, port: port).map { endpoint($0, used) }
                return JSONValue.object([
                    ("namespace", .string(service.metadata.namespace)), ("name", .string(service.metadata.name)),
                    ("service", .string(name)), ("protocol", .string(port.transport.rawValue.lowercased())),
                    ("endpoints", .array(endpoints)),
                ])
            }
        }
    }

    private func endpoint(_ record: EndpointRecord, _ used: Set<Backend>) -> JSONValue {
        .object([
            ("backend", .string("\(record.address):\(record.port)")), ("local", .bool(record.isLocal)),
            ("ready", .bool(record.isReady)), ("serving", .bool(record.isServing)),
            ("terminating", .bool(record.isTerminating)), ("inUse", .bool(used.contains(record.backend))),
        ])
    }
}
