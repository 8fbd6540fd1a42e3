internal import Capture
internal import Names
internal import Wire

/// The names of addresses for a trace's name resolution block, from the objects of the cluster.
enum TraceNames {
    /// One name for each address, that of the first cluster which has it.
    static func names(of clusters: [Cluster]) -> [TraceName] {
        var seen = Set<IPv4Address>()
        return clusters.flatMap(\.knownNames).filter { seen.insert($0.address).inserted }
            .map { TraceName($0.address, $0.name) }
    }
}
