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
    /// All ServiceCIDRs.
    package internal(set) var serviceCIDRs: [ServiceCIDR] = []
    /// How many objects of kinds that Culvert does not use there were: `ConfigMap`, `Deployment.apps`.
    package internal(set) var skipped: [String: Int] = [:]
    /// What is odd and no reason to refuse, at most `ManifestLoader.maximumReports`.
    package internal(set) var warnings: [ManifestFault] = []

    /// The set without objects.
    package init() {}

    /// How many objects there are, those of unused kinds aside.
    package var count: Int {
        services.count + endpointSlices.count + endpoints.count + nodes.count + pods.count + serviceCIDRs.count
    }

    /// The Service of a name; nil for none.
    package func service(_ name: String, in namespace: String) -> Service? {
        let place = ObjectOrder.place(of: name, in: namespace, among: services)
        guard place < services.count, services[place].metadata.name == name,
            services[place].metadata.namespace == namespace
        else { return nil }
        return services[place]
    }

    /// The same set with what a control loop has filled into its Services, and what was odd about that.
    package func replacing(services: [Service], adding warnings: [ManifestFault]) -> ManifestSet {
        var result = self
        result.services = services
        result.warnings += warnings.prefix(max(0, ManifestLoader.maximumReports - result.warnings.count))
        return result
    }

    /// Adds the objects of another set behind its own, and what that has skipped; not its warnings.
    mutating func append(_ other: ManifestSet) {
        services += other.services
        endpointSlices += other.endpointSlices
        endpoints += other.endpoints
        nodes += other.nodes
        pods += other.pods
        serviceCIDRs += other.serviceCIDRs
        skipped.merge(other.skipped, uniquingKeysWith: +)
    }

    /// Brings every list into the order of its objects.
    mutating func sort() {
        func order<Object: ClusterObject>(_ objects: inout [Object]) {
            objects.sort(by: ObjectOrder.precedes)
        }
        order(&services)
        order(&endpointSlices)
        order(&endpoints)
        order(&nodes)
        order(&pods)
        order(&serviceCIDRs)
    }
}

/// The order of objects of one kind: by namespace and name, of several with one name by where they were read.
enum ObjectOrder {
    static func precedes(_ left: some ClusterObject, _ right: some ClusterObject) -> Bool {
        let (one, other) = (left.metadata, right.metadata)
        if one.namespace != other.namespace { return one.namespace < other.namespace }
        if one.name != other.name { return one.name < other.name }
        guard let first = left.origin, let second = right.origin else { return right.origin != nil }
        return first < second
    }

    /// Where an object of a name is in an ordered list, or would have to be.
    static func place(of name: String, in namespace: String, among objects: [some ClusterObject]) -> Int {
        var (low, high) = (objects.startIndex, objects.endIndex)
        while low < high {
            let middle = (low + high) / 2
            let other = objects[middle].metadata
            let isBefore = other.namespace == namespace ? other.name < name : other.namespace < namespace
            if isBefore { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Whether two objects of one kind have one namespace and name.
    static func haveSameName(_ left: Metadata, _ right: Metadata) -> Bool {
        left.name == right.name && left.namespace == right.namespace
    }
}
