internal import Datapath
internal import NIOCore
internal import Wire

/// Answers the queries of a TCP connection, in their order (RFC 7766): each message behind its length in two bytes.
final class StreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let source: NameSource
    private let patience: TimeAmount
    /// What came and is not answered yet: less than a message while answers can be written.
    private var pending = ByteBuffer()
    private var isReading = true
    private var deadline = NIODeadline.distantFuture

    init(_ source: NameSource, _ limits: NameServerLimits) {
        self.source = source
        patience = .milliseconds(limits.idleMilliseconds)
    }

    func channelActive(context: ChannelHandlerContext) {
        deadline = .now() + patience
        watch(context.channel)
    }

    /// Closes the connection when its time is over, or looks again then.
    private func watch(_ channel: any Channel) {
        let handler = NIOLoopBound(self, eventLoop: channel.eventLoop)
        channel.eventLoop.scheduleTask(deadline: deadline) {
            guard channel.isActive else { return }
            if .now() >= handler.value.deadline {
                channel.close(promise: nil)
            } else {
                handler.value.watch(channel)
            }
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        pending.writeBuffer(&bytes)
        serve(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { serve(context) }
        context.fireChannelWritabilityChanged()
    }

    /// Answers what is there as long as the client takes the answers.
    private func serve(_ context: ChannelHandlerContext) {
        while context.channel.isWritable, let query = next() {
            guard let response = source.current.response(to: query, .stream, limit: DNSHeader.maximumMessageLength)
            else {
                // It is no query, so this is no client.
                context.close(promise: nil)
                return
            }
            deadline = .now() + patience
            var message = context.channel.allocator.buffer(capacity: response.count + 2)
            message.writeInteger(UInt16(response.count))
            message.writeBytes(response)
            context.writeAndFlush(wrapOutboundOut(message), promise: nil)
        }
        pending.discardReadBytes()
        let reads = context.channel.isWritable
        if reads == isReading { return }
        isReading = reads
        _ = context.channel.setOption(.autoRead, value: reads)
    }

    /// The next whole message.
    private func next() -> [UInt8]? {
        guard let length = pending.getInteger(at: pending.readerIndex, as: UInt16.self),
            pending.readableBytes >= Int(length) + 2
        else { return nil }
        pending.moveReaderIndex(forwardBy: 2)
        return pending.readBytes(length: Int(length))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
