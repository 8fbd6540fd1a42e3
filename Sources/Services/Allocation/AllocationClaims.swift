internal import Kubernetes
internal import Wire

/// What objects claim for themselves, so that it is given to nobody else.
struct AllocationClaims {
    /// A claim of a Service, and the field that makes it.
    struct Claim {
        /// The place of the Service in the set.
        var service: Int
        var field: String
    }

    /// Addresses that are written in a Service, each with its first claim.
    private(set) var addresses: [IPv4Address: Claim] = [:]
    /// NodePorts and health check ports that are written in a Service.
    private(set) var ports: [UInt16: Claim] = [:]
    /// Addresses that are no Service's and must not become one's.
    private(set) var foreign: Set<IPv4Address> = []
    /// Host ports of pods: a NodePort of the same number would never be reached on their nodes.
    private(set) var hostPorts: Set<UInt16> = []

    init(_ set: ManifestSet, _ ranges: AllocationRanges) {
        for (number, service) in set.services.enumerated() { claim(service, number, ranges) }
        foreign = Set(ranges.reserved)
        for node in set.nodes { foreign.formUnion(node.addresses.compactMap(\.address)) }
        func add(endpoint address: IPv4Address) {
            if ranges.loadBalancerCIDRs.contains(where: { $0.contains(address) }) { foreign.insert(address) }
        }
        for slice in set.endpointSlices { slice.endpoints.forEach { $0.addresses.forEach(add) } }
        for object in set.endpoints {
            for subset in object.subsets {
                (subset.addresses + subset.notReadyAddresses).forEach { add(endpoint: $0.address) }
            }
        }
        for pod in set.pods where !pod.isFinished {
            if let address = pod.podIP { add(endpoint: address) }
            hostPorts.formUnion(pod.ports.compactMap(\.hostPort))
        }
    }

    private mutating func claim(_ service: Service, _ number: Int, _ ranges: AllocationRanges) {
        func add(_ address: IPv4Address, _ field: String) {
            if addresses[address] == nil { addresses[address] = Claim(service: number, field: field) }
        }
        func add(_ port: UInt16, _ field: String) {
            if ports[port] == nil { ports[port] = Claim(service: number, field: field) }
        }
        if service.type != .externalName, let address = service.clusterIP.address { add(address, "spec.clusterIP") }
        for (index, address) in service.externalIPs.enumerated() { add(address, "spec.externalIPs[\(index)]") }
        for (index, ingress) in service.loadBalancerIngress.enumerated() {
            if let address = ingress.address { add(address, "status.loadBalancer.ingress[\(index)].ip") }
        }
        if service.waitsForLoadBalancer, let address = service.loadBalancerIP, ranges.hasLoadBalancer(address) {
            add(address, "spec.loadBalancerIP")
        }
        for (index, port) in service.ports.enumerated() {
            if let number = port.nodePort { add(number, "spec.ports[\(index)].nodePort") }
        }
        if let number = service.healthCheckNodePort { add(number, "spec.healthCheckNodePort") }
    }
}

extension AllocationRanges {
    /// Whether an address may be a load balancer's, on request or by choice.
    func hasLoadBalancer(_ address: IPv4Address) -> Bool {
        !reserved.contains(address) && loadBalancerCIDRs.contains { $0.hosts.contains(Int(address.bits)) }
    }
}
