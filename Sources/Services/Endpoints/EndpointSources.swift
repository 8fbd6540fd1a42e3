internal import Kubernetes

/// Finds the endpoints of ServicePorts in a set of manifests, and keeps up with changes of it.
///
/// Of one Service, EndpointSlices win over Endpoints, and these over the selector.
struct EndpointSources: Sendable {
    private(set) var node = NodeSettings(name: "", zone: nil, addresses: [], nodePortAddresses: [])
    /// The zones of nodes, from their Node objects.
    private(set) var zones: [String: String] = [:]
    private(set) var slices: [ServiceName: [EndpointSlice]] = [:]
    private(set) var endpoints: [ServiceName: Endpoints] = [:]
    private(set) var pods = PodIndex()

    /// Sources without anything.
    init() {}

    init(_ set: ManifestSet, node: NodeSettings) {
        self.node = node
        for object in set.nodes { zones[object.metadata.name] = object.zone }
        // The configuration wins over a Node object.
        if let zone = node.zone { zones[node.name] = zone }
        for slice in set.endpointSlices { add(slice) }
        for object in set.endpoints { endpoints[object.serviceName] = object }
        pods = PodIndex(set.pods, keys: Self.selectorKeys(set.services))
    }

    private static func selectorKeys(_ services: [Service]) -> Set<String> {
        services.reduce(into: []) { keys, service in keys.formUnion(service.selector.keys) }
    }

    // MARK: Changes

    /// Takes over what differs from the set that was seen last.
    mutating func apply(_ changes: ManifestChanges, to set: ManifestSet) {
        // What goes, goes first: an object that has moved from file to file is in two changes.
        for old in changes.endpointSlices.compactMap(\.old) {
            guard let name = old.owner else { continue }
            slices[name]?.removeAll { $0.metadata.name == old.metadata.name }
            if slices[name]?.isEmpty ?? false { slices[name] = nil }
        }
        for new in changes.endpointSlices.compactMap(\.new) { add(new) }
        for old in changes.endpoints.compactMap(\.old) { endpoints[old.serviceName] = nil }
        for new in changes.endpoints.compactMap(\.new) { endpoints[new.serviceName] = new }
        for old in changes.pods.compactMap(\.old) { pods.remove(old) }
        for new in changes.pods.compactMap(\.new) { pods.add(new) }
        let keys = Self.selectorKeys(changes.services.compactMap(\.new))
        if !keys.isSubset(of: pods.keys) { pods = PodIndex(set.pods, keys: Self.selectorKeys(set.services)) }
    }

    /// The Services whose endpoints may differ by some changes.
    func concerned(by changes: ManifestChanges, _ services: [Service]) -> Set<ServiceName> {
        var names: Set<ServiceName> = []
        for change in changes.endpointSlices {
            names.formUnion([change.old?.owner, change.new?.owner].compactMap(\.self))
        }
        for change in changes.endpoints {
            names.formUnion([change.old?.serviceName, change.new?.serviceName].compactMap(\.self))
        }
        if changes.pods.isEmpty { return names }
        // A pod has the first label of every selector that matches it.
        var selectors: [PodIndex.Label: [Service]] = [:]
        for service in services {
            guard let (key, value) = service.selector.min(by: { $0.key < $1.key }) else { continue }
            let label = PodIndex.Label(namespace: service.metadata.namespace, key: key, value: value)
            selectors[label, default: []].append(service)
        }
        for pod in changes.pods.flatMap({ [$0.old, $0.new].compactMap(\.self) }) {
            for (key, value) in pod.metadata.labels {
                let label = PodIndex.Label(namespace: pod.metadata.namespace, key: key, value: value)
                for service in selectors[label] ?? [] where pod.matches(service.selector) {
                    names.insert(service.serviceName)
                }
            }
        }
        return names
    }

    private mutating func add(_ slice: EndpointSlice) {
        guard let name = slice.owner else { return }
        var list = slices[name] ?? []
        let place = list.firstIndex { $0.metadata.name > slice.metadata.name } ?? list.endIndex
        list.insert(slice, at: place)
        slices[name] = list
    }
}

extension EndpointSlice {
    /// The Service that the slice feeds; nil for those that kube-proxy does not look at.
    fileprivate var owner: ServiceName? {
        guard addressType == .ipv4, !isHeadless else { return nil }
        return serviceName.map { ServiceName(namespace: metadata.namespace, name: $0) }
    }
}

extension Endpoints {
    fileprivate var serviceName: ServiceName { ServiceName(namespace: metadata.namespace, name: metadata.name) }
}
