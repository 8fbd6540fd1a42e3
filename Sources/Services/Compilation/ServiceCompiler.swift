package import Datapath
package import Kubernetes
internal import Wire

/// Compiles the objects of a cluster into the rules of the datapath, as kube-proxy on this node would see them.
///
/// The rules are those of kube-proxy's nftables mode (docs/service-rules.md). The result depends on the set alone, not on
/// the order of files: objects come sorted by namespace and name.
package struct ServiceCompiler {
    private let set: ManifestSet
    private let node: NodeSettings
    private let sources: EndpointSources
    private var rules = ServiceSpecification()

    private init(_ set: ManifestSet, node: NodeSettings) {
        self.set = set
        self.node = node
        sources = EndpointSources(set, nodeName: node.name)
    }

    /// The rules for a set; `registry` numbers the ServicePorts.
    package static func compile(
        _ set: ManifestSet,
        node: NodeSettings,
        registry: inout ServicePortRegistry
    ) -> ServiceSpecification {
        var compiler = ServiceCompiler(set, node: node)
        // Addresses of Services come first, host ports second, NodePorts last (service-rules 2 and 3).
        var nodePorts: [ServiceSpecification.Frontend] = []
        for service in set.services where isProxied(service) { compiler.add(service, &nodePorts, &registry) }
        for pod in set.pods { compiler.addHostPorts(of: pod, &registry) }
        compiler.rules.frontends += nodePorts
        return compiler.rules
    }

    /// Whether kube-proxy programs a Service at all (pkg/proxy/util/utils.go `ShouldSkipService`).
    private static func isProxied(_ service: Service) -> Bool {
        service.type != .externalName && !service.isHeadless && !service.hasOtherProxy && !service.isIPv6Only
    }

    private mutating func add(
        _ service: Service,
        _ nodePorts: inout [ServiceSpecification.Frontend],
        _ registry: inout ServicePortRegistry
    ) {
        if let clusterIP = service.clusterIP.address { rules.clusterIPs.append(clusterIP) }
        rules.externalAddresses += service.loadBalancerVIPs + service.externalIPs
        if let port = service.healthCheckNodePort { rules.hostPorts.append(port) }
        for port in service.ports {
            guard let transport = port.transport.wire else { continue }
            let number = addServicePort(service, port, transport, &registry)
            let external = service.externalTrafficPolicy == .local
            if let clusterIP = service.clusterIP.address {
                rules.frontends.append(
                    .init(
                        kind: .clusterIP,
                        address: clusterIP,
                        port: port.port,
                        transport: transport,
                        servicePort: number,
                        isLocalPolicy: service.internalTrafficPolicy == .local
                    )
                )
            }
            for address in service.externalIPs {
                rules.frontends.append(
                    .init(
                        kind: .externalIP,
                        address: address,
                        port: port.port,
                        transport: transport,
                        servicePort: number,
                        isLocalPolicy: external
                    )
                )
            }
            for address in service.loadBalancerVIPs {
                rules.frontends.append(
                    .init(
                        kind: .loadBalancer,
                        address: address,
                        port: port.port,
                        transport: transport,
                        servicePort: number,
                        isLocalPolicy: external,
                        sourceRanges: sourceRanges(of: service)
                    )
                )
            }
            guard let nodePort = port.nodePort, service.type == .nodePort || service.type == .loadBalancer else {
                continue
            }
            for address in node.nodePortAddresses {
                nodePorts.append(
                    .init(
                        kind: .nodePort,
                        address: address,
                        port: nodePort,
                        transport: transport,
                        servicePort: number,
                        isLocalPolicy: external
                    )
                )
            }
        }
    }

    /// Any zero-length range means no restriction (pkg/proxy/serviceport.go `newBaseServiceInfo`).
    private func sourceRanges(of service: Service) -> [IPv4Prefix] {
        let ranges = service.loadBalancerSourceRanges
        return ranges.contains { $0.length == 0 } ? [] : ranges
    }

    private mutating func addServicePort(
        _ service: Service,
        _ port: ServicePort,
        _ transport: Wire.TransportProtocol,
        _ registry: inout ServicePortRegistry
    ) -> Int {
        let records = sources.records(of: service, port: port)
        let categories = EndpointCategories(records, nodeName: node.name, zone: node.zone)
        let identity = ServicePortIdentity(
            namespace: service.metadata.namespace,
            name: service.metadata.name,
            portName: port.name,
            transport: transport
        )
        let shown = port.name.isEmpty ? "\(port.port)" : port.name
        let name = "\(service.metadata.namespace)/\(service.metadata.name):\(shown)"
        rules.servicePorts.append(
            .init(
                identifier: registry.number(of: identity, name: name),
                name: name,
                cluster: categories.cluster.map(\.backend),
                local: categories.local.map(\.backend),
                hasAny: categories.hasAny,
                affinitySeconds: UInt32(clamping: service.clientIPAffinity ?? 0),
                transport: transport,
                known: records.map { $0.known(publishesNotReady: service.publishNotReadyAddresses) }
            )
        )
        return rules.servicePorts.count - 1
    }

    /// The host ports of a pod on this node, as the CNI portmap plugin opens them.
    private mutating func addHostPorts(of pod: Pod, _ registry: inout ServicePortRegistry) {
        guard pod.nodeName == node.name, !pod.isFinished else { return }
        if pod.hostNetwork {
            // It listens on the node's own ports: nothing to translate, but nobody may be given them.
            rules.hostPorts += pod.ports.compactMap(\.hostPort)
            return
        }
        guard let address = pod.podIP else { return }
        for port in pod.ports {
            guard let hostPort = port.hostPort, let transport = port.transport.wire else { continue }
            let shown = port.name.isEmpty ? "\(hostPort)" : port.name
            let name = "\(pod.metadata.namespace)/\(pod.metadata.name):\(shown)"
            let identity = ServicePortIdentity(
                namespace: pod.metadata.namespace,
                name: "pod/" + pod.metadata.name,
                portName: "host-\(hostPort)",
                transport: transport
            )
            let backend = Backend(address: address, port: port.containerPort, isLocal: true)
            rules.servicePorts.append(
                .init(
                    identifier: registry.number(of: identity, name: name),
                    name: name,
                    cluster: [backend],
                    local: [backend],
                    hasAny: true,
                    transport: transport
                )
            )
            rules.hostPorts.append(hostPort)
            // A hostIP that is no address of the node's must not capture what is sent to somebody else.
            for nodeAddress in node.addresses where port.hostIP == nil || port.hostIP == nodeAddress {
                rules.frontends.append(
                    .init(
                        kind: .hostPort,
                        address: nodeAddress,
                        port: hostPort,
                        transport: transport,
                        servicePort: rules.servicePorts.count - 1
                    )
                )
            }
        }
    }
}

extension EndpointRecord {
    /// The endpoint as the datapath sees it.
    package var backend: Backend { Backend(address: address, port: port, isLocal: isLocal) }

    /// With `publishNotReadyAddresses` what does not serve keeps its flows all the same: it would be chosen again.
    fileprivate func known(publishesNotReady: Bool) -> ServiceSpecification.KnownEndpoint {
        ServiceSpecification.KnownEndpoint(address, port, isServing: isServing || (publishesNotReady && isReady))
    }
}

extension Kubernetes.TransportProtocol {
    /// The protocol number; nil for those that Culvert does not forward.
    var wire: Wire.TransportProtocol? {
        switch self {
        case .tcp: .tcp
        case .udp: .udp
        case .sctp: nil
        }
    }
}
