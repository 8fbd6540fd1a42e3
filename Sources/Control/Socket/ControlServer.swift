internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle

/// Serves the control socket: HTTP/1.1 with JSON (docs/control.md).
///
/// Theory of operation: HummingbirdCore speaks HTTP on each connection, `ConnectionGuard` keeps the limits, `ControlRouter` answers.
/// None of it touches the pipeline: what only the worker knows is asked of it, slice by slice. Without the socket traffic goes
/// on all the same, so a failure here is logged and ends nothing.
package final class ControlServer: ServiceLifecycle.Service {
    private let socket: ControlSocket
    private let router: ControlRouter
    private let clients: ControlClients
    private let idleTimeout: TimeAmount
    private let logger: Logger

    /// How many clients are served at once.
    package static let clientLimit = 64
    /// How long an answer may go on when the daemon ends.
    private static let patience = TimeAmount.seconds(2)

    /// A server for a socket that listens already; `idleSeconds` is how long a connection may be silent.
    package init(_ socket: ControlSocket, _ context: ControlContext, idleSeconds: Int64 = 30, logger: Logger) {
        self.socket = socket
        router = ControlRouter(context: context, logger: logger)
        clients = ControlClients(limit: Self.clientLimit)
        idleTimeout = .seconds(idleSeconds)
        self.logger = logger
    }

    /// Serves until a graceful shutdown; then the socket is gone.
    package func run() async throws {
        defer { socket.remove() }
        var quiet = logger
        quiet.logLevel = .critical
        let http = HTTP1Channel(
            responder: { [router] request, writer, _ in try await router.respond(request, writer) },
            configuration: .init(
                additionalChannelHandlers: [ConnectionGuard(self.clients)],
                idleTimeout: idleTimeout,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 16384,
                    maxHeaderListSize: 32768,
                    maxHeaderFieldCount: 100
                )
            )
        )
        do {
            try await withTaskExecutorPreference(ControlExecutor()) { try await serve(http, quiet) }
        } catch {
            logger.error("control socket \(socket.path): \(error)")
            // The data path does without it.
            try? await gracefulShutdown()
        }
    }

    private func serve(_ http: HTTP1Channel, _ quiet: Logger) async throws {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .bind(socket.listener) { channel in http.setup(channel: channel, logger: quiet) }
        logger.debug("control socket \(socket.path)")
        try await withGracefulShutdownHandler {
            try await withThrowingDiscardingTaskGroup { group in
                try await server.executeThenClose { inbound in
                    for try await client in inbound {
                        group.addTask { await http.handle(value: client, logger: quiet) }
                    }
                }
            }
        } onGracefulShutdown: { [clients] in
            server.channel.close(promise: nil)
            clients.end(patience: Self.patience)
        }
    }
}
