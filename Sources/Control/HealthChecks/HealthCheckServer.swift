internal import HTTPTypes
internal import HummingbirdCore
package import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
package import Services
internal import Synchronization
package import Wire

/// Answers at the health check ports of Services, on the node's addresses.
///
/// Theory of operation: each reload leaves what is to be answered in a stream. The loop opens a listener for each new port
/// and address, closes those that are gone with their connections, and puts the new numbers where the answers are taken
/// from. A port that cannot be opened is a line in the log, and is tried again at the next reload: the datapath does
/// without it. The listeners are in the daemon's own namespace, where the host interface brings packets to the node.
/// Limits: 256 connections a port, 10 s of silence, requests without a body, headers of 8 KiB.
package final class HealthCheckServer: ServiceLifecycle.Service {
    private struct Place: Hashable {
        var address: IPv4Address
        var port: UInt16
    }

    private struct Listener {
        var channel: any Channel
        var clients: ControlClients
    }

    private let addresses: [IPv4Address]
    private let updates: AsyncStream<[HealthCheck]>
    private let input: AsyncStream<[HealthCheck]>.Continuation
    private let answers = Mutex<[UInt16: HealthCheckAnswer]>([:])
    private let logger: Logger

    private static let clientLimit = 256
    private static let idleTimeout = TimeAmount.seconds(10)
    private static let headerLimit = 8192
    /// How long an answer may go on when its port closes.
    private static let patience = TimeAmount.seconds(1)

    /// A server that answers nothing yet.
    package init(addresses: [IPv4Address], logger: Logger) {
        self.addresses = addresses
        self.logger = logger
        (updates, input) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// What is to be answered from now on; from any thread.
    package func update(_ checks: [HealthCheck]) { input.yield(checks) }

    /// Serves until a graceful shutdown.
    package func run() async {
        await withDiscardingTaskGroup { group in
            var listeners: [Place: Listener] = [:]
            for await checks in updates.cancelOnGracefulShutdown() {
                await apply(checks, &listeners, &group)
            }
            for listener in listeners.values { Self.close(listener) }
        }
    }

    private func apply(
        _ checks: [HealthCheck],
        _ listeners: inout [Place: Listener],
        _ group: inout DiscardingTaskGroup
    ) async {
        let wanted = Set(checks.flatMap { check in addresses.map { Place(address: $0, port: check.port) } })
        for (place, listener) in listeners where !wanted.contains(place) {
            listeners[place] = nil
            Self.close(listener)
        }
        // Two Services cannot have one port: such a set is refused.
        let fresh = Dictionary(checks.map { ($0.port, HealthCheckAnswer($0)) }, uniquingKeysWith: { first, _ in first })
        answers.withLock { $0 = fresh }
        for place in wanted where listeners[place] == nil {
            do {
                listeners[place] = try await open(place, &group)
            } catch {
                logger.warning("health check port \(place.address):\(place.port): \(error)")
            }
        }
    }

    private static func close(_ listener: Listener) {
        listener.channel.close(promise: nil)
        listener.clients.end(patience: patience)
    }

    /// Listens, and serves in a task of the group until the listener is closed.
    private func open(_ place: Place, _ group: inout DiscardingTaskGroup) async throws -> Listener {
        var quiet = logger
        quiet.logLevel = .critical
        let clients = ControlClients(limit: Self.clientLimit)
        let http = HTTP1Channel(
            responder: { [self] request, writer, _ in try await respond(place.port, request, writer) },
            configuration: .init(
                additionalChannelHandlers: [ConnectionGuard(clients, isOpenToAll: true)],
                idleTimeout: Self.idleTimeout,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: Self.headerLimit,
                    maxHeaderListSize: Self.headerLimit,
                    maxHeaderFieldCount: 100
                )
            )
        )
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: place.address.description, port: Int(place.port)) { [quiet] channel in
                http.setup(channel: channel, logger: quiet)
            }
        group.addTask { [quiet] in
            try? await withThrowingDiscardingTaskGroup { connections in
                try await server.executeThenClose { inbound in
                    for try await client in inbound {
                        connections.addTask { await http.handle(value: client, logger: quiet) }
                    }
                }
            }
        }
        return Listener(channel: server.channel, clients: clients)
    }

    /// The same answer for every path and method, as kube-proxy gives it.
    private func respond(_ port: UInt16, _ request: Request, _ writer: consuming ResponseWriter) async throws {
        let answer = answers.withLock { $0[port] }
        guard let answer else {
            // Its Service has gone between the request and now.
            return try await Self.write(HTTPResponse(status: .notFound), [], isHead: false, to: writer)
        }
        let head = HTTPResponse(status: .init(code: answer.code), headerFields: answer.fields)
        try await Self.write(head, answer.body, isHead: request.method == .head, to: writer)
    }

    private static func write(
        _ head: HTTPResponse,
        _ bytes: [UInt8],
        isHead: Bool,
        to writer: consuming ResponseWriter
    ) async throws {
        var head = head
        head.headerFields[.contentLength] = "\(bytes.count)"
        let body = try await writer.writeHead(head)
        var writing: any ResponseBodyWriter = body
        if !isHead { try await writing.write(ByteBuffer(bytes: bytes)) }
        try await writing.finish(nil)
    }
}
