internal import Kubernetes
internal import Wire

/// An endpoint of a headless Service, as DNS shows it: the API objects are looked at by themselves, because the data path
/// has no use for headless Services and leaves their slices aside.
struct HeadlessEndpoint: Hashable {
    /// A port by its name and protocol.
    struct Port: Hashable {
        var name: String
        var transport: Kubernetes.TransportProtocol
        var number: UInt16
    }

    var address: IPv4Address
    /// The name below the Service's that the endpoint asks for; nil: its address with dashes.
    var hostname: String?
    var ports: [Port]

    /// The label of its name below the Service's.
    var label: String { hostname ?? Self.dashed(address) }

    /// `10-244-0-5`, as CoreDNS names endpoints without a hostname.
    static func dashed(_ address: IPv4Address) -> String {
        let bits = address.bits
        return "\(bits >> 24)-\(bits >> 16 & 255)-\(bits >> 8 & 255)-\(bits & 255)"
    }
}

/// Finds the endpoints of headless Services: EndpointSlices win over Endpoints, and these over the selector.
struct HeadlessEndpoints {
    private struct Name: Hashable {
        var namespace: String
        var name: String
    }

    private struct Label: Hashable {
        var namespace: String
        var key: String
        var value: String
    }

    private var slices: [Name: [EndpointSlice]] = [:]
    private var endpoints: [Name: Endpoints] = [:]
    private var pods: [Label: [Pod]] = [:]

    init(_ set: ManifestSet) {
        let services = set.services.filter { $0.isHeadless }
        if services.isEmpty { return }
        let names = Set(services.map { Name(namespace: $0.metadata.namespace, name: $0.metadata.name) })
        for slice in set.endpointSlices where slice.addressType == .ipv4 {
            guard let service = slice.serviceName else { continue }
            let name = Name(namespace: slice.metadata.namespace, name: service)
            if names.contains(name) { slices[name, default: []].append(slice) }
        }
        for object in set.endpoints {
            let name = Name(namespace: object.metadata.namespace, name: object.metadata.name)
            if names.contains(name) { endpoints[name] = object }
        }
        // A pod is looked for by one label of each selector.
        let labels = Set(services.compactMap(Self.label))
        if labels.isEmpty { return }
        for pod in set.pods where !pod.isFinished && pod.podIP != nil {
            for (key, value) in pod.metadata.labels {
                let label = Label(namespace: pod.metadata.namespace, key: key, value: value)
                if labels.contains(label) { pods[label, default: []].append(pod) }
            }
        }
    }

    private static func label(_ service: Service) -> Label? {
        service.selector.min { $0.key < $1.key }.map { key, value in
            Label(namespace: service.metadata.namespace, key: key, value: value)
        }
    }

    /// The endpoints of a Service that are ready, or all where the Service wants that, in the order of their addresses.
    func ready(of service: Service) -> [HeadlessEndpoint] {
        let name = Name(namespace: service.metadata.namespace, name: service.metadata.name)
        let found =
            if let slices = slices[name] {
                Self.ready(slices, service)
            } else if let object = endpoints[name] {
                Self.ready(object, service)
            } else {
                readyPods(service)
            }
        return found.enumerated().sorted { ($0.element.address, $0.offset) < ($1.element.address, $1.offset) }
            .map(\.element)
    }

    private static func ready(_ slices: [EndpointSlice], _ service: Service) -> [HeadlessEndpoint] {
        slices.flatMap { slice in
            let ports = slice.ports.compactMap(Self.port)
            return slice.endpoints.compactMap { endpoint -> HeadlessEndpoint? in
                guard let address = endpoint.addresses.first,
                    endpoint.conditions.isReady || service.publishNotReadyAddresses
                else { return nil }
                return HeadlessEndpoint(address: address, hostname: endpoint.hostname, ports: ports)
            }
        }
    }

    private static func ready(_ object: Endpoints, _ service: Service) -> [HeadlessEndpoint] {
        object.subsets.flatMap { subset in
            let ports = subset.ports.compactMap(Self.port)
            let addresses = subset.addresses + (service.publishNotReadyAddresses ? subset.notReadyAddresses : [])
            return addresses.map { HeadlessEndpoint(address: $0.address, hostname: $0.hostname, ports: ports) }
        }
    }

    private static func port(_ port: EndpointPort) -> HeadlessEndpoint.Port? {
        port.port.map { HeadlessEndpoint.Port(name: port.name, transport: port.transport, number: $0) }
    }

    /// What the EndpointSlice controller would make of the pods that the selector matches.
    private func readyPods(_ service: Service) -> [HeadlessEndpoint] {
        guard let label = Self.label(service) else { return [] }
        return (pods[label] ?? []).compactMap { pod in
            guard let address = pod.podIP, service.selector.allSatisfy({ pod.metadata.labels[$0.key] == $0.value })
            else {
                return nil
            }
            let isReady = (pod.ready ?? (pod.phase == nil || pod.phase == .running)) && !pod.metadata.isDeleted
            guard isReady || service.publishNotReadyAddresses else { return nil }
            let ports = service.ports.compactMap { port in
                Self.number(of: port, in: pod).map {
                    HeadlessEndpoint.Port(name: port.name, transport: port.transport, number: $0)
                }
            }
            // A pod has a hostname below the Service that its subdomain names.
            let hostname = pod.subdomain == service.metadata.name ? pod.hostname : nil
            return HeadlessEndpoint(address: address, hostname: hostname, ports: ports)
        }
    }

    private static func number(of port: ServicePort, in pod: Pod) -> UInt16? {
        switch port.targetPort {
        case nil: port.port
        case .number(let number): number
        case .name(let name): pod.ports.first { $0.name == name && $0.transport == port.transport }?.containerPort
        }
    }
}
