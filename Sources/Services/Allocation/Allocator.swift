package import Kubernetes
internal import Wire

/// Gives Services what a cluster would give them: ClusterIPs, NodePorts, health check ports, load balancer addresses.
///
/// Theory of operation, in three passes over the Services in the order of their names. What objects claim for
/// themselves comes first. Then everybody keeps what an earlier load has given, unless it is needed no more or
/// lies outside of the ranges now; a claim of another Service to such a thing is refused, as an API server would, for
/// which it had long been taken. Then new needs are met, at places drawn from the names (`NumberPool`). So the result depends
/// on the set and on what was given, not on the order of files.
package struct Allocator {
    /// The Services with what they were given filled in, in the same order.
    package private(set) var services: [Service]
    /// What is given now.
    package private(set) var state = AllocationState()
    /// Needs that could not be met: an API server would refuse these Services.
    package private(set) var faults: [ManifestFault] = []
    /// Needs that could not be met, with which a Service works all the same.
    package private(set) var warnings: [ManifestFault] = []

    private let ranges: AllocationRanges
    private let claims: AllocationClaims
    private var addresses = NumberPool()
    private var ports = NumberPool()

    /// Meets the needs of a set; `previous` is the state that the last load has left.
    package init(_ set: ManifestSet, in ranges: AllocationRanges, keeping previous: AllocationState) {
        services = set.services
        self.ranges = ranges
        claims = AllocationClaims(set, ranges)
        for address in claims.foreign { addresses.take(Int(address.bits)) }
        for address in claims.addresses.keys { addresses.take(Int(address.bits)) }
        for port in claims.ports.keys { ports.take(Int(port)) }
        for number in services.indices { keep(number, previous) }
        for port in claims.hostPorts { ports.take(Int(port)) }
        for number in services.indices { give(number) }
    }

    // MARK: What was given before

    private mutating func keep(_ number: Int, _ previous: AllocationState) {
        let service = services[number]
        let name = service.serviceName
        if service.needsClusterIP, let address = previous.clusterIPs[name],
            ranges.serviceBlocks.contains(where: { $0.hosts.contains(Int(address.bits)) }), keep(address, number)
        {
            give(clusterIP: address, number)
        }
        if service.waitsForLoadBalancer, service.loadBalancerIP == nil, let address = previous.loadBalancers[name],
            ranges.hasLoadBalancer(address), keep(address, number)
        {
            give(loadBalancer: address, number)
        }
        if service.needsHealthCheckNodePort, let port = previous.healthCheckNodePorts[name], keep(port, number) {
            give(healthCheckNodePort: port, number)
        }
        guard service.allocatesNodePorts else { return }
        for (index, port) in service.ports.enumerated() where port.nodePort == nil {
            let key = AllocationState.Port(service: name, name: port.name, transport: port.transport.rawValue)
            if let nodePort = previous.nodePorts[key], keep(nodePort, number) {
                give(nodePort: nodePort, index, number)
            }
        }
    }

    /// Whether an address can stay with a Service; a claim of another one to it is refused.
    private mutating func keep(_ address: IPv4Address, _ number: Int) -> Bool {
        if claims.foreign.contains(address) { return false }
        refuse(claims.addresses[address], "\(address)", number)
        addresses.take(Int(address.bits))
        return true
    }

    /// The same for a port.
    private mutating func keep(_ port: UInt16, _ number: Int) -> Bool {
        guard ranges.nodePortRange.contains(port) else { return false }
        refuse(claims.ports[port], "\(port)", number)
        ports.take(Int(port))
        if claims.hostPorts.contains(port) {
            let text = "was given, and a pod has it as a host port: on its node that wins"
            warnings.append(fault(.warning, services[number], "spec.ports", "\(port)", text))
        }
        return true
    }

    private mutating func refuse(_ claim: AllocationClaims.Claim?, _ value: String, _ owner: Int) {
        guard let claim, claim.service != owner else { return }
        let text = "was given to \(place(services[owner])), which keeps it until it is gone or claims one itself"
        faults.append(fault(.error, services[claim.service], claim.field, value, text))
    }

    // MARK: New needs

    private mutating func give(_ number: Int) {
        let service = services[number]
        let name = service.serviceName
        if service.needsClusterIP, state.clusterIPs[name] == nil { giveClusterIP(number) }
        if service.waitsForLoadBalancer, state.loadBalancers[name] == nil { giveLoadBalancer(number) }
        if service.needsHealthCheckNodePort, state.healthCheckNodePorts[name] == nil {
            if let port = takePort("health check \(name)") {
                give(healthCheckNodePort: port, number)
            } else {
                faults.append(fault(.error, service, "spec.healthCheckNodePort", nil, noPortLeft))
            }
        }
        if service.allocatesNodePorts { giveNodePorts(number) }
    }

    private mutating func giveClusterIP(_ number: Int) {
        let service = services[number]
        let blocks = ranges.serviceBlocks
        for block in blocks {
            if let address = addresses.take(for: "ClusterIP \(service.serviceName)", in: .addresses(block)) {
                return give(clusterIP: IPv4Address(bits: UInt32(address)), number)
            }
        }
        if blocks.isEmpty { return }
        let shown = blocks.map(\.description).joined(separator: ", ")
        faults.append(fault(.error, service, "spec.clusterIP", nil, "no address is left in \(shown)"))
    }

    /// A load balancer would make no address public that it does not have: the Service waits.
    private mutating func giveLoadBalancer(_ number: Int) {
        let service = services[number]
        guard !ranges.loadBalancerCIDRs.isEmpty else { return }
        if let wanted = service.loadBalancerIP {
            if ranges.hasLoadBalancer(wanted) { return give(loadBalancer: wanted, number) }
            let text = "cannot be given: it is no free address of cluster.loadBalancerCIDRs"
            return warnings.append(fault(.warning, service, "spec.loadBalancerIP", "\(wanted)", text))
        }
        for block in ranges.loadBalancerCIDRs {
            if let address = addresses.take(for: "LoadBalancer \(service.serviceName)", in: block.hosts) {
                return give(loadBalancer: IPv4Address(bits: UInt32(address)), number)
            }
        }
        let text = "gets no address: none is left in cluster.loadBalancerCIDRs"
        warnings.append(fault(.warning, service, "status.loadBalancer", nil, text))
    }

    /// Ports of one number, TCP and UDP, share a NodePort (`initNodePorts` of pkg/registry/core/service/storage).
    private mutating func giveNodePorts(_ number: Int) {
        let service = services[number]
        var shared: [UInt16: UInt16] = [:]
        for port in service.ports.reversed() { if let nodePort = port.nodePort { shared[port.port] = nodePort } }
        for (index, port) in service.ports.enumerated() where port.nodePort == nil {
            let key = "NodePort \(service.serviceName):\(port.name.isEmpty ? "\(port.port)" : port.name)"
            guard let nodePort = shared[port.port] ?? takePort(key) else {
                faults.append(fault(.error, service, "spec.ports[\(index)].nodePort", nil, noPortLeft))
                continue
            }
            shared[port.port] = nodePort
            give(nodePort: nodePort, index, number)
        }
    }

    private mutating func takePort(_ key: String) -> UInt16? {
        ports.take(for: key, in: .ports(ranges.nodePortRange)).map { UInt16($0) }
    }

    private var noPortLeft: String {
        "no port is left in \(ranges.nodePortRange.lowerBound)-\(ranges.nodePortRange.upperBound)"
    }

    // MARK: Filling in

    private mutating func give(clusterIP address: IPv4Address, _ number: Int) {
        state.clusterIPs[services[number].serviceName] = address
        services[number].clusterIP = .address(address)
    }

    private mutating func give(loadBalancer address: IPv4Address, _ number: Int) {
        state.loadBalancers[services[number].serviceName] = address
        services[number].loadBalancerIngress = [LoadBalancerIngress(address: address)]
    }

    private mutating func give(healthCheckNodePort port: UInt16, _ number: Int) {
        state.healthCheckNodePorts[services[number].serviceName] = port
        services[number].healthCheckNodePort = port
    }

    private mutating func give(nodePort: UInt16, _ index: Int, _ number: Int) {
        let service = services[number]
        let port = service.ports[index]
        let key = AllocationState.Port(
            service: service.serviceName,
            name: port.name,
            transport: port.transport.rawValue
        )
        state.nodePorts[key] = nodePort
        services[number].ports[index].nodePort = nodePort
    }

    private func place(_ service: Service) -> String {
        service.origin.map { "\(service.reference) (\($0))" } ?? "\(service.reference)"
    }

    private func fault(
        _ severity: ManifestFault.Severity,
        _ service: Service,
        _ field: String,
        _ value: String?,
        _ expectation: String
    ) -> ManifestFault {
        ManifestFault(severity, of: service, field: field, value: value, expectation: expectation)
    }
}
