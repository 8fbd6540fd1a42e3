internal import Capture
internal import Datapath
internal import Devices
internal import Foundation
internal import Kubernetes
package import Logging
internal import Names
internal import ServiceLifecycle
internal import Services
internal import Wire

/// The running datapath: interfaces in their namespaces, workers, a trace.
///
/// Theory of operation: `init` makes everything that can fail (interfaces, trace file) or nothing; `run` starts the
/// workers' threads and waits for the end of them, which a graceful shutdown asks for. Without a state directory the interfaces
/// belong to the descriptors of this process: however it ends, they go with it. With one they and the maps outlive a process
/// that was killed, and the next daemon goes on with them. Beside the workers a thread watches the manifests.
package final class Daemon: ServiceLifecycle.Service {
    private let workers: WorkerGroup
    private let reloading: ReloadThread
    /// How reloads went.
    package let reloadStatus: ReloadStatus
    private let stop: StopSignal
    private let writer: TraceWriter?
    private let nameServer: NameServer?
    private let logger: Logger
    private let state: DaemonState?
    /// Nil unless the least delay is asked for.
    private let latencyRequest: LatencyRequest?
    /// Serves the control socket, beside the daemon; nil where there is none.
    package let control: ControlServer?
    /// Answers at the health check ports, beside the daemon.
    package let healthChecks: HealthCheckServer

    /// Makes the interfaces and the trace; on failure nothing is left of either.
    package convenience init(_ cluster: Cluster, _ settings: DaemonSettings, logger: Logger) throws(DaemonError) {
        guard !cluster.configuration.interfaces.isEmpty else {
            throw DaemonError("interfaces: none is configured, so there is nothing to run between")
        }
        if cluster.node.addresses.isEmpty {
            throw DaemonError("node.addresses: is missing, and no Node object of this name has an InternalIP")
        }
        let socket = try Self.makeSocket(settings.socket, logger)
        do throws(DaemonError) {
            try self.init(cluster, settings, socket: socket, logger: logger)
        } catch {
            socket?.remove()
            socket?.close()
            if let state = settings.state { InterfaceFile(state.directory).forget() }
            throw error
        }
    }

    private init(
        _ cluster: Cluster,
        _ settings: DaemonSettings,
        socket: ControlSocket?,
        logger: Logger
    ) throws(DaemonError) {
        var opening = PortOpening(cluster, settings.state?.directory)
        let ports = try opening.open()
        for problem in opening.problems { logger.warning("\(problem)") }
        let interfaces = cluster.interfaceTable(isReplay: false)
        let table = cluster.serviceTable(seed: settings.seed)
        let pipeline = try Self.makePipeline(
            cluster.datapathConfiguration(seed: settings.seed, isReplay: false),
            interfaces,
            table,
            settings.state,
            logger
        )
        var recorder: SharedRecorder?
        let names = ServicePortNames(cluster.registry.names)
        do {
            writer = try settings.trace.map { trace throws(CaptureError) in
                try Self.makeWriter(trace, cluster, interfaces, names, settings.version)
            }
            if let trace = settings.trace, let producer = writer?.producer() {
                recorder = SharedRecorder(
                    TraceRecorder(
                        producer: producer,
                        interfaceCount: interfaces.interfaces.count,
                        settings: trace
                    )
                )
            }
        } catch {
            throw DaemonError("\(error)")
        }
        let nameSource = NameSource(table.names)
        let requests: WorkerRequests
        let current = CurrentCluster(cluster)
        let healthChecks = HealthCheckServer(addresses: cluster.node.addresses, logger: logger)
        healthChecks.update(HealthCheck.all(in: cluster.manifests, cluster.rules))
        self.healthChecks = healthChecks
        do throws(SystemError) {
            stop = try StopSignal()
            requests = try WorkerRequests()
            let mailbox = try Mailbox()
            reloadStatus = ReloadStatus(loadedAt: realtimeNanoseconds())
            var latest = table
            let reloader = Reloader(
                cluster,
                loader: settings.loader,
                state: settings.state?.directory,
                status: reloadStatus,
                logger: logger
            ) { next in
                // Names first: a packet of a new Service must find its own.
                names.replace(next.registry.names)
                current.replace(next)
                latest = next.serviceTable(seed: settings.seed, reusing: latest)
                nameSource.replace(latest.names)
                mailbox.post(latest)
                healthChecks.update(HealthCheck.all(in: next.manifests, next.rules))
            }
            reloading = try ReloadThread(reloader, settings.manifests, mailbox: mailbox, logger: logger)
            workers = WorkerGroup(
                WorkerSurroundings(
                    shared: SharedPipeline(pipeline, workers: ports.count),
                    recorder: recorder,
                    mailbox: mailbox,
                    requests: requests,
                    stop: stop,
                    polling: cluster.configuration.datapath.polling,
                    logger: logger
                ),
                ports: ports
            )
        } catch {
            throw DaemonError(error)
        }
        nameServer = try Self.makeNameServer(cluster, nameSource)
        let context = ControlContext(
            worker: requests,
            interfaces: InterfaceCounters(ports),
            cluster: { current.value },
            version: settings.version,
            started: monotonicNanoseconds(),
            reloads: { [reloadStatus] in reloadStatus.values },
            lostRecords: { [writer] in writer.map { UInt64($0.lostRecords) } }
        )
        control = socket.map { ControlServer($0, context, logger: logger) }
        self.logger = logger
        state = settings.state
        latencyRequest = cluster.configuration.datapath.polling == .always ? Self.makeLatencyRequest(logger) : nil
        for service in cluster.manifests.services where !service.externalVIPs.isEmpty {
            logger.info("\(service.reference) is served on \(service.externalVIPs.joined(separator: ", "))")
        }
    }

    /// Reads the manifests again, changed or not; from any thread.
    package func reload() { reloading.request() }

    /// Keeps idle processors awake, where that is possible.
    private static func makeLatencyRequest(_ logger: Logger) -> LatencyRequest? {
        do throws(SystemError) {
            return try LatencyRequest()
        } catch {
            logger.warning("datapath.polling: idle processors go to sleep all the same: \(error)")
            return nil
        }
    }

    /// The control socket, listening; where its place cannot be written to and nobody asked for it, there is none.
    private static func makeSocket(_ path: String?, _ logger: Logger) throws(DaemonError) -> ControlSocket? {
        guard let path else { return nil }
        do throws(ControlSocketError) {
            return try ControlSocket(path: path)
        } catch {
            guard error.isUnwritable && path == Configuration.defaultSocket else {
                throw DaemonError(error.description, hint: error.hint)
            }
            logger.warning("\(error)")
            return nil
        }
    }

    /// The pipeline; with a state directory its maps live there, and go on from what an earlier daemon left.
    private static func makePipeline(
        _ configuration: DatapathConfiguration,
        _ interfaces: InterfaceTable,
        _ table: ServiceTable,
        _ state: DaemonState?,
        _ logger: Logger
    ) throws(DaemonError) -> Pipeline {
        guard let state else { return Pipeline(configuration, interfaces: interfaces, services: table) }
        let files = PinnedMapFiles(state.directory)
        do throws(StateError) {
            let maps = try files.create(conntrackCapacity: configuration.conntrackCapacity)
            var pipeline = Pipeline(configuration, interfaces: interfaces, services: table, pinned: maps)
            let (result, problems) = files.restore(into: &pipeline, servicePorts: state.servicePorts)
            for problem in problems { logger.warning("\(problem)") }
            if let result { logger.info("\(result.line)") }
            try files.commit()
            return pipeline
        } catch {
            throw DaemonError(error)
        }
    }

    private static func makeWriter(
        _ trace: TraceSettings,
        _ cluster: Cluster,
        _ interfaces: InterfaceTable,
        _ names: ServicePortNames,
        _ version: String
    ) throws(CaptureError) -> TraceWriter {
        var options = TraceOptions(application: "culvert \(version)", points: TraceRecorder.points(interfaces))
        options.format = trace.format
        options.comment = "live, node \(cluster.node.name)"
        options.names = TraceNames.names(of: [cluster])
        options.verdicts = trace.verdicts ? .expressDataPath : nil
        options.mode = .lossy
        options.keepsUnfinished = true
        options.rotation = trace.rotation
        return try TraceWriter(
            path: trace.path,
            options: options,
            comment: TraceCommentWriter.formatter(
                interfaces: interfaces.interfaces.map(\.label),
                names: names
            )
        )
    }

    /// The cluster's DNS on the node itself, where the host interface carries its address.
    private static func makeNameServer(_ cluster: Cluster, _ source: NameSource) throws(DaemonError) -> NameServer? {
        guard let address = cluster.ownDNSAddress, cluster.configuration.interfaces.contains(where: \.isHost) else {
            return nil
        }
        do throws(NameServerError) {
            return try NameServer(address, source: source)
        } catch {
            throw DaemonError("cluster.dnsAddress: \(error)")
        }
    }

    /// Moves packets until a graceful shutdown; finishes the trace, however it ended.
    package func run() async throws {
        logger.info("ready")
        var failure: DaemonError?
        async let watching: Void = reloading.run()
        do {
            let summary = try await withGracefulShutdownHandler {
                try await workers.run()
            } onGracefulShutdown: { [stop] in
                stop.raise()
            }
            logger.info("\(summary)")
        } catch let error as DaemonError {
            failure = error
        }
        if let state { InterfaceFile(state.directory).forget() }
        reloading.stop()
        await watching
        await nameServer?.close()
        do throws(CaptureError) {
            // A reader that has stopped reading must not keep the daemon from ending.
            try writer?.finish(within: Self.secondsForTrace)
        } catch {
            failure = failure ?? DaemonError("\(error)")
        }
        if let failure { throw failure }
        if let lost = writer?.lostRecords, lost > 0 {
            logger.warning("the trace lacks \(lost) packets: the writer fell behind")
        }
    }

    /// How long the end of the trace may take.
    private static let secondsForTrace = 5
}
