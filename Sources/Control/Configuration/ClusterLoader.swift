package import Kubernetes
internal import Names
package import Services
internal import Wire

/// Loads a cluster again and again, as its manifests change.
///
/// Theory of operation: files that have not changed are not read again (`ManifestCache`), what was given to Services stays
/// with them (`Allocator`), Services that nothing has happened to are not compiled again (`ServiceCompiler`). A load that
/// fails changes nothing: the next one goes on from the last that went well.
package struct ClusterLoader: Sendable {
    private let configuration: Configuration
    private var cache = ManifestCache()
    private var compiler: ServiceCompiler?
    private var registry: ServicePortRegistry
    private var services: AllocatedServices?
    /// The names of the last cluster, which the next one shares unless they are concerned.
    private var names = SharedNames()
    /// Whether the last update of the cache was compiled, so that the changes of the next one are all there are.
    private var isCurrent = true
    /// What has been given to Services so far.
    package private(set) var allocations: AllocationState
    /// How many objects differ from those of the load before; nil if that is unknown.
    package private(set) var changeCount: Int?

    /// A loader that has loaded nothing yet; numbers of ServicePorts go on from `registry`.
    package init(
        _ configuration: Configuration,
        registry: ServicePortRegistry = ServicePortRegistry(),
        allocations: AllocationState = AllocationState()
    ) {
        self.configuration = configuration
        self.registry = registry
        self.allocations = allocations
    }

    /// A loader that goes on from a cluster that was loaded elsewhere.
    package init(after cluster: Cluster) {
        self.init(cluster.configuration, registry: cluster.registry, allocations: cluster.allocations)
    }

    /// Loads and compiles what `-f` arguments name, as it is now.
    ///
    /// - Throws: what is wrong with the manifests.
    package mutating func load(_ arguments: [String]) throws(ManifestError) -> Cluster {
        try load(read(arguments))
    }

    /// The first half of a load: reads what is new or has changed.
    package mutating func read(_ arguments: [String]) -> ManifestCache.Reading {
        cache.read(arguments, rules: configuration.manifestRules)
    }

    /// The second half: holds what has been read against itself, and compiles it.
    package mutating func load(_ reading: ManifestCache.Reading) throws(ManifestError) -> Cluster {
        changeCount = nil
        return try take(try cache.update(reading, rules: configuration.manifestRules))
    }

    /// Goes back to a cluster, the last load having been thrown away: what that has given is not given.
    package mutating func resume(from cluster: Cluster) {
        allocations = cluster.allocations
        services = nil
        isCurrent = false
    }

    /// How many files the last load has read.
    package var filesRead: Int { cache.filesRead }
    /// How many Services the last load has compiled.
    package var servicesCompiled: Int { compiler?.compiledCount ?? 0 }

    private mutating func take(_ update: ManifestCache.Update) throws(ManifestError) -> Cluster {
        let changes = isCurrent ? update.changes : nil
        isCurrent = false
        let node = configuration.nodeSettings(update.set)
        let services = try allocated(update.set, changes, node)
        let set = update.set.replacing(services: services.all, adding: services.warnings)
        // Taken out, so that it has one owner and changes in place.
        var compiler = self.compiler ?? ServiceCompiler(node: node)
        self.compiler = nil
        if compiler.node != node { compiler = ServiceCompiler(node: node) }
        compiler.compile(set, changes: changes, registry: &registry)
        self.compiler = compiler
        if changes.map({ NameCompiler.isConcerned(by: $0, in: set) }) ?? true { names = SharedNames() }
        isCurrent = true
        changeCount = changes?.count
        return Cluster(
            configuration,
            set,
            node: node,
            rules: compiler.rules,
            registry: registry,
            allocations: allocations,
            names: names
        )
    }

    /// The Services with what they are given; where only endpoints have changed, that is what it was.
    private mutating func allocated(
        _ set: ManifestSet,
        _ changes: ManifestChanges?,
        _ node: NodeSettings
    ) throws(ManifestError) -> AllocatedServices {
        if let services, let changes, changes.concernsEndpointsOnly { return services }
        let allocator = Allocator(set, in: configuration.allocationRanges(node, set), keeping: allocations)
        if !allocator.faults.isEmpty {
            throw ManifestError(allocator.faults, warnings: set.warnings)
        }
        allocations = allocator.state
        let result = AllocatedServices(all: allocator.services, warnings: allocator.warnings)
        services = result
        return result
    }

    private struct AllocatedServices: Sendable {
        var all: [Service]
        var warnings: [ManifestFault]
    }
}
