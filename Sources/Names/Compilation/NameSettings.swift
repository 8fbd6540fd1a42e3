package import Wire

/// What the names of a cluster depend on besides its objects.
package struct NameSettings: Sendable, Hashable {
    /// The domain of the cluster, `cluster.local`.
    package var domain: String
    /// Where the cluster's DNS answers.
    package var dnsAddress: IPv4Address
    /// The blocks whose reverse zones are the cluster's: those of pods and Services.
    package var blocks: [IPv4Prefix]

    /// Settings from their parts.
    package init(domain: String, dnsAddress: IPv4Address, blocks: [IPv4Prefix]) {
        self.domain = domain
        self.dnsAddress = dnsAddress
        self.blocks = blocks
    }
}
