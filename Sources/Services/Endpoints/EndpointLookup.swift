internal import Kubernetes
internal import Wire

// The endpoints of a port, from where they are.

extension EndpointSources {
    /// The endpoints of a port of a Service, in the order of address and port.
    func records(of service: Service, port: ServicePort) -> [EndpointRecord] {
        let name = service.serviceName
        let found =
            if let slices = slices[name] {
                fromSlices(slices, port)
            } else if let endpoints = endpoints[name] {
                fromEndpoints(endpoints, port)
            } else {
                fromPods(service, port)
            }
        return found.sorted { $0.place < $1.place }
    }

    /// A slice port feeds a ServicePort of the same name and protocol; the backend port is the slice's.
    private func fromSlices(_ slices: [EndpointSlice], _ port: ServicePort) -> [EndpointRecord] {
        var found = RecordList()
        for slice in slices {
            for slicePort in slice.ports where slicePort.name == port.name && slicePort.transport == port.transport {
                guard let number = slicePort.port else { continue }
                for endpoint in slice.endpoints {
                    guard let address = endpoint.addresses.first else { continue }
                    let record = EndpointRecord(
                        address: address,
                        port: number,
                        isReady: endpoint.conditions.isReady,
                        isServing: endpoint.conditions.isServing,
                        isTerminating: endpoint.conditions.isTerminating,
                        isLocal: endpoint.nodeName == node.name,
                        zoneHints: endpoint.zoneHints,
                        nodeHints: endpoint.nodeHints
                    )
                    // Of one endpoint in two slices, one that does not terminate replaces any earlier one
                    // (pkg/proxy/endpointslicecache.go addEndpoints).
                    found.add(record) { _ in !record.isTerminating }
                }
            }
        }
        return found.records
    }

    private func fromEndpoints(_ object: Endpoints, _ port: ServicePort) -> [EndpointRecord] {
        var found = RecordList()
        for subset in object.subsets {
            for subsetPort in subset.ports where subsetPort.name == port.name && subsetPort.transport == port.transport
            {
                guard let number = subsetPort.port else { continue }
                let all = subset.notReadyAddresses.map { ($0, false) } + subset.addresses.map { ($0, true) }
                for (entry, isReady) in all {
                    let record = EndpointRecord(
                        address: entry.address,
                        port: number,
                        isReady: isReady,
                        isServing: isReady,
                        isTerminating: false,
                        isLocal: entry.nodeName == node.name
                    )
                    found.add(record) { !$0.isReady }
                }
            }
        }
        return found.records
    }

    /// What the EndpointSlice controller would make of the Pods that a selector matches
    /// (k8s.io/endpointslice `podToEndpoint`; `ShouldPodBeInEndpoints`).
    private func fromPods(_ service: Service, _ port: ServicePort) -> [EndpointRecord] {
        var found = RecordList()
        let selected = pods.selected(by: service.selector, in: service.metadata.namespace)
        for pod in selected.sorted(by: { $0.metadata.name < $1.metadata.name }) where !pod.isFinished {
            guard let address = pod.podIP, let number = pod.number(of: port) else { continue }
            let isServing = pod.isServing
            let isReady = service.publishNotReadyAddresses || (isServing && !pod.metadata.isDeleted)
            var record = EndpointRecord(
                address: address,
                port: number,
                isReady: isReady,
                isServing: isServing,
                isTerminating: pod.metadata.isDeleted,
                isLocal: pod.nodeName == node.name
            )
            if isReady, let wish = service.trafficDistribution { addHints(to: &record, of: pod, wish) }
            // Pods in the node's network share its address; the controller would list one of them for each slice.
            found.add(record) { !$0.isReady && isReady }
        }
        return found.records
    }

    /// Hints by `trafficDistribution`: an endpoint is meant for its own zone, or its own node (KEP-4444, KEP-3015).
    private func addHints(to record: inout EndpointRecord, of pod: Pod, _ wish: TrafficDistribution) {
        guard let nodeName = pod.nodeName else { return }
        record.zoneHints = zones[nodeName].map { [$0] }
        if wish == .preferSameNode { record.nodeHints = [nodeName] }
    }
}

/// Endpoints as they are found, each once.
private struct RecordList {
    private(set) var records: [EndpointRecord] = []
    private var places: [UInt64: Int] = [:]

    /// Adds an endpoint; one that is known already only if it is to replace that.
    mutating func add(_ record: EndpointRecord, replacing isBetter: (EndpointRecord) -> Bool) {
        if let known = places[record.place] {
            if isBetter(records[known]) { records[known] = record }
        } else {
            places[record.place] = records.count
            records.append(record)
        }
    }
}

extension EndpointRecord {
    /// Address and port as one number, by which endpoints are ordered.
    fileprivate var place: UInt64 { UInt64(address.bits) << 16 | UInt64(port) }
}

extension Pod {
    /// The condition Ready; a pod that a manifest shows without conditions counts as ready unless it waits or has ended.
    fileprivate var isServing: Bool { ready ?? (phase == nil || phase == .running) }

    /// `targetPort` by number, or by the name of a port of this pod's containers (`FindPort` of the controllers).
    fileprivate func number(of port: ServicePort) -> UInt16? {
        switch port.targetPort {
        case nil: port.port
        case .number(let number): number
        case .name(let name): ports.first { $0.name == name && $0.transport == port.transport }?.containerPort
        }
    }
}
