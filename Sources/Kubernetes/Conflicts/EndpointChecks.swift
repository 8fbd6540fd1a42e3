import Wire

/// Endpoints against Services: none may be a Service address, and each slice should have its Service.
enum EndpointChecks {
    /// Endpoints that are addresses of Services: a packet would be translated in a circle.
    static func addresses(in set: ManifestSet, rules: ClusterRules) -> [ManifestFault] {
        var fronts: [IPv4Address: (kind: AddressClaims.Front.Kind, service: Service)] = [:]
        for service in set.services {
            for front in AddressClaims.fronts(of: service)
            where fronts[front.address] == nil || front.kind == .clusterIP {
                fronts[front.address] = (front.kind, service)
            }
        }
        func check(_ address: IPv4Address, _ object: some ClusterObject, _ field: @autoclosure () -> String)
            -> ManifestFault?
        {
            if let (kind, service) = fronts[address] {
                // Pods in the node's network have its addresses, which may be external ones of a Service as well.
                if kind != .clusterIP, rules.nodeAddresses.contains(address) { return nil }
                return ManifestFault(
                    kind == .clusterIP ? .error : .warning,
                    of: object,
                    field: field(),
                    value: "\(address)",
                    expectation: "is an address of \(Conflicts.name(service)), not of an endpoint"
                )
            }
            guard let block = rules.serviceCIDR, block.contains(address) else { return nil }
            return ManifestFault(
                .error,
                of: object,
                field: field(),
                value: "\(address)",
                expectation: "lies among the ClusterIPs (\(block)), where no endpoint can be"
            )
        }
        let slices = set.endpointSlices.flatMap { slice in
            slice.endpoints.enumerated().compactMap { index, endpoint in
                endpoint.addresses.first.flatMap { check($0, slice, "endpoints[\(index)].addresses[0]") }
            }
        }
        let endpoints = set.endpoints.flatMap { object in
            object.subsets.enumerated().flatMap { subset, content in
                content.addresses.enumerated().compactMap { index, entry in
                    check(entry.address, object, "subsets[\(subset)].addresses[\(index)].ip")
                }
            }
        }
        return slices + endpoints
    }

    private struct Name: Hashable {
        var namespace: String
        var name: String
    }

    /// Slices and Endpoints that belong to no Service, or feed none of its ports.
    static func orphans(in set: ManifestSet) -> [ManifestFault] {
        let services = Dictionary(
            set.services.map { (Name(namespace: $0.metadata.namespace, name: $0.metadata.name), $0) },
            uniquingKeysWith: { $1 }
        )
        func service(_ name: String, _ object: some ClusterObject) -> Service? {
            services[Name(namespace: object.metadata.namespace, name: name)]
        }
        let slices = set.endpointSlices.flatMap { slice -> [ManifestFault] in
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
        let endpoints = set.endpoints.compactMap { object -> ManifestFault? in
            guard !object.subsets.isEmpty, service(object.metadata.name, object) == nil else { return nil }
            let name = "\(object.metadata.namespace)/\(object.metadata.name)"
            let text = "belongs to Service \(name), which is not there"
            return ManifestFault(.warning, of: object, field: "metadata.name", expectation: text)
        }
        return slices + endpoints
    }

    /// Ports of a slice that no port of the Service has the name and protocol of: traffic never reaches them.
    private static func unmatched(_ slice: EndpointSlice, _ service: Service) -> [ManifestFault] {
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
