/// What has changed between two sets of manifests, object by object.
package struct ManifestChanges: Sendable {
    /// An object as it was and as it is; one of them is nil where it came or went.
    package struct Change<Object: ClusterObject>: Sendable {
        /// The object before.
        package var old: Object?
        /// The object now.
        package var new: Object?
    }

    /// Services that differ.
    package internal(set) var services: [Change<Service>] = []
    /// EndpointSlices that differ.
    package internal(set) var endpointSlices: [Change<EndpointSlice>] = []
    /// Endpoints objects that differ.
    package internal(set) var endpoints: [Change<Endpoints>] = []
    /// Nodes that differ.
    package internal(set) var nodes: [Change<Node>] = []
    /// Pods that differ.
    package internal(set) var pods: [Change<Pod>] = []
    /// ServiceCIDRs that differ.
    package internal(set) var serviceCIDRs: [Change<ServiceCIDR>] = []

    /// How many objects differ.
    package var count: Int {
        services.count + endpointSlices.count + endpoints.count + nodes.count + pods.count + serviceCIDRs.count
    }

    /// Whether nothing but endpoints differs, so that no claim to an address or a port has changed.
    package var concernsEndpointsOnly: Bool {
        func hasHostPort(_ pod: Pod?) -> Bool { pod?.ports.contains { $0.hostPort != nil } ?? false }
        return services.isEmpty && nodes.isEmpty && serviceCIDRs.isEmpty
            && !pods.contains { hasHostPort($0.old) || hasHostPort($0.new) }
    }

    /// The EndpointSlices, Endpoints and Pods that differ.
    var endpointReferences: Set<ObjectReference> {
        func references<Object: ClusterObject>(_ changes: [Change<Object>]) -> [ObjectReference] {
            changes.compactMap { ($0.new ?? $0.old)?.reference }
        }
        return Set(references(endpointSlices) + references(endpoints) + references(pods))
    }

    /// Adds what differs between two contents of one text.
    mutating func add(from old: ManifestSet, to new: ManifestSet) {
        Self.compare(old.services, new.services, &services)
        Self.compare(old.endpointSlices, new.endpointSlices, &endpointSlices)
        Self.compare(old.endpoints, new.endpoints, &endpoints)
        Self.compare(old.nodes, new.nodes, &nodes)
        Self.compare(old.pods, new.pods, &pods)
        Self.compare(old.serviceCIDRs, new.serviceCIDRs, &serviceCIDRs)
    }

    /// Walks two ordered lists side by side.
    private static func compare<Object: ClusterObject>(
        _ old: [Object],
        _ new: [Object],
        _ changes: inout [Change<Object>]
    ) {
        if old == new { return }
        var (left, right) = (old.startIndex, new.startIndex)
        while left < old.endIndex || right < new.endIndex {
            if left == old.endIndex {
                changes.append(Change(old: nil, new: new[right]))
                right += 1
            } else if right == new.endIndex {
                changes.append(Change(old: old[left], new: nil))
                left += 1
            } else if ObjectOrder.haveSameName(old[left].metadata, new[right].metadata) {
                if old[left] != new[right] { changes.append(Change(old: old[left], new: new[right])) }
                (left, right) = (left + 1, right + 1)
            } else if ObjectOrder.precedes(old[left], new[right]) {
                changes.append(Change(old: old[left], new: nil))
                left += 1
            } else {
                changes.append(Change(old: nil, new: new[right]))
                right += 1
            }
        }
    }

    /// Brings a set that lacks the changes up to date; false, with the set in disorder, if an object is not where it should be
    /// or is there twice.
    func apply(to set: inout ManifestSet) -> Bool {
        Self.apply(services, to: &set.services) && Self.apply(endpointSlices, to: &set.endpointSlices)
            && Self.apply(endpoints, to: &set.endpoints) && Self.apply(nodes, to: &set.nodes)
            && Self.apply(pods, to: &set.pods) && Self.apply(serviceCIDRs, to: &set.serviceCIDRs)
    }

    private static func apply<Object: ClusterObject>(_ changes: [Change<Object>], to objects: inout [Object]) -> Bool {
        // What goes makes room first: an object may move from file to file.
        for change in changes where change.new == nil {
            guard let old = change.old else { continue }
            let place = place(of: old.metadata, in: objects)
            guard place < objects.count, objects[place] == old else { return false }
            objects.remove(at: place)
        }
        for change in changes {
            guard let new = change.new else { continue }
            let place = place(of: new.metadata, in: objects)
            let isThere = place < objects.count && ObjectOrder.haveSameName(objects[place].metadata, new.metadata)
            guard isThere == (change.old != nil) else { return false }
            if isThere { objects[place] = new } else { objects.insert(new, at: place) }
        }
        return true
    }

    private static func place(of metadata: Metadata, in objects: [some ClusterObject]) -> Int {
        ObjectOrder.place(of: metadata.name, in: metadata.namespace, among: objects)
    }
}
