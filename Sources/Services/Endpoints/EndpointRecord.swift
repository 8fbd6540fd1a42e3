package import Wire

/// One endpoint of a ServicePort, wherever it was read: an EndpointSlice, an Endpoints object or a Pod.
package struct EndpointRecord: Hashable, Sendable {
    /// The address that packets go to.
    package var address: IPv4Address
    /// The port that they go to, in host byte order.
    package var port: UInt16
    /// The condition `ready`: new flows may come.
    package var isReady: Bool
    /// The condition `serving`: it answers, be it about to end or not.
    package var isServing: Bool
    /// The condition `terminating`: it is about to end.
    package var isTerminating: Bool
    /// Whether it runs on this node.
    package var isLocal: Bool
    /// The zones it is meant for (`hints.forZones`, KEP-2433); nil without hints.
    package var zoneHints: [String]?
    /// The nodes it is meant for (`hints.forNodes`, KEP-4444); nil without hints.
    package var nodeHints: [String]?

    /// Whether it may be used when nothing is ready.
    package var isFallback: Bool { isServing && isTerminating }
}

/// The endpoints that each traffic policy may use (pkg/proxy/topology.go `CategorizeEndpoints`).
package struct EndpointCategories: Hashable, Sendable {
    /// The endpoints for policy Cluster.
    package var cluster: [EndpointRecord]
    /// The endpoints for policy Local.
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
