package import Wire

/// A Node (core/v1).
package struct Node: ClusterObject {
    /// The word of the `kind` field.
    package static let kind = "Node"

    /// Name, namespace and labels.
    package var metadata: Metadata
    /// Where the object was read; nil for one that a control loop made.
    package var origin: Origin?
    /// The IPv4 entries of `spec.podCIDRs`, or of `spec.podCIDR` where there are none.
    package var podCIDRs: [IPv4Prefix] = []
    /// The IPv4 addresses and names of `status.addresses`, in their order.
    package var addresses: [NodeAddress] = []

    /// An object with nothing but its name; the rest is filled in afterwards.
    package init(metadata: Metadata, origin: Origin? = nil) {
        self.metadata = metadata
        self.origin = origin
    }

    /// `topology.kubernetes.io/zone`, which topology hints name.
    package var zone: String? { metadata.labels["topology.kubernetes.io/zone"] }

    /// The addresses of type InternalIP, the primary one first.
    package var internalIPs: [IPv4Address] { addresses(of: "InternalIP") }

    /// The IPv4 addresses of one type, in their order.
    package func addresses(of type: String) -> [IPv4Address] {
        addresses.compactMap { $0.type == type ? $0.address : nil }
    }
}

/// An entry of `status.addresses` of a Node.
package struct NodeAddress: Hashable, Sendable {
    /// `InternalIP`, `ExternalIP`, `Hostname`, `InternalDNS` or `ExternalDNS`.
    package var type: String
    /// An address or a name.
    package var value: String
    /// The value, where it is an IPv4 address.
    package var address: IPv4Address?

    /// An entry with these values.
    package init(type: String, value: String) {
        self.type = type
        self.value = value
        address = IPv4Address(value)
    }
}
