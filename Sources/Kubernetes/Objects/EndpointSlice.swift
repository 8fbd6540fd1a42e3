package import Wire

/// An EndpointSlice (discovery.k8s.io/v1): some endpoints of one Service, with the ports they share.
package struct EndpointSlice: ClusterObject {
    /// The word of the `kind` field.
    package static let kind = "EndpointSlice"

    /// Name, namespace and labels.
    package var metadata: Metadata
    /// Where the object was read; nil for one that a control loop made.
    package var origin: Origin?
    /// What the addresses are.
    package var addressType: AddressType
    /// Empty in slices of other address types than IPv4: nothing there concerns Culvert.
    package var endpoints: [Endpoint] = []
    /// The ports of all endpoints.
    package var ports: [EndpointPort] = []

    /// A slice without endpoints and ports.
    package init(metadata: Metadata, addressType: AddressType = .ipv4, origin: Origin? = nil) {
        self.metadata = metadata
        self.addressType = addressType
        self.origin = origin
    }

    /// The Service that the slice belongs to, in its own namespace; nil for orphans.
    package var serviceName: String? {
        metadata.labels["kubernetes.io/service-name"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether the slice belongs to a headless Service, so that kube-proxy does not look at it.
    package var isHeadless: Bool { metadata.labels["service.kubernetes.io/headless"] != nil }
}

/// `addressType` of an EndpointSlice.
package enum AddressType: String, CaseIterable, Sendable {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"
    case fqdn = "FQDN"
}

/// An entry of `endpoints` of an EndpointSlice.
package struct Endpoint: Hashable, Sendable {
    /// As kube-proxy, readers use the first one only.
    package var addresses: [IPv4Address]
    /// What is known of the endpoint's state.
    package var conditions = EndpointConditions()
    /// The node that the endpoint is on; nil is unknown, and counts as another node.
    package var nodeName: String?
    /// The name that DNS gives the endpoint below a headless Service.
    package var hostname: String?
    /// The zone that the endpoint is in.
    package var zone: String?
    /// Nil where there is no `hints.forZones`; an empty list counts as none.
    package var zoneHints: [String]?
    /// Nil where there is no `hints.forNodes`; an empty list counts as none.
    package var nodeHints: [String]?
    /// `targetRef.name`, the pod as a rule.
    package var targetName: String?

    /// An endpoint of which nothing else is known.
    package init(addresses: [IPv4Address]) { self.addresses = addresses }
}

/// `conditions` of an endpoint; nil is unknown, and read as `is…` says (discovery/v1 types.go).
package struct EndpointConditions: Hashable, Sendable {
    /// Whether it takes new connections.
    package var ready: Bool?
    /// Whether it would be ready if it were not terminating.
    package var serving: Bool?
    /// Whether it is on its way out.
    package var terminating: Bool?

    /// Conditions as given; nil is unknown.
    package init(ready: Bool? = nil, serving: Bool? = nil, terminating: Bool? = nil) {
        self.ready = ready
        self.serving = serving
        self.terminating = terminating
    }

    /// `ready`, where unknown is true.
    package var isReady: Bool { ready ?? true }
    /// `serving`, where unknown is true.
    package var isServing: Bool { serving ?? true }
    /// `terminating`, where unknown is false.
    package var isTerminating: Bool { terminating ?? false }
}

/// A port of an EndpointSlice or of a subset of Endpoints.
package struct EndpointPort: Hashable, Sendable {
    /// Matches the name of the Service's port; empty for an unnamed one.
    package var name = ""
    /// `protocol`; `TCP` where the manifest has none.
    package var transport = TransportProtocol.tcp
    /// Nil means all ports, which a translation cannot use.
    package var port: UInt16?
    /// The protocol above the transport, as a hint that Culvert only carries.
    package var appProtocol: String?

    /// A port with these values.
    package init(name: String = "", transport: TransportProtocol = .tcp, port: UInt16?) {
        self.name = name
        self.transport = transport
        self.port = port
    }
}
