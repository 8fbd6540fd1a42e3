package import Wire

/// What the compiler must know of the node and its cluster.
package struct NodeSettings: Sendable, Equatable {
    /// Matched against `nodeName` of endpoints.
    package var name: String
    /// Matched against zone hints.
    package var zone: String?
    /// The node's addresses, the primary one first.
    package var addresses: [IPv4Address]
    /// The addresses on which NodePorts are reached.
    package var nodePortAddresses: [IPv4Address]

    /// The settings from their parts.
    package init(name: String, zone: String?, addresses: [IPv4Address], nodePortAddresses: [IPv4Address]) {
        self.name = name
        self.zone = zone
        self.addresses = addresses
        self.nodePortAddresses = nodePortAddresses
    }
}
