internal import Synchronization

/// The cluster that runs now: a reload replaces it, whoever shows it looks here.
package final class CurrentCluster: Sendable {
    private let contents: Mutex<Cluster>

    /// Begins with the cluster of the start.
    package init(_ cluster: Cluster) { contents = Mutex(cluster) }

    /// The cluster as of one moment.
    package var value: Cluster { contents.withLock { $0 } }

    func replace(_ cluster: Cluster) { contents.withLock { $0 = cluster } }
}
