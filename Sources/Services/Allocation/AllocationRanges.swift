package import Wire

/// Where addresses and ports of Services are allocated.
package struct AllocationRanges: Hashable, Sendable {
    /// ClusterIPs; nil where none are allocated.
    package var serviceCIDR: IPv4Prefix?
    /// Further blocks of ClusterIPs, those of ServiceCIDRs; used when the others are full.
    package var addedServiceCIDRs: [IPv4Prefix] = []
    /// NodePorts and health check ports.
    package var nodePortRange: ClosedRange<UInt16>
    /// Load balancer addresses, tried in this order; empty where none are allocated.
    package var loadBalancerCIDRs: [IPv4Prefix]
    /// Addresses that are somebody else's: the node's, its interfaces', the DNS server's.
    package var reserved: [IPv4Address]

    /// Ranges from their parts.
    package init(
        serviceCIDR: IPv4Prefix? = nil,
        nodePortRange: ClosedRange<UInt16> = 30000...32767,
        loadBalancerCIDRs: [IPv4Prefix] = [],
        reserved: [IPv4Address] = []
    ) {
        self.serviceCIDR = serviceCIDR
        self.nodePortRange = nodePortRange
        self.loadBalancerCIDRs = loadBalancerCIDRs
        self.reserved = reserved
    }

    /// The blocks of ClusterIPs, in the order in which they are tried.
    var serviceBlocks: [IPv4Prefix] { [serviceCIDR].compactMap(\.self) + addedServiceCIDRs }
}

extension IPv4Prefix {
    /// The addresses of the block as numbers, without the network's own and the broadcast address.
    ///
    /// Blocks of one or two addresses have neither (RFC 3021).
    var hosts: Range<Int> {
        let first = Int(address.bits)
        let count = Int(count)
        return count <= 2 ? first..<first + count : first + 1..<first + count - 1
    }
}
