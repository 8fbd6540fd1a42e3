internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Asks a daemon over its control socket: one request a connection.
package struct ControlClient: Sendable {
    /// Where the daemon's socket is.
    package let path: String

    /// How long the daemon may be silent.
    private static let patience = TimeAmount.seconds(60)

    /// A client for a socket; nothing is opened yet.
    package init(path: String) { self.path = path }

    /// Sends a request and hands the body of its answer to `use`, piece by piece, as it comes.
    ///
    /// Throws when there is no daemon, when it refuses, and when its answer breaks off.
    package func request(
        _ method: String,
        _ target: String,
        _ query: Query = Query(),
        use: ([UInt8]) throws -> Void
    ) async throws {
        let channel = try await connect()
        do {
            try await channel.executeThenClose { inbound, outbound in
                var head = HTTPRequestHead(
                    version: .http1_1,
                    method: HTTPMethod(rawValue: method),
                    uri: "/v1/" + target + (query.items.isEmpty ? "" : "?" + query.text)
                )
                head.headers = ["Host": "culvert", "Connection": "close"]
                // At once: a request without a body is whole with its head, and may be answered before its end is written.
                try await outbound.write(contentsOf: [.head(head), .end(nil)])
                try await read(inbound, use)
            }
        } catch is ChannelError {
            throw ControlClientError.brokenOff
        } catch is IOError {
            throw ControlClientError.brokenOff
        } catch is HTTPParserError {
            throw ControlClientError.brokenOff
        }
    }

    private func read(_ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>, _ use: ([UInt8]) throws -> Void)
        async throws
    {
        var status: HTTPResponseStatus?
        var refusal: [UInt8] = []
        for try await part in inbound {
            switch part {
            case .head(let head): status = head.status
            case .body(let buffer):
                let bytes = Array(buffer.readableBytesView)
                if status == .ok { try use(bytes) } else if refusal.count < 65536 { refusal += bytes }
            case .end:
                guard let status, status != .ok else { return }
                let message = JSONParser.parse(refusal)?["error"].string
                throw ControlClientError.refused(status: Int(status.code), message ?? status.reasonPhrase)
            }
        }
        throw ControlClientError.brokenOff
    }

    private func connect() async throws(ControlClientError)
        -> NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
    {
        do {
            return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        try channel.pipeline.syncOperations.addHandler(IdleStateHandler(readTimeout: Self.patience))
                        try channel.pipeline.syncOperations.addHandler(SilenceHandler())
                        return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch let error as IOError {
            throw .unreachable(errno: error.errnoCode)
        } catch {
            throw .unreachable(errno: 0)
        }
    }
}

/// Closes a connection whose other side has been silent for too long.
private final class SilenceHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { return context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}

/// Why a daemon did not answer.
package enum ControlClientError: Error, Equatable, Sendable {
    /// Nothing answers at the socket; the errno of connect(2), 0 where there is none.
    case unreachable(errno: Int32)
    /// The answer ended too early: the daemon has ended, or was silent for a minute.
    case brokenOff
    /// It refused, with a status of HTTP and its reason.
    case refused(status: Int, String)
}
