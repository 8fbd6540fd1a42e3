package import Wire

/// What a service table is made from: the rules of the cluster in plain values, as the compiler of manifests gives
/// them.
///
/// The order of the arrays is kept; nothing depends on a dictionary's order.
package struct ServiceSpecification: Sendable {
    /// A port of a Service with the endpoints that each policy may use (pkg/proxy/topology.go `CategorizeEndpoints`).
    package struct ServicePort: Sendable {
        /// A number that stays with the ServicePort over reloads, from 1.
        package var identifier: UInt32
        /// `namespace/name:port`; the port by its name, or by its number when it has none.
        package var name: String
        /// The endpoints for policy Cluster.
        package var cluster: [Backend]
        /// The endpoints for policy Local.
        package var local: [Backend]
        /// Whether any usable endpoint exists anywhere: an empty set is a drop then, and a rejection otherwise.
        package var hasAny: Bool
        /// Session affinity by client address, in seconds; 0 for none.
        package var affinitySeconds: UInt32
        /// The protocol of the port.
        package var transport: TransportProtocol
        /// Every endpoint that there is, whatever its condition: what a reload holds flows against.
        package var known: [KnownEndpoint]

        /// Whether both policies may use the same endpoints, so that these lie in the table once.
        var sharesSets: Bool { local == cluster }

        /// A ServicePort from its parts; without `known` the endpoints of both policies are all there are.
        package init(
            identifier: UInt32,
            name: String,
            cluster: [Backend],
            local: [Backend],
            hasAny: Bool,
            affinitySeconds: UInt32 = 0,
            transport: TransportProtocol = .tcp,
            known: [KnownEndpoint]? = nil
        ) {
            self.identifier = identifier
            self.name = name
            self.cluster = cluster
            self.local = local
            self.hasAny = hasAny
            self.affinitySeconds = affinitySeconds
            self.transport = transport
            // Mostly both are the same.
            let all = cluster == local ? cluster : cluster + local.filter { !cluster.contains($0) }
            self.known = known ?? all.map { KnownEndpoint($0.address, $0.port, isServing: true) }
        }
    }

    /// An endpoint of a ServicePort, be it used or not.
    package struct KnownEndpoint: Hashable, Sendable, BitwiseCopyable {
        /// Its address.
        package var address: IPv4Address
        /// Its port in host byte order.
        package var port: UInt16
        /// Whether it answers: policy, topology and an end that is near do not matter (pkg/proxy/conntrack/cleanup.go).
        package var isServing: Bool
        /// Whether it is ready, and so counts for health checks; what terminates does not, though it may serve.
        package var isReady: Bool

        /// An endpoint with its condition.
        package init(_ address: IPv4Address, _ port: UInt16, isServing: Bool, isReady: Bool? = nil) {
            self.address = address
            self.port = port
            self.isServing = isServing
            self.isReady = isReady ?? isServing
        }
    }

    /// An address and port under which a ServicePort is reached.
    package struct Frontend: Sendable {
        /// What kind of address it is.
        package var kind: FrontendKind
        /// The address that clients use.
        package var address: IPv4Address
        /// The port that clients use, in host byte order.
        package var port: UInt16
        /// TCP or UDP.
        package var transport: TransportProtocol
        /// The index of its ServicePort.
        package var servicePort: Int
        /// Whether the policy that rules this kind of address is Local: internalTrafficPolicy for a ClusterIP,
        /// externalTrafficPolicy for the others.
        package var isLocalPolicy: Bool
        /// `loadBalancerSourceRanges`; empty for no restriction.
        package var sourceRanges: [IPv4Prefix]

        /// A frontend from its parts.
        package init(
            kind: FrontendKind,
            address: IPv4Address,
            port: UInt16,
            transport: TransportProtocol,
            servicePort: Int,
            isLocalPolicy: Bool = false,
            sourceRanges: [IPv4Prefix] = []
        ) {
            self.kind = kind
            self.address = address
            self.port = port
            self.transport = transport
            self.servicePort = servicePort
            self.isLocalPolicy = isLocalPolicy
            self.sourceRanges = sourceRanges
        }
    }

    /// All ports of all Services; frontends name them by their places here.
    package var servicePorts: [ServicePort] = []
    /// Earlier entries win over later ones with the same address, port and protocol.
    package var frontends: [Frontend] = []
    /// Allocated ClusterIPs: an unknown port of theirs is refused.
    package var clusterIPs: [IPv4Address] = []
    /// Blocks of ClusterIPs besides the configured one: what is nobody's in there is dropped.
    package var serviceBlocks: [IPv4Prefix] = []
    /// Load balancer and external addresses: an unknown port of theirs is passed, or dropped by `unknownPorts`.
    package var externalAddresses: [IPv4Address] = []
    /// Ports of node addresses that no masqueraded flow may use, besides the NodePort range: host ports, those that
    /// pods of the host network listen on, those for health checks.
    package var hostPorts: [UInt16] = []

    /// A cluster without Services.
    package init() {}
}

/// An endpoint as the datapath sees it.
package struct Backend: Hashable, Sendable, BitwiseCopyable {
    /// The address that translated packets go to.
    package var address: IPv4Address
    /// The port that they go to, in host byte order.
    package var port: UInt16
    /// Whether it runs on this node.
    package var isLocal: Bool

    /// An endpoint from its parts.
    package init(address: IPv4Address, port: UInt16, isLocal: Bool) {
        self.address = address
        self.port = port
        self.isLocal = isLocal
    }
}
