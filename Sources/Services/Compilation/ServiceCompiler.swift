package import Datapath
package import Kubernetes
internal import Wire

/// Compiles the objects of a cluster into the rules of the datapath, as kube-proxy on this node would see them.
///
/// Theory of operation: each Service compiles by itself into a `CompiledService`; these are joined in the order of the
/// Services' names, so that the result depends on the set alone, not on the order of files. All of them are kept.
/// Told what has changed since the last set, the compiler makes only those again that the changes concern, and
/// where only endpoints have changed it writes them into the rules in place. The rules are those of kube-proxy's nftables
/// mode (docs/service-rules.md).
package struct ServiceCompiler: Sendable {
    /// The node that the rules are for.
    package let node: NodeSettings
    private var services: [Service] = []
    private var compiled: [CompiledService] = []
    /// Where the ServicePorts of each Service begin in the rules.
    private var starts: [Int] = []
    private var places: [ServiceName: Int] = [:]
    private var hostPorts: CompiledHostPorts?
    /// The blocks of ServiceCIDRs.
    private var serviceBlocks: [IPv4Prefix] = []
    private var sources = EndpointSources()
    /// The rules for the last set.
    package private(set) var rules = ServiceSpecification()
    /// How many Services the last call has compiled.
    package private(set) var compiledCount = 0

    /// A compiler for a node that has seen nothing yet.
    package init(node: NodeSettings) { self.node = node }

    /// The rules for a set, in one go; `registry` numbers the ServicePorts.
    package static func compile(
        _ set: ManifestSet,
        node: NodeSettings,
        registry: inout ServicePortRegistry
    ) -> ServiceSpecification {
        var compiler = ServiceCompiler(node: node)
        compiler.compile(set, changes: nil, registry: &registry)
        return compiler.rules
    }

    /// Brings the rules to a set, of which `changes` tells how it differs from the last one; nil is unknown.
    package mutating func compile(
        _ set: ManifestSet,
        changes: ManifestChanges?,
        registry: inout ServicePortRegistry
    ) {
        guard let changes, changes.nodes.isEmpty, changes.serviceCIDRs.isEmpty, let hostPorts else {
            return compileAll(set, &registry)
        }
        sources.apply(changes, to: set)
        let touched = sources.concerned(by: changes, set.services)
        let arePortsSame = changes.concernsEndpointsOnly
        if arePortsSame, changes.services.isEmpty {
            updateEndpoints(of: touched)
        } else {
            let ports = arePortsSame ? hostPorts : CompiledHostPorts(set.pods, node: node, registry: &registry)
            compileChanged(set, touched, &registry)
            join(ports)
        }
    }

    private mutating func compileAll(_ set: ManifestSet, _ registry: inout ServicePortRegistry) {
        sources = EndpointSources(set, node: node)
        services = set.services
        serviceBlocks = set.serviceCIDRs.flatMap(\.blocks)
        compiled = services.map { CompiledService($0, node: node, sources: sources, registry: &registry) }
        compiledCount = services.count
        join(CompiledHostPorts(set.pods, node: node, registry: &registry))
    }

    /// Compiles the Services that differ from those of the last set, and those whose endpoints do.
    private mutating func compileChanged(
        _ set: ManifestSet,
        _ touched: Set<ServiceName>,
        _ registry: inout ServicePortRegistry
    ) {
        compiledCount = 0
        compiled = set.services.map { service in
            let name = service.serviceName
            if let place = places[name], services[place] == service, !touched.contains(name) { return compiled[place] }
            compiledCount += 1
            return CompiledService(service, node: node, sources: sources, registry: &registry)
        }
        services = set.services
    }

    private mutating func updateEndpoints(of touched: Set<ServiceName>) {
        compiledCount = 0
        for name in touched {
            guard let place = places[name] else { continue }
            compiledCount += 1
            compiled[place] = compiled[place].updated(services[place], node: node, sources: sources)
            for (offset, port) in compiled[place].servicePorts.enumerated() {
                rules.servicePorts[starts[place] + offset] = port
            }
        }
    }

    /// Joins everything: addresses of Services come first, host ports second, NodePorts last (service-rules 2 and 3).
    private mutating func join(_ ports: CompiledHostPorts) {
        hostPorts = ports
        var joined = ServiceSpecification()
        joined.serviceBlocks = serviceBlocks
        joined.servicePorts.reserveCapacity(rules.servicePorts.count)
        joined.frontends.reserveCapacity(rules.frontends.count)
        places = Dictionary(minimumCapacity: services.count)
        starts = []
        starts.reserveCapacity(services.count)
        for (place, unit) in compiled.enumerated() {
            places[services[place].serviceName] = place
            let start = joined.servicePorts.count
            starts.append(start)
            joined.servicePorts += unit.servicePorts
            joined.frontends += unit.frontends.map { $0.moved(by: start) }
            if let clusterIP = unit.clusterIP { joined.clusterIPs.append(clusterIP) }
            joined.externalAddresses += unit.externalAddresses
            if let port = unit.healthCheckNodePort { joined.hostPorts.append(port) }
        }
        let start = joined.servicePorts.count
        joined.servicePorts += ports.servicePorts
        joined.frontends += ports.frontends.map { $0.moved(by: start) }
        joined.hostPorts += ports.ports
        for (place, unit) in compiled.enumerated() {
            joined.frontends += unit.nodePorts.map { $0.moved(by: starts[place]) }
        }
        rules = joined
    }
}

extension ServiceSpecification.Frontend {
    /// The same frontend where its ServicePort stands `offset` places further on.
    fileprivate func moved(by offset: Int) -> Self {
        var result = self
        result.servicePort += offset
        return result
    }
}
