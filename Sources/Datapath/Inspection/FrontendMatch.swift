internal import Tables
package import Wire

/// What the service rules say of a new flow, read only: what "balance" looks at, for those who explain it.
package struct FrontendMatch: Sendable {
    /// Which endpoints of a ServicePort a source may use.
    package enum Scope: String, Sendable {
        /// Those for policy Cluster.
        case cluster
        /// Those for policy Local.
        case local
    }

    /// The frontend that the destination is.
    package let frontend: ServiceSpecification.Frontend
    /// What stands behind it.
    package let servicePort: ServiceSpecification.ServicePort
    /// Whether `loadBalancerSourceRanges` let the source in.
    package let isAdmitted: Bool
    /// The set that the policy and the source lead to.
    package let scope: Scope
    /// The endpoints of that set, in the order in which a choice counts them.
    package let endpoints: [Backend]
    /// Where the Maglev table is looked into; nil with another algorithm, or without a table.
    package let maglev: MaglevPlace?
}

/// The place of a Maglev table that a flow leads to.
package struct MaglevPlace: Sendable {
    /// The hash of the flow.
    package let hash: UInt32
    /// The slot: the hash modulo the size.
    package let slot: Int
    /// The number of slots.
    package let size: Int
}

/// What an address is to the datapath, by itself.
package enum AddressRole: Sendable {
    /// One of the node's own.
    case node
    /// Where the datapath itself is the cluster's DNS.
    case nameServer
    /// An allocated ClusterIP.
    case clusterIP
    /// A load balancer's or external address.
    case external
    /// Within the ClusterIPs, but no Service's.
    case unallocated
    /// Within `podCIDR`.
    case pod
    /// None of these.
    case other
}

extension Pipeline {
    /// The frontend that a new flow with this tuple belongs to, found as "balance" finds it.
    package func frontendMatch(_ tuple: FlowTuple, _ transport: TransportProtocol) -> FrontendMatch? {
        guard let number = services.frontend(tuple.destination, tuple.destinationPort, transport) else { return nil }
        let frontend = services.frontends[number]
        let set = endpoints(of: frontend, for: tuple.source)
        return FrontendMatch(
            frontend: services.specification.frontends[Int(number)],
            servicePort: services.specification.servicePorts[Int(frontend.servicePort)],
            isAdmitted: services.admits(tuple.source, to: frontend),
            scope: usesLocalEndpoints(frontend, for: tuple.source) ? .local : .cluster,
            endpoints: (set.first..<set.first + set.count).map { services.backends[$0] },
            maglev: maglevPlace(tuple, transport, set, affinity: frontend.port.affinitySeconds)
        )
    }

    private func maglevPlace(
        _ tuple: FlowTuple,
        _ transport: TransportProtocol,
        _ set: ServiceTable.EndpointSet,
        affinity seconds: UInt32
    ) -> MaglevPlace? {
        guard case .maglev(let size) = services.algorithm, set.table != ServiceTable.EndpointSet.noTable else {
            return nil
        }
        let hash = maglevHash(tuple, transport, affinity: seconds)
        return MaglevPlace(hash: hash, slot: Int(hash) % size, size: size)
    }

    /// What an address is: a node's before a Service's, these before the blocks they lie in.
    package func role(of address: IPv4Address) -> AddressRole {
        if isNodeAddress(address) { return .node }
        if isNameServer(address) { return .nameServer }
        let kind = services.kind(of: address)
        if kind.contains(.clusterIP) { return .clusterIP }
        if kind.contains(.external) { return .external }
        if isAmongClusterIPs(address) { return .unallocated }
        if let podCIDR = configuration.podCIDR, podCIDR.contains(address) { return .pod }
        return .other
    }
}

extension ServiceTable {
    /// Where the endpoints of a ServicePort lie among `backend(_:)`, by policy; both are one range where they are equal.
    package func endpointRanges(of servicePort: Int) -> (cluster: Range<Int>, local: Range<Int>) {
        let port = servicePorts[servicePort]
        return (
            Int(port.cluster.first)..<Int(port.cluster.first + port.cluster.count),
            Int(port.local.first)..<Int(port.local.first + port.local.count)
        )
    }

    /// How many places the backend map has.
    package var backendCount: Int { backends.count }

    /// An entry of the backend map.
    package func backend(_ number: Int) -> Backend { backends[number] }

    /// The index of the frontend that packets to an address and port find, of several with one key the first.
    package func frontendNumber(
        _ address: IPv4Address,
        _ port: UInt16,
        _ transport: TransportProtocol
    ) -> Int? {
        frontend(address, port, transport).map { Int($0) }
    }
}
