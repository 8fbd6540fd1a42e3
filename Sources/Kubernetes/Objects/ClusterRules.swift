package import Wire

/// What a cluster's configuration says about addresses and ports, as far as manifests are held against it.
package struct ClusterRules: Hashable, Sendable {
    /// ClusterIPs lie here; nil switches the checks off.
    package var serviceCIDR: IPv4Prefix?
    /// Further blocks in which ClusterIPs may lie, those of ServiceCIDRs.
    package var addedServiceCIDRs: [IPv4Prefix] = []
    /// Addresses of pods lie here; nil is unknown.
    package var podCIDR: IPv4Prefix?
    /// NodePorts lie here, both ends included.
    package var nodePortRange: ClosedRange<UInt16>
    /// The node's own addresses.
    package var nodeAddresses: [IPv4Address]
    /// The blocks that load balancer addresses are given from.
    package var loadBalancerCIDRs: [IPv4Prefix]
    /// The only blocks in which `externalIPs` may lie; nil allows all.
    package var externalCIDRs: [IPv4Prefix]?
    /// The domain of Service names, without dots at its ends.
    package var domain: String

    /// Rules with the defaults of Kubernetes where nothing is given.
    package init(
        serviceCIDR: IPv4Prefix? = nil,
        podCIDR: IPv4Prefix? = nil,
        nodePortRange: ClosedRange<UInt16> = 30000...32767,
        nodeAddresses: [IPv4Address] = [],
        loadBalancerCIDRs: [IPv4Prefix] = [],
        externalCIDRs: [IPv4Prefix]? = nil,
        domain: String = "cluster.local"
    ) {
        self.serviceCIDR = serviceCIDR
        self.podCIDR = podCIDR
        self.nodePortRange = nodePortRange
        self.nodeAddresses = nodeAddresses
        self.loadBalancerCIDRs = loadBalancerCIDRs
        self.externalCIDRs = externalCIDRs
        self.domain = domain
    }

    /// All blocks of ClusterIPs, the configured one first.
    var serviceBlocks: [IPv4Prefix] { [serviceCIDR].compactMap(\.self) + addedServiceCIDRs }

    /// The block of ClusterIPs that an address lies in.
    func serviceBlock(of address: IPv4Address) -> IPv4Prefix? {
        if let serviceCIDR, serviceCIDR.contains(address) { return serviceCIDR }
        return addedServiceCIDRs.first { $0.contains(address) }
    }

    /// The rules with the ServiceCIDRs of a set.
    func adding(_ serviceCIDRs: [ServiceCIDR]) -> ClusterRules {
        var result = self
        result.addedServiceCIDRs = serviceCIDRs.blocks(besides: serviceCIDR)
        return result
    }
}
