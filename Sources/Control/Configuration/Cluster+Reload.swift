package import Kubernetes
internal import Services

extension Cluster {
    /// The cluster as manifests describe it now: what was numbered and given to the objects of this one stays theirs.
    ///
    /// Throws what is wrong with the manifests; this cluster is as good as before then.
    package func next(manifests arguments: [String]) throws(ManifestError) -> Cluster {
        try Cluster(configuration, manifests: arguments, registry: registry, allocations: allocations)
    }
}
