package import Datapath
package import Kubernetes
internal import Wire

/// What a Service's health check port says: how many endpoints there are on this node.
///
/// A load balancer asks it where to send traffic, so only a Service with `externalTrafficPolicy: Local` has one.
package struct HealthCheck: Hashable, Sendable {
    /// The namespace of the Service.
    package var namespace: String
    /// The name of the Service.
    package var name: String
    /// Its `healthCheckNodePort`.
    package var port: UInt16
    /// Addresses of ready endpoints on this node; those that terminate are none, although they may serve still.
    package var localEndpoints: Int

    /// The Service.
    package var service: ServiceName { ServiceName(namespace: namespace, name: name) }

    /// A check from its parts.
    package init(namespace: String, name: String, port: UInt16, localEndpoints: Int) {
        self.namespace = namespace
        self.name = name
        self.port = port
        self.localEndpoints = localEndpoints
    }

    /// The health checks of a set that was compiled to `rules`, in the order of the Services.
    package static func all(in set: ManifestSet, _ rules: ServiceSpecification) -> [HealthCheck] {
        let checked = set.services.filter { service in
            service.type == .loadBalancer && service.externalTrafficPolicy == .local
                && service.healthCheckNodePort != nil
        }
        if checked.isEmpty { return [] }
        let ports = Dictionary(rules.servicePorts.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return checked.compactMap { service in
            let served = service.ports.compactMap { ports[service.name(of: $0)] }
            // A Service that somebody else proxies has no ports here, and no check.
            guard let port = service.healthCheckNodePort, !served.isEmpty else { return nil }
            return HealthCheck(
                namespace: service.metadata.namespace,
                name: service.metadata.name,
                port: port,
                localEndpoints: Set(served.flatMap(localReady)).count
            )
        }
    }

    /// The ready endpoints on this node: all of `local`, or, where that is what terminates, none.
    private static func localReady(_ port: ServiceSpecification.ServicePort) -> [IPv4Address] {
        let ready = Set(port.known.filter(\.isReady).map { FlowEndpoint(address: $0.address, port: $0.port) })
        return port.local.filter { ready.contains(FlowEndpoint(address: $0.address, port: $0.port)) }.map(\.address)
    }
}
