internal import Devices
package import Kubernetes
package import Services
internal import Wire

// What the parts that load a cluster must know of the configuration.

extension Configuration {
    /// What manifests are held against.
    package var manifestRules: ClusterRules {
        ClusterRules(
            serviceCIDR: cluster.serviceCIDR,
            podCIDR: cluster.podCIDR,
            nodePortRange: cluster.nodePortRange,
            nodeAddresses: node.addresses,
            loadBalancerCIDRs: cluster.loadBalancerCIDRs,
            externalCIDRs: cluster.externalCIDRs,
            domain: cluster.domain
        )
    }

    /// The node; what the configuration leaves open, a Node object of its name may tell.
    package func nodeSettings(_ set: ManifestSet) -> NodeSettings {
        let object = set.nodes.first { $0.metadata.name == node.name }
        let addresses = node.addresses.isEmpty ? object?.internalIPs ?? [] : node.addresses
        return NodeSettings(
            name: node.name,
            zone: node.zone ?? object?.zone,
            addresses: addresses,
            nodePortAddresses: nodePortAddresses(among: addresses)
        )
    }

    private func nodePortAddresses(among addresses: [IPv4Address]) -> [IPv4Address] {
        switch cluster.nodePortAddresses {
        case .primary: Array(addresses.prefix(1))
        case .all: addresses
        case .within(let blocks): addresses.filter { address in blocks.contains { $0.contains(address) } }
        }
    }

    /// Where addresses and ports of the Services of a set are allocated.
    package func allocationRanges(_ node: NodeSettings, _ set: ManifestSet) -> AllocationRanges {
        var reserved = node.addresses + [self.node.loopAddress]
        reserved += interfaces.compactMap { $0.address?.address }
        if let dnsAddress = cluster.dnsAddress { reserved.append(dnsAddress) }
        var ranges = AllocationRanges(
            serviceCIDR: cluster.serviceCIDR,
            nodePortRange: cluster.nodePortRange,
            loadBalancerCIDRs: cluster.loadBalancerCIDRs,
            reserved: reserved
        )
        // What is on its way out gives nothing any more.
        ranges.addedServiceCIDRs = set.serviceCIDRs.filter { !$0.metadata.isDeleted }.blocks(
            besides: cluster.serviceCIDR
        )
        return ranges
    }
}
