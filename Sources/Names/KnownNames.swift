package import Kubernetes
package import Services
package import Wire

/// An address and a name of it.
package struct KnownName: Hashable, Sendable {
    /// The address.
    package let address: IPv4Address
    /// The name, without a dot at its end.
    package let name: String

    /// A pair.
    package init(address: IPv4Address, name: String) {
        self.address = address
        self.name = name
    }
}

/// What addresses are called in traces and lists: the first name of an address is the one that is shown.
///
/// They are the names of DNS, and for readers the names of nodes, and of pods as `POD.NAMESPACE.pod.DOMAIN`, which DNS
/// does not have: it knows pods by their addresses only.
package enum KnownNames {
    /// Services, the DNS server, nodes, endpoints that have a hostname, pods, other endpoints of headless Services.
    package static func list(
        _ set: ManifestSet,
        node: NodeSettings,
        domain: String,
        dnsAddress: IPv4Address?
    ) -> [KnownName] {
        var names: [KnownName] = []
        func add(_ address: IPv4Address?, _ name: String) {
            if let address { names.append(KnownName(address: address, name: name)) }
        }
        for service in set.services {
            let name = Self.name(of: service, domain)
            for address in [service.clusterIP.address].compactMap(\.self) + service.loadBalancerVIPs
                + service.externalIPs
            {
                add(address, name)
            }
        }
        add(dnsAddress, "ns.dns.\(domain)")
        for address in node.addresses { add(address, node.name) }
        let endpoints = HeadlessEndpoints(set)
        let headless = set.services.filter(\.isHeadless).map { (name: Self.name(of: $0, domain), service: $0) }
        for entry in headless {
            for endpoint in endpoints.ready(of: entry.service) where endpoint.hostname != nil {
                add(endpoint.address, "\(endpoint.label).\(entry.name)")
            }
        }
        for pod in set.pods where !pod.hostNetwork {
            add(pod.podIP, "\(pod.metadata.name).\(pod.metadata.namespace).pod.\(domain)")
        }
        for slice in set.endpointSlices where slice.addressType == .ipv4 {
            for endpoint in slice.endpoints {
                guard let target = endpoint.targetName else { continue }
                add(endpoint.addresses.first, "\(target).\(slice.metadata.namespace).pod.\(domain)")
            }
        }
        for entry in headless {
            for endpoint in endpoints.ready(of: entry.service) {
                add(endpoint.address, "\(endpoint.label).\(entry.name)")
                add(endpoint.address, entry.name)
            }
        }
        return names
    }

    private static func name(of service: Service, _ domain: String) -> String {
        "\(service.metadata.name).\(service.metadata.namespace).svc.\(domain)"
    }

    /// The names as a hosts file (hosts(5)): a line for each address, in their order, with all its names.
    package static func hostsFile(_ names: [KnownName]) -> String {
        var lines: [IPv4Address: [String]] = [:]
        var seen: Set<KnownName> = []
        for entry in names where seen.insert(entry).inserted { lines[entry.address, default: []].append(entry.name) }
        return lines.sorted { $0.key < $1.key }.map { "\($0.key)\t\($0.value.joined(separator: " "))\n" }.joined()
    }
}
