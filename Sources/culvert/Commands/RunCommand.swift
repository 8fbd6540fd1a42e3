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
            SIGTERM or SIGINT. The interfaces vanish with the process. Manifests are watched: what changes in them is \
            taken over at once, if nothing is wrong with it. SIGHUP reads them again.

            Example:
              ip netns exec node culvert run -c culvert.yaml -f manifests/ -w trace.pcapng
            """
    )

    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var traceFile: TraceFileOptions

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
        let settings = DaemonSettings(
            manifests: ManifestSnapshot(cluster.manifests),
            trace: try traceFile.settings(),
            seed: seed ?? UInt64.random(in: .min ... .max),
            version: culvertVersion
        )
        let loaded = try cluster.load()
        let daemon: Daemon
        do throws(DaemonError) {
            daemon = try Daemon(loaded, settings, logger: logger)
        } catch {
            throw Failure.failed(error.description, hint: error.hint)
        }
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(
                        service: daemon,
                        successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .gracefullyShutdownGroup
                    ),
                    .init(service: ReloadSignal(daemon: daemon), successTerminationBehavior: .ignore),
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
