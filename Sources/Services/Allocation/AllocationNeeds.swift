internal import Kubernetes
internal import Wire

// What a cluster would have to give to a Service.

extension Service {
    /// Whether the API server would give it a ClusterIP.
    var needsClusterIP: Bool { type != .externalName && clusterIP == .unassigned && !isIPv6Only }

    /// Whether ports without a NodePort get one (`shouldAllocateNodePorts` of pkg/registry/core/service/storage).
    var allocatesNodePorts: Bool { type == .nodePort || type == .loadBalancer && allocateLoadBalancerNodePorts }

    /// Whether it gets a port for health checks (`NeedsHealthCheck` of pkg/apis/core/service).
    var needsHealthCheckNodePort: Bool {
        type == .loadBalancer && externalTrafficPolicy == .local && healthCheckNodePort == nil
    }
}
