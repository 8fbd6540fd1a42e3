internal import Glibc
internal import HTTPTypes
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes

/// The limits of one connection, kept before anything else sees its requests.
///
/// Theory of operation: it stands behind the decoder and in front of the server's own handlers. What is refused is answered here,
/// and the connection is closed behind the answer, so that the rest of a hostile request is never read. Refused are
/// connections beyond the limit, on the control socket other users than the daemon's own and root (SO_PEERCRED, unix(7)),
/// requests with a body (none needs one), and what is no HTTP. A client that does not take its answer is closed after a while; one that is silent is closed by the
/// server's idle timeout.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// The longest body that is answered as superfluous; a longer one is too large.
    static let bodyLimit = 1 << 20
    /// How long a client may leave its answer untouched.
    static let writeTimeout = TimeAmount.seconds(30)
    /// How long a connection that is refused may take to ask.
    private static let excessTimeout = TimeAmount.seconds(2)

    /// `struct ucred` of unix(7).
    private struct PeerCredentials: Sendable {
        var pid: Int32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }

    private let clients: ControlClients
    private let isOpenToAll: Bool
    private var refusal: ControlFault?
    private var isRefused = false
    /// Requests that were passed on and not answered yet.
    private var waiting = 0
    private var stall: Scheduled<Void>?

    /// `isOpenToAll` where the other side is no process of this machine, and may be anybody.
    init(_ clients: ControlClients, isOpenToAll: Bool = false) {
        self.clients = clients
        self.isOpenToAll = isOpenToAll
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        switch clients.enter(channel) {
        case .served:
            if !isOpenToAll && !Self.isAllowed(channel) {
                refusal = ControlFault(status: .forbidden, message: "only root and the daemon's own user may ask")
            }
        case .excess:
            refusal = ControlFault(status: .serviceUnavailable, message: "too many clients")
        case .refused:
            // Later, as it has not become active yet.
            return channel.eventLoop.execute { channel.close(promise: nil) }
        }
        channel.closeFuture.whenComplete { [clients] _ in clients.leave(channel) }
        if refusal != nil { channel.eventLoop.scheduleTask(in: Self.excessTimeout) { channel.close(promise: nil) } }
    }

    /// Whether the other side is root or the daemon's own user.
    private static func isAllowed(_ channel: any Channel) -> Bool {
        guard let provider = channel as? any SocketOptionProvider else { return false }
        let own = geteuid()
        var isAllowed = false
        // On the channel's own event loop the answer is there at once.
        let credentials: EventLoopFuture<PeerCredentials> = provider.unsafeGetSocketOption(
            level: .socket,
            name: NIOBSDSocket.Option(rawValue: SO_PEERCRED)
        )
        credentials.assumeIsolated().whenSuccess { isAllowed = $0.uid == 0 || $0.uid == own }
        return isAllowed
    }

    func channelInactive(context: ChannelHandlerContext) {
        stall?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isRefused { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            if let fault = refusal ?? Self.fault(of: head) { return refuse(fault, context) }
            waiting += 1
        case .body: return refuse(.bad("no request has a body"), context)
        case .end: break
        }
        context.fireChannelRead(data)
    }

    private static func fault(of head: HTTPRequest) -> ControlFault? {
        if let length = head.headerFields[.contentLength] {
            guard let bytes = Int(length), bytes >= 0 else { return .bad("Content-Length: \(length): is no number") }
            if bytes > bodyLimit { return ControlFault(status: .contentTooLarge, message: "more than 1 MiB") }
            if bytes > 0 { return .bad("no request has a body") }
        }
        return head.headerFields[.transferEncoding] == nil ? nil : .bad("no request has a body")
    }

    /// Answers with a fault, and closes the connection; what is being answered already is only cut off.
    private func refuse(_ fault: ControlFault, _ context: ChannelHandlerContext) {
        isRefused = true
        guard waiting == 0 else { return context.close(promise: nil) }
        let document = fault.document
        let fields: HTTPFields = [
            .contentType: "application/json", .contentLength: "\(document.count)", .connection: "close",
        ]
        let head = HTTPResponse(status: fault.status, headerFields: fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(ByteBuffer(bytes: document))), promise: nil)
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { waiting -= 1 }
        context.write(data, promise: promise)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stall?.cancel()
        stall = nil
        if !context.channel.isWritable {
            let channel = context.channel
            stall = channel.eventLoop.scheduleTask(in: Self.writeTimeout) { channel.close(promise: nil) }
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isRefused { return }
        switch error {
        case HTTPParserError.headerOverflow:
            refuse(ControlFault(status: .requestHeaderFieldsTooLarge, message: "the header is too large"), context)
        // Where the connection itself failed, the answer fails with it.
        default: refuse(.bad("this is no HTTP request"), context)
        }
    }
}
