internal import Capture
internal import Kubernetes
internal import Services
internal import Wire

/// The names of addresses for a trace's name resolution block, from the objects of the cluster.
enum TraceNames {
    /// Services, nodes and pods, in this order; the first name of an address is the one that is shown.
    static func names(of clusters: [Cluster]) -> [TraceName] {
        var seen = Set<IPv4Address>()
        return clusters.flatMap(names).filter { seen.insert($0.address).inserted }
    }

    private static func names(of cluster: Cluster) -> [TraceName] {
        let domain = cluster.configuration.cluster.domain
        var names: [TraceName] = []
        for service in cluster.manifests.services {
            let name = "\(service.metadata.name).\(service.metadata.namespace).svc.\(domain)"
            let addresses =
                (service.clusterIP.address.map { [$0] } ?? []) + service.loadBalancerVIPs + service.externalIPs
            names += addresses.map { TraceName($0, name) }
        }
        names += cluster.node.addresses.map { TraceName($0, cluster.node.name) }
        for pod in cluster.manifests.pods {
            guard let address = pod.podIP, !pod.hostNetwork else { continue }
            names.append(TraceName(address, "\(pod.metadata.name).\(pod.metadata.namespace).pod.\(domain)"))
        }
        for slice in cluster.manifests.endpointSlices where slice.addressType == .ipv4 {
            for endpoint in slice.endpoints {
                guard let address = endpoint.addresses.first, let target = endpoint.targetName else { continue }
                names.append(TraceName(address, "\(target).\(slice.metadata.namespace).pod.\(domain)"))
            }
        }
        return names
    }
}
