internal import ArgumentParser
internal import Control
internal import Kubernetes

/// `--reload-at PACKET=MANIFESTS`: other manifests from a packet on.
struct ReloadPoint: ExpressibleByArgument {
    let packet: UInt64
    let manifests: [String]

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let packet = UInt64(parts[0]), packet > 0 else { return nil }
        let manifests = parts[1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        // What standard input holds is the capture, or has been read already.
        guard !manifests.contains(""), !manifests.contains("-") else { return nil }
        self.packet = packet
        self.manifests = manifests
    }

    /// Loads the manifests of all points, in the order of their packets, each as what follows on the one before.
    static func load(_ points: [ReloadPoint], after cluster: Cluster, quiet: Bool) throws(Failure) -> [ReplayReload] {
        var current = cluster
        var reloads: [ReplayReload] = []
        for point in points.enumerated().sorted(by: { ($0.element.packet, $0.offset) < ($1.element.packet, $1.offset) })
        {
            do throws(ManifestError) {
                current = try current.next(manifests: point.element.manifests)
            } catch {
                throw Failure(error)
            }
            if !quiet { current.warn() }
            reloads.append(ReplayReload(packet: point.element.packet, cluster: current))
        }
        return reloads
    }
}
