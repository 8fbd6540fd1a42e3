internal import Kubernetes
internal import Services
internal import Wire

/// What is right at a start and suspect at a reload: that objects are simply not there any more.
///
/// A file that is being copied is empty for a moment, a volume that is not mounted is an empty directory. So a file that
/// held objects and holds none is refused, and so are manifests without any object, as `kubectl apply` refuses both ("no
/// objects passed to apply"). Whoever means it deletes the file, or, for the last one, writes an empty `kind: List`. A file
/// that was given by name and is gone is refused by the loader.
enum ReloadChecks {
    /// Why `next` must not take the place of `current`, a line each; empty when it may.
    static func faults(_ next: Cluster, after current: Cluster) -> [String] {
        let nothing = next.manifests.warnings.filter(\.isAboutNothing)
        let before = nothing.isEmpty ? [] : files(of: current.manifests)
        var faults = nothing.filter { before.contains($0.file) }.map { finding in
            "\(finding.file): holds no objects any more; if that is meant, delete the file or write an empty List into it"
        }
        if faults.isEmpty, next.manifests.count == 0, current.manifests.count > 0, let first = nothing.first {
            faults.append("\(first): nothing would be left; if that is meant, write an empty List into a file")
        }
        if next.node.addresses != current.node.addresses {
            let addresses = next.node.addresses.map(\.description).joined(separator: ", ")
            faults.append("node \(next.node.name): its addresses are \(addresses) now, which takes a restart")
        }
        return faults
    }

    /// The files that objects come from.
    private static func files(of set: ManifestSet) -> Set<String> {
        func names(_ objects: [some ClusterObject]) -> [String] { objects.compactMap { $0.origin?.file } }
        return Set(
            names(set.services) + names(set.endpointSlices) + names(set.endpoints) + names(set.nodes) + names(set.pods)
                + names(set.serviceCIDRs)
        )
    }
}
