package import Wire

/// An EndpointSlice (discovery.k8s.io/v1): some endpoints of one Service, with the ports they share.
package struct EndpointSlice: ClusterObject {
    package static let kind = "EndpointSlice"

    package var metadata: Metadata
    package var origin: Origin?
    package var addressType: AddressType
    /// Empty in slices of other address types than IPv4: nothing there concerns Culvert.
    package var endpoints: [Endpoint] = []
    package var ports: [EndpointPort] = []

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
    package var conditions = EndpointConditions()
    package var nodeName: String?
    package var hostname: String?
    package var zone: String?
    /// Nil where there is no `hints.forZones`; an empty list counts as none.
    package var zoneHints: [String]?
    /// Nil where there is no `hints.forNodes`; an empty list counts as none.
    package var nodeHints: [String]?
    /// `targetRef.name`, the pod as a rule.
    package var targetName: String?

    package init(addresses: [IPv4Address]) { self.addresses = addresses }
}

/// `conditions` of an endpoint; nil is unknown, and read as `effective…` says (discovery/v1 types.go).
package struct EndpointConditions: Hashable, Sendable {
    package var ready: Bool?
    package var serving: Bool?
    package var terminating: Bool?

    package init(ready: Bool? = nil, serving: Bool? = nil, terminating: Bool? = nil) {
        self.ready = ready
        self.serving = serving
        self.terminating = terminating
    }

    package var isReady: Bool { ready ?? true }
    package var isServing: Bool { serving ?? true }
    package var isTerminating: Bool { terminating ?? false }
}

/// A port of an EndpointSlice or of a subset of Endpoints.
package struct EndpointPort: Hashable, Sendable {
    /// Matches the name of the Service's port; empty for an unnamed one.
    package var name = ""
    package var transport = TransportProtocol.tcp
    /// Nil means all ports, which a translation cannot use.
    package var port: UInt16?
    package var appProtocol: String?

    package init(name: String = "", transport: TransportProtocol = .tcp, port: UInt16?) {
        self.name = name
        self.transport = transport
        self.port = port
    }
}
