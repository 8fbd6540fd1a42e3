internal import ArgumentParser
internal import Control
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

/// `culvert run`: the daemon.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the datapath between network namespaces.",
        discussion: """
            Makes the TUN interfaces of the configuration inside their namespaces and forwards between them, until \
            SIGTERM or SIGINT. Then the interfaces vanish; with a state directory they outlive a process that was killed, \
            and so do flows: the next daemon goes on with them. Manifests are watched: what changes in them is \
            taken over at once, if nothing is wrong with it. SIGHUP reads them again.

            Example:
              ip netns exec node culvert run -c culvert.yaml -f manifests/ -w trace.pcapng
            """
    )

    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var traceFile: TraceFileOptions
    @OptionGroup var rotation: TraceRotationOptions

    @Option(
        help: "The control socket, or none; CULVERT_SOCKET and the configuration name it otherwise.",
        completion: .file()
    )
    var socket: String?

    @Option(
        help:
            "The directory of what outlives the daemon, on tmpfs; none for nothing. Else CULVERT_STATE or the configuration.",
        completion: .directory
    )
    var state: String?

    @Option(help: "The seed of every choice; drawn at random unless given.")
    var seed: UInt64?

    @Option(help: "The least level of log lines: trace, debug, info, notice, warning, error or critical.")
    var logLevel = "info"

    func run() async throws {
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw Failure.input(
                ["--log-level \(logLevel): is no level"],
                hint: "trace, debug, info, notice, warning, error or critical"
            )
        }
        LoggingSystem.bootstrap { label in StreamLogHandler.standardError(label: label) }
        var logger = Logger(label: "culvert")
        logger.logLevel = cluster.quiet ? .error : level
        // Both before they are read, so that no change and no order is missed.
        let hangups = await UnixSignalsSequence(trapping: .sighup)
        let manifests = ManifestSnapshot(cluster.manifests)
        let (loaded, loader, kept) = try cluster.loadForDaemon(state: state)
        var trace = try traceFile.settings()
        try rotation.apply(to: &trace)
        let settings = DaemonSettings(
            manifests: manifests,
            loader: loader,
            state: kept,
            trace: trace,
            socket: socket.map { $0 == "none" ? nil : $0 } ?? loaded.configuration.socket,
            seed: seed ?? UInt64.random(in: .min ... .max),
            version: culvertVersion
        )
        let daemon: Daemon
        do throws(DaemonError) {
            daemon = try Daemon(loaded, settings, logger: logger)
        } catch {
            throw Failure.failed(error.description, hint: error.hint)
        }
        // The last one ends first: the socket before the datapath.
        let services =
            [daemon, daemon.healthChecks] + (daemon.control.map { [$0] } ?? []) as [any ServiceLifecycle.Service]
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { service in
                    .init(
                        service: service,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup
                    )
                } + [
                    .init(service: ReloadSignal(daemon: daemon, signals: hangups), successTerminationBehavior: .ignore)
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
        )
        do {
            try await group.run()
        } catch let error as DaemonError {
            throw Failure.failed(error.description, hint: error.hint)
        }
    }
}
