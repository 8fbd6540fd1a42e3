// Theory of operation
//
// A TUN interface has one or several queues, each a descriptor of /dev/net/tun: what the kernel routes to the interface
// is read from a queue, what is written to a queue the kernel takes as received by the interface
// (Documentation/networking/tuntap.rst). With `multiQueue` the kernel spreads flows over the queues by their hash.
//
// The interface exists while a queue is open; a persistent one outlives its queues and can be attached to again. A
// queue belongs to the namespace its descriptor was opened in, whichever thread uses it later.
//
// States, as the kernel reports them (drivers/net/tun.c):
//   up       reads give frames or EAGAIN; writes are taken
//   down     reads give EAGAIN; writes give EIO
//   deleted  reads and writes give EBADFD, epoll reports an error: the descriptor is of no further use
//
// Limits: a frame longer than the buffer is cut without notice, so buffers must hold the MTU (with offloads 65,535
// bytes) and the virtio-net header.

internal import CTun
internal import Glibc

/// What a queue's reader can take unfinished, TUN_F_* of linux/if_tun.h; needs a virtio-net header.
package struct TunOffloads: OptionSet, Sendable {
    /// The bits as TUNSETOFFLOAD takes them.
    package let rawValue: UInt32

    /// Takes bits as they are.
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Frames whose transport checksum is still to be computed.
    package static let checksum = TunOffloads(rawValue: UInt32(TUN_F_CSUM))
    /// TCP over IPv4 larger than the MTU, to be segmented; needs `checksum`.
    package static let tcp4 = TunOffloads(rawValue: UInt32(TUN_F_TSO4))
    /// TCP over IPv6 larger than the MTU, to be segmented; needs `checksum`.
    package static let tcp6 = TunOffloads(rawValue: UInt32(TUN_F_TSO6))
    /// With `tcp4` or `tcp6`: also segments with ECN's CWR flag.
    package static let tcpECN = TunOffloads(rawValue: UInt32(TUN_F_TSO_ECN))
    /// UDP larger than the MTU, to be cut into datagrams; Linux 6.2, which takes only both families at once.
    package static let udp = TunOffloads(rawValue: UInt32(TUN_F_USO4 | TUN_F_USO6))
}

/// How a queue is opened.
package struct TunOptions: Equatable, Sendable {
    /// Let several queues share the interface (IFF_MULTI_QUEUE); the same for all of them.
    package var multiQueue: Bool
    /// Bytes of virtio-net header before each frame: 0 for none, 10 or 12; its fields are in host byte order.
    package var headerSize: Int
    /// What the reader can take; ignored without a header.
    package var offloads: TunOffloads

    /// By default a single queue of bare datagrams.
    package init(multiQueue: Bool = false, headerSize: Int = 0, offloads: TunOffloads = []) {
        self.multiQueue = multiQueue
        self.headerSize = headerSize
        self.offloads = offloads
    }
}

