import Wire

/// Endpoints against Services: none may be a Service address, and each slice should have its Service.
struct EndpointChecks: Sendable {
    private struct Name: Hashable {
        var namespace: String
        var name: String
    }

    private let rules: ClusterRules
    private let services: [Service]
    private var places: [Name: Int] = [:]
    private var fronts: [IPv4Address: (kind: AddressClaims.Front.Kind, service: Int)] = [:]

    /// Checks against the Services of a set.
    init(_ services: [Service], rules: ClusterRules) {
        self.rules = rules
        self.services = services
        for (place, service) in services.enumerated() {
            places[Name(namespace: service.metadata.namespace, name: service.metadata.name)] = place
            for front in AddressClaims.fronts(of: service, rules: rules)
            where fronts[front.address] == nil || front.kind == .clusterIP {
                fronts[front.address] = (front.kind, place)
            }
        }
    }

    /// All findings about a set; what an object misses is looked for only if the set is complete.
    func findings(_ set: ManifestSet, isComplete: Bool) -> [ManifestFault] {
        var result = set.endpointSlices.flatMap(addresses) + set.endpoints.flatMap(addresses)
        result += set.pods.flatMap(addresses)
        if isComplete { result += set.endpointSlices.flatMap(orphans) + set.endpoints.flatMap(orphans) }
        return result
    }

    /// The findings about what has changed in a complete set.
    func findings(_ changes: ManifestChanges) -> [ManifestFault] {
        let slices = changes.endpointSlices.compactMap(\.new)
        let endpoints = changes.endpoints.compactMap(\.new)
        var result = slices.flatMap(addresses) + endpoints.flatMap(addresses)
        result += changes.pods.compactMap(\.new).flatMap(addresses)
        result += slices.flatMap(orphans) + endpoints.flatMap(orphans)
        return result
    }

    // Endpoints that are addresses of Services: a packet would be translated in a circle.

    private func addresses(_ slice: EndpointSlice) -> [ManifestFault] {
        slice.endpoints.enumerated().compactMap { index, endpoint in
            endpoint.addresses.first.flatMap { check($0, slice, "endpoints[\(index)].addresses[0]") }
        }
    }

    private func addresses(_ object: Endpoints) -> [ManifestFault] {
        object.subsets.enumerated().flatMap { subset, content in
            content.addresses.enumerated().compactMap { index, entry in
                check(entry.address, object, "subsets[\(subset)].addresses[\(index)].ip")
            }
        }
    }

    private func addresses(_ pod: Pod) -> [ManifestFault] {
        guard let address = pod.podIP, !pod.isFinished, !pod.hostNetwork else { return [] }
        return [check(address, pod, "status.podIP")].compactMap(\.self)
    }

    private func check(
        _ address: IPv4Address,
        _ object: some ClusterObject,
        _ field: @autoclosure () -> String
    ) -> ManifestFault? {
        if let (kind, service) = fronts[address] {
            // Pods in the node's network have its addresses, which may be external ones of a Service as well.
            if kind != .clusterIP, rules.nodeAddresses.contains(address) { return nil }
            return ManifestFault(
                kind == .clusterIP ? .error : .warning,
                of: object,
                field: field(),
                value: "\(address)",
                expectation: "is an address of \(Conflicts.name(services[service])), not of an endpoint"
            )
        }
        guard let block = rules.serviceBlock(of: address) else { return nil }
        return ManifestFault(
            .error,
            of: object,
            field: field(),
            value: "\(address)",
            expectation: "lies among the ClusterIPs (\(block)), where no endpoint can be"
        )
    }

    // Slices and Endpoints that belong to no Service, or feed none of its ports.

    private func service(_ name: String, _ object: some ClusterObject) -> Service? {
        places[Name(namespace: object.metadata.namespace, name: name)].map { services[$0] }
    }

    private func orphans(_ slice: EndpointSlice) -> [ManifestFault] {
        guard slice.addressType == .ipv4 else { return [] }
        guard let name = slice.serviceName else {
            let text = "has no label kubernetes.io/service-name, so it belongs to no Service"
            return [ManifestFault(.warning, of: slice, field: "metadata.labels", expectation: text)]
        }
        guard let service = service(name, slice) else {
            let text = "belongs to Service \(slice.metadata.namespace)/\(Quoting.bare(name)), which is not there"
            return [ManifestFault(.warning, of: slice, field: "metadata.labels", expectation: text)]
        }
        return unmatched(slice, service)
    }

    private func orphans(_ object: Endpoints) -> [ManifestFault] {
        guard !object.subsets.isEmpty, service(object.metadata.name, object) == nil else { return [] }
        let name = "\(object.metadata.namespace)/\(object.metadata.name)"
        let text = "belongs to Service \(name), which is not there"
        return [ManifestFault(.warning, of: object, field: "metadata.name", expectation: text)]
    }

    /// Ports of a slice that no port of the Service has the name and protocol of: traffic never reaches them.
    private func unmatched(_ slice: EndpointSlice, _ service: Service) -> [ManifestFault] {
        guard service.clusterIP != .headless, service.type != .externalName else { return [] }
        return slice.ports.enumerated().compactMap { index, port in
            if service.ports.contains(where: { $0.name == port.name && $0.transport == port.transport }) { return nil }
            let named = port.name.isEmpty ? "without a name" : "named \(port.name)"
            return ManifestFault(
                .warning,
                of: slice,
                field: "ports[\(index)]",
                value: port.transport.rawValue,
                expectation: "\(named) is no port of \(Conflicts.name(service))"
            )
        }
    }
}
