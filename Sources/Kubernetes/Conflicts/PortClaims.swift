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
        var transport: TransportProtocol
        var isHealthCheck = false
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
        var numbers = Claims<UInt16, Owner>()
        var nodePorts = Claims<NodePort, Owner>()
        func claim(_ number: UInt16, _ owner: Owner) {
            numbers.add(owner, to: number)
            nodePorts.add(owner, to: NodePort(port: number, transport: owner.transport))
        }
        for service in set.services {
            for (index, port) in service.ports.enumerated() {
                guard let number = port.nodePort else { continue }
                let field = "spec.ports[\(index)].nodePort"
                claim(number, Owner(service: service, field: field, transport: port.transport))
            }
            if let number = service.healthCheckNodePort, service.type == .loadBalancer,
                service.externalTrafficPolicy == .local
            {
                let field = "spec.healthCheckNodePort"
                claim(number, Owner(service: service, field: field, transport: .tcp, isHealthCheck: true))
            }
        }
        return disputes(numbers) + shadowed(set, nodePorts, rules) + hostPorts(set) + overridden(set, nodePorts)
    }

    /// A number belongs to one Service, whatever the protocol (pkg/registry/core/service/portallocator); ports of that Service may
    /// share it, its health check not.
    private static func disputes(_ numbers: Claims<UInt16, Owner>) -> [ManifestFault] {
        numbers.disputed.compactMap { number, owners in
            let isShared = Set(owners.map(\.service.reference)).count == 1 && !owners.contains(where: \.isHealthCheck)
            guard let last = owners.last, !isShared else { return nil }
            return ManifestFault(
                .error,
                of: last.service,
                field: last.field,
                value: "\(number)/\(last.transport.rawValue)",
                expectation: "is also a NodePort of \(Conflicts.names(owners.dropLast().map(\.service)))"
            )
        }
    }

    /// A Service address on the node itself wins over the NodePort of another Service.
    private static func shadowed(
        _ set: ManifestSet,
        _ nodePorts: Claims<NodePort, Owner>,
        _ rules: ClusterRules
    ) -> [ManifestFault] {
        set.services.flatMap { service in
            AddressClaims.fronts(of: service, rules: rules).filter { rules.nodeAddresses.contains($0.address) }.flatMap
            { front in
                service.ports.compactMap { port -> ManifestFault? in
                    let key = NodePort(port: port.port, transport: port.transport)
                    let claimants = (nodePorts.owners[key] ?? []).prefix(Conflicts.maximumNames + 1).map(\.service)
                    let owners = Conflicts.others(than: service, among: claimants)
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

    /// Two pods of one node with one host port.
    ///
    /// Pods that have ended hold none. Of those in the node's own network the scheduler knows what it does: no packet to them is
    /// translated, so that two of them may share what they say; but a host port of another pod would take theirs.
    private static func hostPorts(_ set: ManifestSet) -> [ManifestFault] {
        var claims = Claims<HostPort, Holder>()
        for pod in set.pods where !pod.isFinished && !pod.metadata.isDeleted {
            guard let node = pod.nodeName else { continue }
            for port in pod.ports {
                guard let number = port.hostPort else { continue }
                let key = HostPort(node: node, port: number, transport: port.transport)
                claims.add(Holder(pod: pod, address: port.hostIP), to: key)
            }
        }
        return claims.disputed.flatMap { key, holders -> [ManifestFault] in
            // Ports on different addresses of the node do not meet; one without an address meets all.
            let groups = Dictionary(grouping: holders, by: \.address)
            let meeting = groups[nil] != nil ? [holders] : groups.values.filter { $0.count > 1 }
            let faults = meeting.filter { $0.contains { !$0.pod.hostNetwork } }.compactMap { holders in
                holders.last.map { hostPortFault(key, last: $0.pod, others: holders.dropLast().map(\.pod)) }
            }
            return faults.sorted { $0.description < $1.description }
        }
    }

    /// Host ports that NodePorts have too: on the pod's node the host port wins (the portmap plugin comes before kube-proxy).
    private static func overridden(_ set: ManifestSet, _ nodePorts: Claims<NodePort, Owner>) -> [ManifestFault] {
        set.pods.filter { !$0.isFinished && !$0.hostNetwork }.flatMap { pod in
            pod.ports.compactMap { port -> ManifestFault? in
                guard let node = pod.nodeName, let number = port.hostPort,
                    let owners = nodePorts.owners[NodePort(port: number, transport: port.transport)]
                else { return nil }
                let names = Conflicts.names(owners.map(\.service))
                return ManifestFault(
                    .warning,
                    of: pod,
                    field: "spec.containers",
                    value: "hostPort \(number)/\(port.transport.rawValue)",
                    expectation: "takes over the NodePort of \(names) on node \(Quoting.bare(node))"
                )
            }
        }
    }

    private static func hostPortFault(_ key: HostPort, last: Pod, others: [Pod]) -> ManifestFault {
        ManifestFault(
            .error,
            of: last,
            field: "spec.containers",
            value: "\(key.port)/\(key.transport.rawValue)",
            expectation: "on node \(Quoting.bare(key.node)) is also a host port of \(Conflicts.names(others))"
        )
    }
}
