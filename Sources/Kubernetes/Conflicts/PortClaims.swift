import Wire

/// Ports of nodes: NodePorts, health check ports, and the host ports of pods.
enum PortClaims {
    private struct NodePort: Hashable {
        var port: UInt16
        var transport: TransportProtocol
    }

    private struct Owner {
        var service: Service
        var field: String
    }

    private struct HostPort: Hashable {
        var node: String
        var port: UInt16
        var transport: TransportProtocol
    }

    private struct Holder {
        var pod: Pod
        var address: IPv4Address?
    }

    static func find(in set: ManifestSet, rules: ClusterRules) -> [ManifestFault] {
        var nodePorts = Claims<NodePort, Owner>()
        for service in set.services {
            for (index, port) in service.ports.enumerated() {
                guard let number = port.nodePort else { continue }
                let owner = Owner(service: service, field: "spec.ports[\(index)].nodePort")
                nodePorts.add(owner, to: NodePort(port: number, transport: port.transport))
            }
            if let number = service.healthCheckNodePort, service.type == .loadBalancer,
                service.externalTrafficPolicy == .local
            {
                let owner = Owner(service: service, field: "spec.healthCheckNodePort")
                nodePorts.add(owner, to: NodePort(port: number, transport: .tcp))
            }
        }
        let disputes = nodePorts.disputed.compactMap { key, owners -> ManifestFault? in
            guard let last = owners.last else { return nil }
            let others = owners.dropLast().map(\.service)
            return ManifestFault(
                .error,
                of: last.service,
                field: last.field,
                value: "\(key.port)/\(key.transport.rawValue)",
                expectation: "is also a NodePort of \(Conflicts.names(others))"
            )
        }
        return disputes + shadowed(set, nodePorts, rules) + hostPorts(set)
    }

    /// A Service address on the node itself wins over the NodePort of another Service.
    private static func shadowed(
        _ set: ManifestSet,
        _ nodePorts: Claims<NodePort, Owner>,
        _ rules: ClusterRules
    ) -> [ManifestFault] {
        set.services.flatMap { service in
            AddressClaims.fronts(of: service).filter { rules.nodeAddresses.contains($0.address) }.flatMap { front in
                service.ports.compactMap { port -> ManifestFault? in
                    let key = NodePort(port: port.port, transport: port.transport)
                    let owners =
                        nodePorts.owners[key]?.map(\.service).filter { $0.reference != service.reference } ?? []
                    if owners.isEmpty { return nil }
                    return ManifestFault(
                        .warning,
                        of: service,
                        field: front.field,
                        value: "\(front.address):\(port.port)",
                        expectation: "takes over the NodePort of \(Conflicts.names(owners))"
                    )
                }
            }
        }
    }

    /// Two pods of one node with one host port. Pods that have ended hold none; those in the node's own network
    /// were sorted out by the scheduler, and no packet to them is translated.
    private static func hostPorts(_ set: ManifestSet) -> [ManifestFault] {
        var claims = Claims<HostPort, Holder>()
        for pod in set.pods where !pod.isFinished && !pod.metadata.isDeleted && !pod.hostNetwork {
            guard let node = pod.nodeName else { continue }
            for port in pod.ports {
                guard let number = port.hostPort else { continue }
                let key = HostPort(node: node, port: number, transport: port.transport)
                claims.add(Holder(pod: pod, address: port.hostIP), to: key)
            }
        }
        return claims.disputed.compactMap { key, holders in
            // Ports on different addresses of the node do not meet.
            guard let last = holders.last(where: { holder in holders.count { meets($0, holder) } > 1 }) else {
                return nil
            }
            let others = holders.filter { meets($0, last) && $0.pod.reference != last.pod.reference }.map(\.pod)
            let sharers = others.isEmpty ? "the same pod" : Conflicts.names(others)
            return ManifestFault(
                .error,
                of: last.pod,
                field: "spec.containers",
                value: "\(key.port)/\(key.transport.rawValue)",
                expectation: "on node \(Quoting.bare(key.node)) is also a host port of \(sharers)"
            )
        }
    }

    private static func meets(_ left: Holder, _ right: Holder) -> Bool {
        left.address == nil || right.address == nil || left.address == right.address
    }
}
