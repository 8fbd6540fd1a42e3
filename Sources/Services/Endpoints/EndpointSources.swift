internal import Kubernetes
internal import Wire

/// Finds the endpoints of ServicePorts in a set of manifests.
///
/// Of one Service, EndpointSlices win over Endpoints, and these over the selector.
struct EndpointSources {
    private struct Key: Hashable {
        var namespace: String
        var name: String
    }

    private let nodeName: String
    private var slices: [Key: [EndpointSlice]] = [:]
    private var endpoints: [Key: Endpoints] = [:]
    private var pods: [String: [Pod]] = [:]

    init(_ set: ManifestSet, nodeName: String) {
        self.nodeName = nodeName
        for slice in set.endpointSlices where slice.addressType == .ipv4 && !slice.isHeadless {
            guard let service = slice.serviceName else { continue }
            slices[Key(namespace: slice.metadata.namespace, name: service), default: []].append(slice)
        }
        for object in set.endpoints {
            endpoints[Key(namespace: object.metadata.namespace, name: object.metadata.name)] = object
        }
        for pod in set.pods { pods[pod.metadata.namespace, default: []].append(pod) }
    }

    /// The endpoints of a port of a Service, in the order of address and port.
    func records(of service: Service, port: ServicePort) -> [EndpointRecord] {
        let key = Key(namespace: service.metadata.namespace, name: service.metadata.name)
        let found =
            if let slices = slices[key] {
                fromSlices(slices, port)
            } else if let endpoints = endpoints[key] {
                fromEndpoints(endpoints, port)
            } else {
                fromPods(service, port)
            }
        return found.sorted { ($0.address, $0.port) < ($1.address, $1.port) }
    }

    /// A slice port feeds a ServicePort of the same name and protocol; the backend port is the slice's.
    private func fromSlices(_ slices: [EndpointSlice], _ port: ServicePort) -> [EndpointRecord] {
        var found: [FlowPlace: EndpointRecord] = [:]
        for slice in slices {
            for slicePort in slice.ports where slicePort.name == port.name && slicePort.transport == port.transport {
                guard let number = slicePort.port else { continue }
                for endpoint in slice.endpoints {
                    guard let address = endpoint.addresses.first else { continue }
                    let place = FlowPlace(address: address, port: number)
                    let record = EndpointRecord(
                        address: address,
                        port: number,
                        isReady: endpoint.conditions.isReady,
                        isServing: endpoint.conditions.isServing,
                        isTerminating: endpoint.conditions.isTerminating,
                        isLocal: endpoint.nodeName == nodeName,
                        zoneHints: endpoint.zoneHints,
                        nodeHints: endpoint.nodeHints
                    )
                    // Of one endpoint in two slices, one that does not terminate replaces any earlier one
                    // (pkg/proxy/endpointslicecache.go addEndpoints).
                    if found[place] == nil || !record.isTerminating { found[place] = record }
                }
            }
        }
        return Array(found.values)
    }

    private struct FlowPlace: Hashable {
        var address: IPv4Address
        var port: UInt16
    }

    private func fromEndpoints(_ object: Endpoints, _ port: ServicePort) -> [EndpointRecord] {
        var found: [FlowPlace: EndpointRecord] = [:]
        for subset in object.subsets {
            for subsetPort in subset.ports where subsetPort.name == port.name && subsetPort.transport == port.transport
            {
                guard let number = subsetPort.port else { continue }
                let all = subset.notReadyAddresses.map { ($0, false) } + subset.addresses.map { ($0, true) }
                for (entry, isReady) in all {
                    let place = FlowPlace(address: entry.address, port: number)
                    if found[place]?.isReady == true { continue }
                    found[place] = EndpointRecord(
                        address: entry.address,
                        port: number,
                        isReady: isReady,
                        isServing: isReady,
                        isTerminating: false,
                        isLocal: entry.nodeName == nodeName
                    )
                }
            }
        }
        return Array(found.values)
    }

    /// What the EndpointSlice controller would make of the Pods that a selector matches.
    private func fromPods(_ service: Service, _ port: ServicePort) -> [EndpointRecord] {
        guard !service.selector.isEmpty else { return [] }
        var found: [EndpointRecord] = []
        for pod in pods[service.metadata.namespace] ?? [] {
            guard service.selector.allSatisfy({ pod.metadata.labels[$0.key] == $0.value }), !pod.isFinished,
                let address = pod.podIP, let number = targetPort(port, in: pod)
            else { continue }
            let isServing = pod.ready ?? (pod.phase == nil || pod.phase == .running)
            found.append(
                EndpointRecord(
                    address: address,
                    port: number,
                    isReady: service.publishNotReadyAddresses || (isServing && !pod.metadata.isDeleted),
                    isServing: isServing,
                    isTerminating: pod.metadata.isDeleted,
                    isLocal: pod.nodeName == nodeName
                )
            )
        }
        return found
    }

    /// `targetPort` by number, or by the name of a port of this pod's containers.
    private func targetPort(_ port: ServicePort, in pod: Pod) -> UInt16? {
        switch port.targetPort {
        case nil: port.port
        case .number(let number): number
        case .name(let name): pod.ports.first { $0.name == name && $0.transport == port.transport }?.containerPort
        }
    }
}
