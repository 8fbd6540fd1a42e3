internal import Datapath
internal import Kubernetes
internal import Wire

/// Finds what is legal and hardly meant in a set that compiles.
enum CompileWarnings {
    typealias Ports = [String: ServiceSpecification.ServicePort]

    /// All warnings, in the order of the Services.
    static func find(_ set: ManifestSet, _ compiled: Ports, node: NodeSettings) -> [ManifestFault] {
        let pods = PodIndex(set.pods, keys: Set(set.services.flatMap(\.selector.keys)))
        let services = set.services.flatMap { service -> [ManifestFault] in
            let selected = pods.selected(by: service.selector, in: service.metadata.namespace).filter { !$0.isFinished }
            return endpoints(service, compiled, selected) + policies(service, compiled, node: node)
                + nodePorts(service, compiled, node: node) + protocols(service)
        }
        return services + set.pods.flatMap { hostAddresses($0, node: node) }
    }

    /// Ports that no endpoint stands behind: new connections are refused.
    private static func endpoints(_ service: Service, _ compiled: Ports, _ selected: [Pod]) -> [ManifestFault] {
        let ports = service.ports.enumerated().filter { compiled[service.name(of: $0.element)]?.hasAny == false }
        guard service.isProxied, !ports.isEmpty else { return [] }
        if !service.selector.isEmpty {
            if selected.isEmpty, ports.count == service.ports.count {
                let selector = service.selector.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
                let text = "matches no pod, and there are no endpoints: connections are refused"
                return [fault(service, "spec.selector", value: selector.joined(separator: ","), text)]
            }
            return ports.map { index, port in
                targetPort(service, port, index, selected)
                    ?? fault(
                        service,
                        "spec.ports[\(index)]",
                        value: "\(port.port)/\(port.transport.rawValue)",
                        "has no endpoint that is ready, of \(selected.count) selected pods: connections are refused"
                    )
            }
        }
        return ports.map { index, port in
            let text = "has no endpoint that is ready: connections are refused"
            return fault(service, "spec.ports[\(index)]", value: "\(port.port)/\(port.transport.rawValue)", text)
        }
    }

    /// SCTP is read and not forwarded.
    private static func protocols(_ service: Service) -> [ManifestFault] {
        guard service.isProxied else { return [] }
        return service.ports.enumerated().compactMap { index, port in
            guard port.transport == .sctp else { return nil }
            return fault(service, "spec.ports[\(index)].protocol", value: "SCTP", "is not forwarded")
        }
    }

    /// Host ports that are bound to an address which packets do not come to.
    private static func hostAddresses(_ pod: Pod, node: NodeSettings) -> [ManifestFault] {
        guard pod.nodeName == node.name, !pod.hostNetwork, !pod.isFinished else { return [] }
        return pod.ports.compactMap { port in
            guard let hostPort = port.hostPort, let address = port.hostIP, !node.addresses.contains(address) else {
                return nil
            }
            let reason = address.isLoopback ? "which is in no packet that a TUN carries" : "no address of \(node.name)"
            return ManifestFault(
                .warning,
                of: pod,
                field: "spec.containers",
                value: "hostPort \(hostPort)",
                expectation: "is never reached: its hostIP is \(address), \(reason)"
            )
        }
    }

    /// Policy Local where every usable endpoint is elsewhere: new connections are dropped.
    private static func policies(_ service: Service, _ compiled: Ports, node: NodeSettings) -> [ManifestFault] {
        let isExternal = service.type == .nodePort || service.type == .loadBalancer || !service.externalIPs.isEmpty
        let policies = [
            (field: "spec.externalTrafficPolicy", policy: service.externalTrafficPolicy, isUsed: isExternal),
            (field: "spec.internalTrafficPolicy", policy: service.internalTrafficPolicy, isUsed: true),
        ]
        return policies.flatMap { entry in
            service.ports.compactMap { port -> ManifestFault? in
                guard entry.isUsed, entry.policy == .local, let found = compiled[service.name(of: port)], found.hasAny,
                    found.local.isEmpty
                else { return nil }
                return fault(
                    service,
                    entry.field,
                    value: "Local",
                    "leaves \(found.name) without endpoints: none is on \(node.name), where connections are dropped"
                )
            }
        }
    }

    /// NodePorts without an address to be reached on.
    private static func nodePorts(_ service: Service, _ compiled: Ports, node: NodeSettings) -> [ManifestFault] {
        guard node.nodePortAddresses.isEmpty, service.type == .nodePort || service.type == .loadBalancer else {
            return []
        }
        return service.ports.enumerated().compactMap { index, port in
            guard let number = port.nodePort, compiled[service.name(of: port)] != nil else { return nil }
            return fault(
                service,
                "spec.ports[\(index)].nodePort",
                value: "\(number)",
                "is reached on no address: \(node.name) has none that accepts NodePorts"
            )
        }
    }

    /// A `targetPort` by a name that no container of the selected pods has.
    private static func targetPort(
        _ service: Service,
        _ port: ServicePort,
        _ index: Int,
        _ selected: [Pod]
    ) -> ManifestFault? {
        guard case .name(let name) = port.targetPort, !selected.isEmpty else { return nil }
        let isKnown = selected.contains { pod in
            pod.ports.contains { $0.name == name && $0.transport == port.transport }
        }
        if isKnown { return nil }
        return fault(
            service,
            "spec.ports[\(index)].targetPort",
            value: "\"\(name)\"",
            "is no \(port.transport.rawValue) port of the \(selected.count) selected pods"
        )
    }

    private static func fault(
        _ service: Service,
        _ field: String,
        value: String,
        _ expectation: String
    ) -> ManifestFault {
        ManifestFault(.warning, of: service, field: field, value: value, expectation: expectation)
    }
}
