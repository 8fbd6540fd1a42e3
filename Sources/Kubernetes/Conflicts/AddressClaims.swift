import Wire

/// Addresses of Services: no ClusterIP twice, no (address, port, protocol) twice, nothing external in the ClusterIPs' block.
enum AddressClaims {
    /// An address that a Service answers at, and the field that says so.
    struct Front {
        enum Kind { case clusterIP, externalIP, loadBalancer, requested }

        var kind: Kind
        var address: IPv4Address
        /// The place in its list.
        var index: Int

        var field: String {
            switch kind {
            case .clusterIP: "spec.clusterIP"
            case .externalIP: "spec.externalIPs[\(index)]"
            case .loadBalancer: "status.loadBalancer.ingress[\(index)].ip"
            case .requested: "spec.loadBalancerIP"
            }
        }
    }

    private struct Socket: Hashable {
        var address: IPv4Address
        var port: UInt16
        var transport: TransportProtocol
    }

    private struct Owner {
        /// The place of the Service in the set.
        var service: Int
        var front: Front
    }

    /// How many (address, port, protocol) all Services together may have.
    private static let maximumSockets = 500_000

    /// The addresses of a Service; headless ones and external names have none.
    static func fronts(of service: Service, rules: ClusterRules) -> [Front] {
        guard service.type != .externalName, !service.isHeadless, !service.isIPv6Only else { return [] }
        var result = service.clusterIP.address.map { [Front(kind: .clusterIP, address: $0, index: 0)] } ?? []
        for (index, address) in service.externalIPs.enumerated() {
            result.append(Front(kind: .externalIP, address: address, index: index))
        }
        for (index, ingress) in service.loadBalancerIngress.enumerated() {
            guard let address = ingress.address, ingress.mode == .vip else { continue }
            result.append(Front(kind: .loadBalancer, address: address, index: index))
        }
        // What was asked of a load balancer will be given if it may be.
        if service.waitsForLoadBalancer, let address = service.loadBalancerIP,
            rules.loadBalancerCIDRs.contains(where: { $0.contains(address) })
        {
            result.append(Front(kind: .requested, address: address, index: 0))
        }
        return result
    }

    static func find(in set: ManifestSet, rules: ClusterRules) -> [ManifestFault] {
        var clusterIPs = Claims<IPv4Address, Service>()
        var sockets = Claims<Socket, Owner>()
        var count = 0
        for (place, service) in set.services.enumerated() {
            for front in fronts(of: service, rules: rules) {
                if front.kind == .clusterIP { clusterIPs.add(service, to: front.address) }
                count += service.ports.count
                if count > maximumSockets {
                    let text = "the Services up to this one have more than \(maximumSockets) addresses and ports"
                    return [ManifestFault(.error, of: service, field: "spec.ports", expectation: text)]
                }
                for port in service.ports {
                    let socket = Socket(address: front.address, port: port.port, transport: port.transport)
                    // A Service may have one address in several ways.
                    if sockets.owners[socket]?.last?.service == place { continue }
                    sockets.add(Owner(service: place, front: front), to: socket)
                }
            }
        }
        return clusterIPFaults(clusterIPs) + socketFaults(sockets, set.services)
            + externalFaults(set, clusterIPs, rules)
    }

    private static func clusterIPFaults(_ claims: Claims<IPv4Address, Service>) -> [ManifestFault] {
        claims.disputed.compactMap { address, owners in
            guard let last = owners.last, Set(owners.map(\.reference)).count > 1 else { return nil }
            return ManifestFault(
                .error,
                of: last,
                field: "spec.clusterIP",
                value: "\(address)",
                expectation: "is also the ClusterIP of \(Conflicts.names(owners.dropLast()))"
            )
        }
    }

    private static func socketFaults(_ claims: Claims<Socket, Owner>, _ services: [Service]) -> [ManifestFault] {
        claims.disputed.compactMap { socket, owners in
            // Two ClusterIPs were reported as such, and need not be once more for each port.
            guard let last = owners.last, owners.contains(where: { $0.front.kind != .clusterIP }),
                Set(owners.map { services[$0.service].reference }).count > 1
            else { return nil }
            return ManifestFault(
                .error,
                of: services[last.service],
                field: last.front.field,
                value: "\(socket.address):\(socket.port)/\(socket.transport.rawValue)",
                expectation: "is also an address of \(Conflicts.names(owners.dropLast().map { services[$0.service] }))"
            )
        }
    }

    /// External addresses among the ClusterIPs would catch the traffic of others (CVE-2020-8554).
    private static func externalFaults(
        _ set: ManifestSet,
        _ clusterIPs: Claims<IPv4Address, Service>,
        _ rules: ClusterRules
    ) -> [ManifestFault] {
        set.services.flatMap { service in
            fronts(of: service, rules: rules).compactMap { front -> ManifestFault? in
                guard front.kind != .clusterIP else { return nil }
                let others = Conflicts.others(than: service, among: clusterIPs.owners[front.address] ?? [])
                if !others.isEmpty {
                    return ManifestFault(
                        .error,
                        of: service,
                        field: front.field,
                        value: "\(front.address)",
                        expectation: "is the ClusterIP of \(Conflicts.names(others))"
                    )
                }
                guard let block = rules.serviceBlock(of: front.address) else { return nil }
                return ManifestFault(
                    .error,
                    of: service,
                    field: front.field,
                    value: "\(front.address)",
                    expectation: "lies among the ClusterIPs (\(block))"
                )
            }
        }
    }
}
