internal import Datapath
internal import Kubernetes
internal import Wire

/// Finds what is legal and hardly meant in a set that compiles.
enum CompileWarnings {
    typealias Ports = [String: ServiceSpecification.ServicePort]

    /// All warnings, in the order of the Services.
    static func find(_ set: ManifestSet, _ compiled: Ports, node: NodeSettings) -> [ManifestFault] {
        set.services.flatMap { service in
            policies(service, compiled, node: node) + nodePorts(service, compiled, node: node)
                + targetPorts(service, compiled, set)
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
    private static func targetPorts(_ service: Service, _ compiled: Ports, _ set: ManifestSet) -> [ManifestFault] {
        guard !service.selector.isEmpty else { return [] }
        return service.ports.enumerated().compactMap { index, port in
            guard case .name(let name) = port.targetPort, let found = compiled[service.name(of: port)], !found.hasAny
            else { return nil }
            let pods = set.pods.filter { pod in
                pod.metadata.namespace == service.metadata.namespace && !pod.isFinished
                    && service.selector.allSatisfy { pod.metadata.labels[$0.key] == $0.value }
            }
            let isKnown = pods.contains { pod in
                pod.ports.contains { $0.name == name && $0.transport == port.transport }
            }
            guard !pods.isEmpty, !isKnown else { return nil }
            return fault(
                service,
                "spec.ports[\(index)].targetPort",
                value: "\"\(name)\"",
                "is no \(port.transport.rawValue) port of the \(pods.count) selected pods"
            )
        }
    }

    private static func fault(
        _ service: Service,
        _ field: String,
        value: String,
        _ expectation: String
    ) -> ManifestFault {
        ManifestFault(
            severity: .warning,
            file: service.origin?.file ?? "",
            document: service.origin?.document,
            item: service.origin?.item,
            object: service.reference,
            field: field,
            value: value,
            expectation: expectation
        )
    }
}
