import Wire

/// Blocks of addresses that must not meet: the pods of each node, and the ClusterIPs.
enum PrefixOverlaps {
    static func find(in set: ManifestSet, rules: ClusterRules) -> [ManifestFault] {
        var result: [ManifestFault] = []
        if let services = rules.serviceCIDR, let pods = rules.podCIDR, services.overlaps(pods) {
            result.append(
                ManifestFault(
                    file: "configuration",
                    field: "cluster.serviceCIDR",
                    value: "\(services)",
                    expectation: "overlaps cluster.podCIDR \(pods)"
                )
            )
        }
        let blocks = set.nodes.flatMap { node in node.podCIDRs.map { (node: node, block: $0) } }
        for services in rules.serviceBlocks {
            for (node, block) in blocks where block.overlaps(services) {
                result.append(
                    ManifestFault(
                        .error,
                        of: node,
                        field: "spec.podCIDRs",
                        value: "\(block)",
                        expectation: "overlaps the ClusterIPs (\(services))"
                    )
                )
            }
        }
        for node in set.nodes {
            for (index, entry) in node.addresses.enumerated() {
                guard let address = entry.address, let services = rules.serviceBlock(of: address) else { continue }
                result.append(
                    ManifestFault(
                        .error,
                        of: node,
                        field: "status.addresses[\(index)].address",
                        value: "\(address)",
                        expectation: "lies among the ClusterIPs (\(services))"
                    )
                )
            }
        }
        // Two blocks overlap if one lies in the other; by address and length, a block comes after all that hold it.
        var holders: [(node: Node, block: IPv4Prefix)] = []
        let sorted = blocks.sorted {
            ($0.block.address, $0.block.length, $0.node.metadata.name) < (
                $1.block.address, $1.block.length, $1.node.metadata.name
            )
        }
        for entry in sorted {
            while let last = holders.last, !last.block.contains(entry.block) { holders.removeLast() }
            if let holder = holders.last, holder.node.reference != entry.node.reference {
                result.append(
                    ManifestFault(
                        .error,
                        of: entry.node,
                        field: "spec.podCIDRs",
                        value: "\(entry.block)",
                        expectation: "overlaps \(holder.block) of \(Conflicts.name(holder.node))"
                    )
                )
            }
            holders.append(entry)
        }
        return result
    }
}
