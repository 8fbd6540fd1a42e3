/// The objects of all manifests of a run, held against each other and found free of faults.
///
/// Every list is in the order of namespace and name, whatever the order of files was.
package struct ManifestSet: Hashable, Sendable {
    package internal(set) var services: [Service] = []
    package internal(set) var endpointSlices: [EndpointSlice] = []
    package internal(set) var endpoints: [Endpoints] = []
    package internal(set) var nodes: [Node] = []
    package internal(set) var pods: [Pod] = []
    /// How many objects of kinds that Culvert does not use there were: `ConfigMap`, `Deployment.apps`.
    package internal(set) var skipped: [String: Int] = [:]
    /// What is odd and no reason to refuse, at most `ManifestLoader.maximumReports`.
    package internal(set) var warnings: [ManifestFault] = []

    package init() {}

    /// How many objects there are, those of unused kinds aside.
    package var count: Int { services.count + endpointSlices.count + endpoints.count + nodes.count + pods.count }

    mutating func sort() {
        func order<Object: ClusterObject>(_ objects: inout [Object]) {
            objects.sort { left, right in
                if left.reference != right.reference { return left.reference < right.reference }
                guard let first = left.origin, let second = right.origin else { return right.origin != nil }
                return first < second
            }
        }
        order(&services)
        order(&endpointSlices)
        order(&endpoints)
        order(&nodes)
        order(&pods)
    }
}
