/// The objects of all manifests of a run, held against each other and found free of faults.
///
/// Every list is in the order of namespace and name, whatever the order of files was.
package struct ManifestSet: Hashable, Sendable {
    /// All Services, headless ones and external names included.
    package internal(set) var services: [Service] = []
    /// All EndpointSlices, of Services that are there or not.
    package internal(set) var endpointSlices: [EndpointSlice] = []
    /// All Endpoints objects.
    package internal(set) var endpoints: [Endpoints] = []
    /// All Nodes.
    package internal(set) var nodes: [Node] = []
    /// All Pods, ended ones included.
    package internal(set) var pods: [Pod] = []
    /// How many objects of kinds that Culvert does not use there were: `ConfigMap`, `Deployment.apps`.
    package internal(set) var skipped: [String: Int] = [:]
    /// What is odd and no reason to refuse, at most `ManifestLoader.maximumReports`.
    package internal(set) var warnings: [ManifestFault] = []

    /// The set without objects.
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
