package import Wire

/// What Culvert has given to Services that asked for it: a cluster's controllers would have written it into the objects.
///
/// A value that goes from load to load: what a Service was given it keeps for as long as it needs it.
package struct AllocationState: Hashable, Sendable {
    /// A port of a Service; by name and protocol, so that it stays the same when its number changes.
    package struct Port: Hashable, Comparable, Sendable {
        /// The Service.
        package var service: ServiceName
        /// The name of the port, empty for an unnamed one.
        package var name: String
        /// The protocol of the port, `TCP`, `UDP` or `SCTP`.
        package var transport: String

        /// A port from its parts.
        package init(service: ServiceName, name: String, transport: String) {
            self.service = service
            self.name = name
            self.transport = transport
        }

        /// Orders by each part in turn.
        package static func < (left: Self, right: Self) -> Bool {
            (left.service, left.name, left.transport) < (right.service, right.name, right.transport)
        }
    }

    /// ClusterIPs, from `cluster.serviceCIDR`.
    package var clusterIPs: [ServiceName: IPv4Address] = [:]
    /// Load balancer addresses, from `cluster.loadBalancerCIDRs`.
    package var loadBalancers: [ServiceName: IPv4Address] = [:]
    /// NodePorts, from `cluster.nodePortRange`.
    package var nodePorts: [Port: UInt16] = [:]
    /// Ports of health checks, from the same range.
    package var healthCheckNodePorts: [ServiceName: UInt16] = [:]

    /// Nothing is given.
    package init() {}

    /// How much is given, of all kinds together.
    package var count: Int { clusterIPs.count + loadBalancers.count + nodePorts.count + healthCheckNodePorts.count }
}
