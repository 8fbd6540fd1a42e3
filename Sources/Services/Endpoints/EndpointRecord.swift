package import Wire

/// One endpoint of a ServicePort, wherever it was read: an EndpointSlice, an Endpoints object or a Pod.
package struct EndpointRecord: Hashable, Sendable {
    package var address: IPv4Address
    package var port: UInt16
    package var isReady: Bool
    package var isServing: Bool
    package var isTerminating: Bool
    /// Whether it runs on this node.
    package var isLocal: Bool
    package var zoneHints: [String]?
    package var nodeHints: [String]?

    /// Whether it may be used when nothing is ready.
    package var isFallback: Bool { isServing && isTerminating }
}

/// The endpoints that each traffic policy may use (pkg/proxy/topology.go `CategorizeEndpoints`).
package struct EndpointCategories: Hashable, Sendable {
    /// For policy Cluster.
    package var cluster: [EndpointRecord]
    /// For policy Local.
    package var local: [EndpointRecord]
    /// Whether any endpoint is usable, here or elsewhere.
    package var hasAny: Bool

    /// Ready endpoints count; those that terminate but still serve count where no ready one is left.
    package init(_ endpoints: [EndpointRecord], nodeName: String, zone: String?) {
        let ready = endpoints.filter(\.isReady)
        let fallback = endpoints.filter(\.isFallback)
        let near = Self.filterByTopology(ready, nodeName: nodeName, zone: zone)
        cluster = near.isEmpty ? fallback : near
        let localReady = ready.filter(\.isLocal)
        local = localReady.isEmpty ? fallback.filter(\.isLocal) : localReady
        hasAny = !ready.isEmpty || !fallback.isEmpty
    }

    /// Hints count only if every ready endpoint has them and one of them is for us (KEP-2433, KEP-4444).
    private static func filterByTopology(
        _ ready: [EndpointRecord],
        nodeName: String,
        zone: String?
    ) -> [EndpointRecord] {
        if ready.allSatisfy({ !($0.nodeHints ?? []).isEmpty }) {
            let near = ready.filter { $0.nodeHints?.contains(nodeName) ?? false }
            if !near.isEmpty { return near }
        }
        if let zone, ready.allSatisfy({ !($0.zoneHints ?? []).isEmpty }) {
            let near = ready.filter { $0.zoneHints?.contains(zone) ?? false }
            if !near.isEmpty { return near }
        }
        return ready
    }
}
