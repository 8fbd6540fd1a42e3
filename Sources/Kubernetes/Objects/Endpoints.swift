package import Wire

/// An Endpoints object (core/v1), the older form of EndpointSlices; it has the name of its Service.
package struct Endpoints: ClusterObject {
    package static let kind = "Endpoints"

    package var metadata: Metadata
    package var origin: Origin?
    package var subsets: [EndpointSubset] = []

    package init(metadata: Metadata, origin: Origin? = nil) {
        self.metadata = metadata
        self.origin = origin
    }
}

/// An entry of `subsets`: every address with every port.
package struct EndpointSubset: Hashable, Sendable {
    package var addresses: [SubsetAddress] = []
    package var notReadyAddresses: [SubsetAddress] = []
    package var ports: [EndpointPort] = []

    package init() {}
}

/// An entry of `addresses` or `notReadyAddresses`.
package struct SubsetAddress: Hashable, Sendable {
    package var address: IPv4Address
    package var nodeName: String?
    package var hostname: String?
    /// `targetRef.name`, the pod as a rule.
    package var targetName: String?

    package init(address: IPv4Address) { self.address = address }
}
