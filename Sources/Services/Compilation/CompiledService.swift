package import Datapath
internal import Kubernetes
internal import Wire

/// What one Service compiles to, by itself: the unit in which rules are made and made again.
///
/// Frontends name ServicePorts by their places in `servicePorts` here.
struct CompiledService: Sendable {
    var servicePorts: [ServiceSpecification.ServicePort] = []
    /// Addresses of the Service.
    var frontends: [ServiceSpecification.Frontend] = []
    /// NodePorts, which come behind the addresses of all Services.
    var nodePorts: [ServiceSpecification.Frontend] = []
    var clusterIP: IPv4Address?
    var externalAddresses: [IPv4Address] = []
    var healthCheckNodePort: UInt16?

    /// A Service that is not served.
    init() {}

    /// Compiles a Service.
    init(
        _ service: Service,
        node: NodeSettings,
        sources: EndpointSources,
        registry: inout ServicePortRegistry
    ) {
        guard service.isProxied else { return }
        clusterIP = service.clusterIP.address
        healthCheckNodePort = service.healthCheckNodePort
        externalAddresses = service.loadBalancerVIPs + service.externalIPs
        for port in service.ports {
            guard let transport = port.transport.wire else { continue }
            servicePorts.append(
                Self.servicePort(service, port, transport, node: node, sources: sources, registry: &registry)
            )
            addFrontends(service, port, transport, node)
        }
    }

    /// The same with its endpoints looked up again, nothing else having changed.
    func updated(
        _ service: Service,
        node: NodeSettings,
        sources: EndpointSources
    ) -> CompiledService {
        var result = self
        var number = 0
        for port in service.ports where port.transport.wire != nil && number < servicePorts.count {
            result.servicePorts[number].setEndpoints(sources.records(of: service, port: port), of: service, node)
            number += 1
        }
        return result
    }

    private static func servicePort(
        _ service: Service,
        _ port: ServicePort,
        _ transport: Wire.TransportProtocol,
        node: NodeSettings,
        sources: EndpointSources,
        registry: inout ServicePortRegistry
    ) -> ServiceSpecification.ServicePort {
        let identity = ServicePortIdentity(
            namespace: service.metadata.namespace,
            name: service.metadata.name,
            portName: port.name,
            transport: transport
        )
        let name = service.name(of: port)
        var result = ServiceSpecification.ServicePort(
            identifier: registry.number(of: identity, name: name),
            name: name,
            cluster: [],
            local: [],
            hasAny: false,
            affinitySeconds: UInt32(clamping: service.clientIPAffinity ?? 0),
            transport: transport
        )
        result.setEndpoints(sources.records(of: service, port: port), of: service, node)
        return result
    }

    private mutating func addFrontends(
        _ service: Service,
        _ port: ServicePort,
        _ transport: Wire.TransportProtocol,
        _ node: NodeSettings
    ) {
        let place = servicePorts.count - 1
        let isLocal = service.externalTrafficPolicy == .local
        func frontend(
            _ kind: FrontendKind,
            _ address: IPv4Address,
            _ number: UInt16,
            isLocal: Bool,
            ranges: [IPv4Prefix] = []
        ) -> ServiceSpecification.Frontend {
            .init(
                kind: kind,
                address: address,
                port: number,
                transport: transport,
                servicePort: place,
                isLocalPolicy: isLocal,
                sourceRanges: ranges
            )
        }
        if let clusterIP {
            let isInternal = service.internalTrafficPolicy == .local
            frontends.append(frontend(.clusterIP, clusterIP, port.port, isLocal: isInternal))
        }
        for address in service.externalIPs {
            frontends.append(frontend(.externalIP, address, port.port, isLocal: isLocal))
        }
        for address in service.loadBalancerVIPs {
            let ranges = service.admittedRanges
            frontends.append(frontend(.loadBalancer, address, port.port, isLocal: isLocal, ranges: ranges))
        }
        guard let nodePort = port.nodePort, service.type == .nodePort || service.type == .loadBalancer else { return }
        for address in node.nodePortAddresses {
            nodePorts.append(frontend(.nodePort, address, nodePort, isLocal: isLocal))
        }
    }
}

extension Service {
    /// Whether kube-proxy programs the Service at all (pkg/proxy/util/utils.go `ShouldSkipService`).
    var isProxied: Bool { type != .externalName && !isHeadless && !hasOtherProxy && !isIPv6Only }

    /// Any zero-length range means no restriction (pkg/proxy/serviceport.go `newBaseServiceInfo`).
    fileprivate var admittedRanges: [IPv4Prefix] {
        loadBalancerSourceRanges.contains { $0.length == 0 } ? [] : loadBalancerSourceRanges
    }
}

extension ServiceSpecification.ServicePort {
    /// Takes over the endpoints that each policy may use.
    fileprivate mutating func setEndpoints(_ records: [EndpointRecord], of service: Service, _ node: NodeSettings) {
        let categories = EndpointCategories(records, nodeName: node.name, zone: node.zone)
        cluster = categories.cluster.map(\.backend)
        local = categories.local == categories.cluster ? cluster : categories.local.map(\.backend)
        hasAny = categories.hasAny
        known = records.map { $0.known(publishesNotReady: service.publishNotReadyAddresses) }
    }
}

extension EndpointRecord {
    /// The endpoint as the datapath sees it.
    package var backend: Backend { Backend(address: address, port: port, isLocal: isLocal) }

    /// With `publishNotReadyAddresses` what does not serve keeps its flows all the same: it would be chosen again.
    fileprivate func known(publishesNotReady: Bool) -> ServiceSpecification.KnownEndpoint {
        let isServing = isServing || (publishesNotReady && isReady)
        return ServiceSpecification.KnownEndpoint(address, port, isServing: isServing, isReady: isReady)
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
