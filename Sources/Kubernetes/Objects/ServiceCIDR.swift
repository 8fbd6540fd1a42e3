package import Wire

/// A ServiceCIDR (networking.k8s.io/v1): blocks in which ClusterIPs may lie besides the configured one (KEP-1880).
package struct ServiceCIDR: ClusterObject {
    /// The word of the `kind` field.
    package static let kind = "ServiceCIDR"

    /// Name and labels.
    package var metadata: Metadata
    /// Where the object was read; nil for one that a control loop made.
    package var origin: Origin?
    /// The IPv4 entries of `spec.cidrs`.
    package var blocks: [IPv4Prefix] = []

    /// An object with nothing but its name; the rest is filled in afterwards.
    package init(metadata: Metadata, origin: Origin? = nil) {
        self.metadata = metadata
        self.origin = origin
    }
}

extension [ServiceCIDR] {
    /// The blocks of all, without the one that is configured: a cluster has that as an object of its own.
    package func blocks(besides configured: IPv4Prefix?) -> [IPv4Prefix] {
        flatMap(\.blocks).filter { $0 != configured }
    }
}
