internal import Datapath
internal import Devices
internal import Kubernetes
package import Logging
internal import Services
internal import Wire

/// Makes what runs follow the manifests.
///
/// Theory of operation: the whole new set is read, held against itself, compiled and laid out, all on the thread of the
/// watch. Only if nothing is wrong is the new cluster handed over. Its table goes into the mailbox: until the worker takes it,
/// in one step between two batches, every packet sees the old one, then every packet the new one. If anything is wrong,
/// nothing changes, and each fault is a line in the log, once for as long as the faults stay the same.
package final class Reloader {
    /// What asked for a reload.
    package enum Reason {
        case change, signal
    }

    /// What runs.
    package private(set) var cluster: Cluster
    private var loader: ClusterLoader
    /// Where it is kept what Services were given; nil for nowhere.
    private let allocations: AllocationFile?
    private let servicePorts: ServicePortFile?
    private let status: ReloadStatus
    private let logger: Logger
    private let handOver: (Cluster) -> Void
    private var loggedFaults: [String] = []
    private var loggedWarnings: Set<String>

    /// How many lines one reload may write.
    private static let maximumLines = 20

    /// Begins with a cluster that runs, and with what it was loaded with; `handOver` gets each one that takes its place.
    package init(
        _ cluster: Cluster,
        loader: ClusterLoader? = nil,
        state: StateDirectory? = nil,
        status: ReloadStatus,
        logger: Logger,
        handOver: @escaping (Cluster) -> Void
    ) {
        self.cluster = cluster
        self.loader = loader ?? ClusterLoader(after: cluster)
        allocations = state.map { AllocationFile(directory: $0.path) }
        servicePorts = state.map(ServicePortFile.init)
        self.status = status
        self.logger = logger
        self.handOver = handOver
        loggedWarnings = Set(cluster.manifests.warnings.map(\.description))
    }

    /// Reads the manifests and hands over what they say; whether the cluster is another one then.
    @discardableResult
    package func reload(_ arguments: [String], _ reason: Reason) -> Bool {
        let begin = monotonicNanoseconds()
        let next: Cluster
        do throws(ManifestError) {
            next = try loader.load(arguments)
        } catch {
            let omitted = error.omitted > 0 ? ["and \(error.omitted) more"] : []
            refuse(error.faults.map(\.description) + omitted, reason)
            return false
        }
        let faults = ReloadChecks.faults(next, after: cluster)
        if !faults.isEmpty {
            loader.resume(from: cluster)
            refuse(faults, reason)
            return false
        }
        let isChange = loader.changeCount.map { $0 > 0 } ?? (next.manifests != cluster.manifests)
        if isChange {
            // Before a packet sees a new number.
            keepServicePorts(of: next)
            handOver(next)
            keepAllocations(of: next)
            logAdoptions(of: next)
        }
        let duration = UInt64(clamping: monotonicNanoseconds() - begin)
        status.succeed(at: realtimeNanoseconds(), isChange: isChange, duration: duration)
        logSuccess(next, reason, isChange: isChange, milliseconds: duration / 1_000_000)
        cluster = next
        return isChange
    }

    private func keepServicePorts(of next: Cluster) {
        guard let servicePorts, next.registry.names.count > cluster.registry.names.count else { return }
        do throws(StateError) {
            try servicePorts.save(next.registry)
        } catch {
            logger.warning("flows of new Services will not outlive a restart: \(error)")
        }
    }

    private func keepAllocations(of next: Cluster) {
        guard let allocations, next.allocations != cluster.allocations else { return }
        do throws(StateError) {
            try allocations.save(next.allocations)
        } catch {
            logger.warning("a restart may give Services other addresses: \(error)")
        }
    }

    private func refuse(_ faults: [String], _ reason: Reason) {
        status.fail()
        if faults == loggedFaults && reason == .change { return }
        loggedFaults = faults
        for fault in faults.prefix(Self.maximumLines) { logger.error("manifests refused: \(fault)") }
        if faults.count > Self.maximumLines {
            logger.error("manifests refused: and \(faults.count - Self.maximumLines) more faults")
        }
    }

    private func logSuccess(_ next: Cluster, _ reason: Reason, isChange: Bool, milliseconds: UInt64) {
        let wasRefused = !loggedFaults.isEmpty
        loggedFaults = []
        let warnings = next.manifests.warnings.map(\.description)
        for warning in warnings.filter({ !loggedWarnings.contains($0) }).prefix(Self.maximumLines) {
            logger.warning("\(warning)")
        }
        loggedWarnings = Set(warnings)
        if isChange {
            let endpoints = next.rules.servicePorts.reduce(0) { $0 + $1.known.count }
            logger.info(
                "reloaded: \(next.manifests.services.count) Services, \(endpoints) endpoints of their ports, in \(milliseconds) ms"
            )
        } else if wasRefused || reason == .signal {
            logger.info("the manifests say what runs")
        }
    }

    /// Says which external addresses are answered for that were not before (CVE-2020-8554).
    private func logAdoptions(of next: Cluster) {
        if next.manifests.services == cluster.manifests.services { return }
        var known: [ObjectReference: [String]] = [:]
        for service in cluster.manifests.services { known[service.reference] = service.externalVIPs }
        for service in next.manifests.services {
            let new = service.externalVIPs.filter { !(known[service.reference] ?? []).contains($0) }
            if !new.isEmpty { logger.info("\(service.reference) is served on \(new.joined(separator: ", "))") }
        }
    }
}

extension Service {
    /// The addresses from outside of the cluster under which it is served.
    var externalVIPs: [String] { (externalIPs + loadBalancerVIPs).map(\.description) }
}
