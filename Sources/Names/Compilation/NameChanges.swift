package import Kubernetes

extension NameCompiler {
    /// Whether the names of a set may be others than those of the set before, which `changes` tells from it.
    ///
    /// Names are those of Services and of the endpoints of headless ones, and namespaces exist by what is in them.
    package static func isConcerned(by changes: ManifestChanges, in set: ManifestSet) -> Bool {
        guard changes.concernsEndpointsOnly else { return true }
        func isHeadless(_ namespace: String, _ name: String?) -> Bool {
            name.flatMap { set.service($0, in: namespace) }?.isHeadless ?? false
        }
        for change in changes.endpointSlices {
            guard let old = change.old, let new = change.new, old.serviceName == new.serviceName else { return true }
            if isHeadless(new.metadata.namespace, new.serviceName) { return true }
        }
        for change in changes.endpoints {
            guard let new = change.new, change.old != nil else { return true }
            if isHeadless(new.metadata.namespace, new.metadata.name) { return true }
        }
        for change in changes.pods {
            guard let new = change.new, change.old != nil else { return true }
            // It may be, or have been, selected.
            let namespace = new.metadata.namespace
            if set.services.contains(where: { $0.isHeadless && $0.metadata.namespace == namespace }) { return true }
        }
        return false
    }
}