/// One queue of a TUN interface, carrying bare IP datagrams (IFF_TUN, IFF_NO_PI); non-blocking.
package struct TunQueue: ~Copyable, Sendable {
    /// The interface's name when the queue was opened.
    package let name: String
    /// Bytes of virtio-net header before each frame, 0 for none.
    package let headerSize: Int
    /// The offloads that the kernel agreed to: what was asked for, without `udp` (before Linux 6.2), or none.
    package let offloads: TunOffloads
    let descriptor: Descriptor
    private let object: String

    /// Whether the interface must be new.
    package enum Opening: Sendable {
        /// The interface must not exist yet (IFF_TUN_EXCL).
        case creating
        /// An existing interface gets a queue. The kernel creates it if it is not there: the caller checks.
        case attaching
    }

    /// Opens a queue of interface `name` in a namespace; the calling thread stays where it is.
    ///
    /// Throws `SystemError`: EINVAL for a name that cannot be one, EBUSY if the interface exists (`creating`) or if
    /// its only queue is open already, here or in another process (`attaching`).
    package init(
        _ opening: Opening,
        name: String,
        in namespace: borrowing NetworkNamespace,
        options: TunOptions = TunOptions()
    ) throws(SystemError) {
        let object = "interface \(name) in \(namespace.label)"
        guard isValidInterfaceName(name) else {
            throw SystemError(
                call: .tunSetInterface,
                object: object,
                code: EINVAL,
                summary: "'\(name)' cannot be the name of an interface"
            )
        }
        var flags: Int32 = 0
        if opening == .creating { flags |= IFF_TUN_EXCL }
        if options.multiQueue { flags |= IFF_MULTI_QUEUE }
        if options.headerSize > 0 { flags |= IFF_VNET_HDR }

        let descriptor: Descriptor
        do throws(SystemError) {
            // Safe: the name lives for the call and has at most 15 bytes.
            let result = unsafe ctun_open_queue(namespace.number, name, flags)
            descriptor = try Descriptor(result, open: .openTun, object: object)
        } catch {
            throw Self.explained(error, opening: opening, name: name, namespace: namespace.label)
        }
        var agreed: TunOffloads = []
        if options.headerSize > 0 {
            let code = -ctun_set_header_size(descriptor.number, Int32(clamping: options.headerSize))
            guard code == 0 else { throw SystemError(call: .tunSetHeaderSize, object: object, code: code) }
            agreed = try Self.setOffloads(options.offloads, descriptor.number, object)
        }
        self.name = name
        self.headerSize = max(options.headerSize, 0)
        self.offloads = agreed
        self.descriptor = descriptor
        self.object = object
    }

    /// Keeps the interface when its last queue is closed, or not.
    package func setPersistent(_ persistent: Bool) throws(SystemError) {
        let code = -ctun_set_persistent(descriptor.number, persistent ? 1 : 0)
        guard code == 0 else { throw SystemError(call: .tunSetPersistent, object: object, code: code) }
    }

    /// Returns what the kernel took of `offloads`: all, all but `udp`, or none.
    ///
    /// They are set even if there are none: a persistent interface keeps those of an earlier queue.
    private static func setOffloads(
        _ offloads: TunOffloads,
        _ number: Int32,
        _ object: String
    ) throws(SystemError) -> TunOffloads {
        var code: Int32 = 0
        for some in [offloads, offloads.subtracting(.udp), []] {
            code = -ctun_set_offloads(number, some.rawValue)
            if code == 0 { return some }
            if code != EINVAL { break }
        }
        throw SystemError(call: .tunSetOffload, object: object, code: code)
    }

    /// Puts into words what TUNSETIFF's EBUSY means, and names the device file that cannot be opened.
    private static func explained(
        _ error: SystemError,
        opening: Opening,
        name: String,
        namespace: String
    ) -> SystemError {
        switch (error.call, error.code) {
        case (.openTun, _):
            return SystemError(call: .openTun, object: "/dev/net/tun", code: error.code)
        case (.tunSetInterface, EBUSY), (.tunSetInterface, EEXIST):
            let summary =
                opening == .creating
                ? "interface \(name) exists already in \(namespace)"
                : "interface \(name) in \(namespace) is in use already"
            return SystemError(call: error.call, object: error.object, code: error.code, summary: summary)
        default:
            return error
        }
    }
}

extension TunQueue: Device {
    /// Readable while a frame waits, in error once the interface is deleted; see `Device`.
    package var pollDescriptor: Int32 { descriptor.number }

    /// Reads the next frame; see `Device`.
    package func read(into buffer: inout MutableRawSpan) throws(SystemError) -> ReadResult {
        let number = descriptor.number
        // Safe: the kernel writes at most `count` bytes, which the span has.
        let result = unsafe buffer.withUnsafeMutableBytes { bytes in
            uninterrupted { unsafe Glibc.read(number, bytes.baseAddress, bytes.count) }
        }
        // Zero is no end of file here: TUN gives it only for a buffer without room.
        if result > 0 { return .frame(result) }
        switch Int32(-result) {
        case 0, EAGAIN: return .empty
        case EIO: return .down
        case EBADFD: return .gone
        case let code: throw SystemError(call: .read, object: object, code: code)
        }
    }

    /// Writes one frame; see `Device`.
    package func write(_ frame: RawSpan) throws(SystemError) -> WriteResult {
        let number = descriptor.number
        // Safe: the kernel reads at most `count` bytes, which the span has.
        let result = unsafe frame.withUnsafeBytes { bytes in
            uninterrupted { unsafe Glibc.write(number, bytes.baseAddress, bytes.count) }
        }
        return try writeResult(result)
    }

    /// What the number means that writing gave: bytes, or a negative errno.
    func writeResult(_ result: Int) throws(SystemError) -> WriteResult {
        if result > 0 { return .sent }
        switch Int32(-result) {
        case EAGAIN, ENOBUFS, ENOMEM: return .full
        case EIO: return .down
        case EBADFD: return .gone
        // Zero: a frame without a byte.
        case 0, EINVAL, EMSGSIZE, EFBIG: return .refused
        case let code: throw SystemError(call: .write, object: object, code: code)
        }
    }
}
