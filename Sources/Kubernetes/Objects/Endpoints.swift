package import Wire

/// An Endpoints object (core/v1), the older form of EndpointSlices; it has the name of its Service.
package struct Endpoints: ClusterObject {
    /// The word of the `kind` field.
    package static let kind = "Endpoints"

    /// Name, namespace and labels.
    package var metadata: Metadata
    /// Where the object was read; nil for one that a control loop made.
    package var origin: Origin?
    /// `subsets`, in their order.
    package var subsets: [EndpointSubset] = []

    /// An object with nothing but its name; the rest is filled in afterwards.
    package init(metadata: Metadata, origin: Origin? = nil) {
        self.metadata = metadata
        self.origin = origin
    }
}

/// An entry of `subsets`: every address with every port.
package struct EndpointSubset: Hashable, Sendable {
    /// Endpoints that are ready.
    package var addresses: [SubsetAddress] = []
    /// Endpoints that are not.
    package var notReadyAddresses: [SubsetAddress] = []
    /// The ports of all of them.
    package var ports: [EndpointPort] = []

    /// An empty one, to be filled in.
    package init() {}
}

/// An entry of `addresses` or `notReadyAddresses`.
package struct SubsetAddress: Hashable, Sendable {
    /// `ip`.
    package var address: IPv4Address
    /// The node that the endpoint is on; nil is unknown.
    package var nodeName: String?
    /// The name that DNS gives the endpoint below a headless Service.
    package var hostname: String?
    /// `targetRef.name`, the pod as a rule.
    package var targetName: String?

    /// An address of which nothing else is known.
    package init(address: IPv4Address) { self.address = address }
}
