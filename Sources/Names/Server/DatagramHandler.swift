internal import Datapath
internal import NIOCore

/// Answers the queries of a UDP socket, each in a datagram of its own.
final class DatagramHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let source: NameSource
    /// The longest answer: what every path carries without fragments (DNS Flag Day 2020).
    private static let limit = 1232

    init(_ source: NameSource) { self.source = source }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let query = unwrapInboundIn(data)
        // Whoever asks faster than the kernel sends asks again.
        guard context.channel.isWritable,
            let response = source.current.response(
                to: Array(query.data.readableBytesView),
                .datagram,
                limit: Self.limit
            )
        else { return }
        let envelope = AddressedEnvelope(
            remoteAddress: query.remoteAddress,
            data: context.channel.allocator.buffer(bytes: response)
        )
        context.writeAndFlush(wrapOutboundOut(envelope), promise: nil)
    }

    /// One datagram that could not be sent or received says nothing of the others.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
