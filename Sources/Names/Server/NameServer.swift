internal import NIOCore
internal import NIOPosix
package import Wire

/// What the server allows its clients.
package struct NameServerLimits: Sendable {
    /// Connections at once.
    package var connections = 256
    /// Connections at once from one address.
    package var connectionsPerClient = 32
    /// How long a connection lives without a whole query, or with answers that are not read, in milliseconds (RFC 7766
    /// section 6.2.3).
    package var idleMilliseconds: Int64 = 10_000
    /// How many bytes of answers wait for a client before its queries wait too.
    package var waitingBytes = 65_536

    /// The defaults.
    package init() {}
}

/// Why the server could not start.
package struct NameServerError: Error, CustomStringConvertible {
    /// In a line.
    package let description: String
}

/// The cluster's DNS on sockets of the daemon, at the address that the host interface carries: TCP for all (RFC 7766), and
/// UDP for the node itself, whose packets to an own address the kernel keeps from every interface, and for queries
/// that came in fragments.
///
/// Theory of operation: one thread with an event loop serves all sockets. It answers from the newest table of its source
/// with the function that the datapath uses. A connection is served query by query: while its answers wait to be read,
/// nothing more is read from it, so that it holds one query and a bounded amount of answers at most.
package final class NameServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    /// The port of UDP, in host byte order.
    package let datagramPort: UInt16
    /// The port of TCP, in host byte order.
    package let streamPort: UInt16

    /// Listens at an address; port 0 takes any that are free.
    package init(
        _ address: IPv4Address,
        port: UInt16 = DNSHeader.port,
        source: NameSource,
        limits: NameServerLimits = NameServerLimits()
    ) throws(NameServerError) {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let connections = ConnectionLimit(limits)
            let stream = try ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.backlog, value: 128)
                .childChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(
                    .writeBufferWaterMark,
                    value: .init(low: limits.waitingBytes / 2, high: limits.waitingBytes)
                )
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let client = channel.remoteAddress?.ipAddress, connections.admit(client) else {
                            throw ChannelError.operationUnsupported
                        }
                        channel.closeFuture.whenComplete { _ in connections.release(client) }
                        try channel.pipeline.syncOperations.addHandler(StreamHandler(source, limits))
                    }
                }
                .bind(host: "\(address)", port: Int(port)).wait()
            let datagram = try DatagramBootstrap(group: group)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(DatagramHandler(source))
                    }
                }
                .bind(host: "\(address)", port: Int(port)).wait()
            streamPort = UInt16(stream.localAddress?.port ?? 0)
            datagramPort = UInt16(datagram.localAddress?.port ?? 0)
        } catch {
            try? group.syncShutdownGracefully()
            throw NameServerError(description: "cannot listen for DNS at \(address):\(port): \(error)")
        }
        self.group = group
    }

    /// Ends all connections and the server's thread.
    package func close() async { try? await group.shutdownGracefully() }
}
