// Theory of operation
//
// One socket, one request at a time: a request goes out with a new sequence number, and datagrams are read until the
// kernel has acknowledged or refused it. The socket is connected to the kernel, so nobody else's messages are queued,
// and it subscribes to no group, so nothing arrives unasked. The kernel answers at once; a read gives up after five
// seconds all the same. A list that changed while the kernel wrote it (NLM_F_DUMP_INTR) is asked for again.
//
// The socket belongs to a namespace: links, addresses and routes are those of that namespace.

internal import CTun
internal import Glibc
package import Wire

/// A connection to the kernel's routing tables of one network namespace (rtnetlink(7)).
package struct RouteSocket: ~Copyable, Sendable {
    private let descriptor: Descriptor
    private let namespace: String
    private var sequence: UInt32 = 0
    /// Room for a datagram: the kernel sends at most 32 KiB to a reader that never asked for more.
    private var buffer = [UInt8](repeating: 0, count: 32 << 10)

    /// Opens a socket that belongs to `namespace`.
    package init(in namespace: borrowing NetworkNamespace) throws(SystemError) {
        let result = ctun_open_rtnetlink(namespace.number)
        descriptor = try Descriptor(result, open: .socket, object: "rtnetlink socket in \(namespace.label)")
        self.namespace = namespace.label
    }

    /// The interface of this name; nil if there is none.
    package mutating func link(named name: String) throws(SystemError) -> NetworkLink? {
        do throws(SystemError) {
            return try query(RouteMessages.getLink(named: name), .getLink, "interface \(name)", RouteMessages.parseLink)
                .first
        } catch {
            if error.code == ENODEV { return nil }
            throw error
        }
    }

    /// All interfaces of the namespace.
    package mutating func links() throws(SystemError) -> [NetworkLink] {
        try query(RouteMessages.getLinks(), .getLink, "interfaces", RouteMessages.parseLink)
    }

    /// The IPv4 addresses of an interface.
    package mutating func addresses(ofLink index: Int32) throws(SystemError) -> [InterfaceAddress] {
        try query(RouteMessages.getAddresses(), .getAddress, "addresses", RouteMessages.parseAddress)
            .filter { $0.linkIndex == index }.map(\.address)
    }

    /// The IPv4 unicast routes of the main table that leave through an interface.
    package mutating func routes(throughLink index: Int32) throws(SystemError) -> [InterfaceRoute] {
        try query(RouteMessages.getRoutes(), .getRoute, "routes", RouteMessages.parseRoute)
            .filter { $0.linkIndex == index }
    }

    /// Sets the MTU in bytes; a TUN takes 68 to 65,535.
    package mutating func setMTU(_ mtu: UInt32, of link: NetworkLink) throws(SystemError) {
        try change(RouteMessages.setMTU(mtu, index: link.index), .setLink, "MTU \(mtu) of interface \(link.name)")
    }

    /// Takes an interface up or down.
    package mutating func setUp(_ up: Bool, _ link: NetworkLink) throws(SystemError) {
        try change(RouteMessages.setUp(up, index: link.index), .setLink, "interface \(link.name)")
    }

    /// Deletes an interface; one that is not there any more counts as deleted.
    package mutating func delete(_ link: NetworkLink) throws(SystemError) {
        do throws(SystemError) {
            try change(RouteMessages.deleteLink(index: link.index), .deleteLink, "interface \(link.name)")
        } catch {
            if error.code != ENODEV { throw error }
        }
    }

    /// Adds an IPv4 address to an interface; EEXIST if it has it.
    package mutating func add(_ address: InterfaceAddress, to link: NetworkLink) throws(SystemError) {
        let request = RouteMessages.changeAddress(address, adding: true, index: link.index)
        try change(request, .addAddress, "address \(address) of interface \(link.name)")
    }

    /// Takes an IPv4 address off an interface; EADDRNOTAVAIL if it does not have it.
    package mutating func remove(_ address: InterfaceAddress, from link: NetworkLink) throws(SystemError) {
        let request = RouteMessages.changeAddress(address, adding: false, index: link.index)
        try change(request, .deleteAddress, "address \(address) of interface \(link.name)")
    }

    /// Adds a route through an interface that is up, without gateway; EEXIST if the prefix has a route already.
    package mutating func add(routeTo prefix: IPv4Prefix, through link: NetworkLink) throws(SystemError) {
        let request = RouteMessages.changeRoute(to: prefix, adding: true, index: link.index)
        try change(request, .addRoute, "route \(prefix) through interface \(link.name)")
    }

    /// Removes a route through an interface; ESRCH if there is none.
    package mutating func remove(routeTo prefix: IPv4Prefix, through link: NetworkLink) throws(SystemError) {
        let request = RouteMessages.changeRoute(to: prefix, adding: false, index: link.index)
        try change(request, .deleteRoute, "route \(prefix) through interface \(link.name)")
    }

    /// Turns IPv6 address generation off; EAFNOSUPPORT if the kernel or the interface has no IPv6.
    package mutating func disableIPv6AddressGeneration(of link: NetworkLink) throws(SystemError) {
        let request = RouteMessages.disableIPv6AddressGeneration(index: link.index)
        try change(request, .setLink, "IPv6 of interface \(link.name)")
    }

    /// Sends a request whose only answer is whether it was done.
    private mutating func change(
        _ request: NetlinkRequest,
        _ call: SystemError.Call,
        _ object: String
    ) throws(SystemError) {
        _ = try exchange(request, call, "\(object) in \(namespace)")
    }

    /// Sends a request that is answered with a list; messages for which `parse` gives nil are left out.
    private mutating func query<Item>(
        _ request: NetlinkRequest,
        _ call: SystemError.Call,
        _ object: String,
        _ parse: (NetlinkMessage) throws(NetlinkMalformed) -> Item?
    ) throws(SystemError) -> [Item] {
        let object = "\(object) in \(namespace)"
        for _ in 0..<5 {
            let answer = try exchange(request, call, object)
            if answer.isInconsistent { continue }
            var items: [Item] = []
            for message in answer.messages {
                do throws(NetlinkMalformed) {
                    if let item = try parse(message) { items.append(item) }
                } catch {
                    throw Self.malformed(error, call, object)
                }
            }
            return items
        }
        throw SystemError(
            call: call,
            object: object,
            code: EAGAIN,
            summary: "\(object) change faster than they can be listed"
        )
    }

    private mutating func exchange(
        _ request: NetlinkRequest,
        _ call: SystemError.Call,
        _ object: String
    ) throws(SystemError) -> NetlinkExchange {
        sequence &+= 1
        let number = descriptor.number
        let bytes = request.numbered(sequence).bytes
        // Safe: the kernel reads `count` bytes, which the array has.
        let sent = unsafe bytes.withUnsafeBytes { bytes in
            uninterrupted { unsafe Glibc.send(number, bytes.baseAddress, bytes.count, 0) }
        }
        guard sent == bytes.count else {
            throw SystemError(call: .send, object: object, code: sent < 0 ? Int32(-sent) : EMSGSIZE)
        }
        var exchange = NetlinkExchange(sequence: sequence)
        while true {
            let count = try receive(object)
            let progress: NetlinkExchange.Progress
            do throws(NetlinkMalformed) {
                progress = try exchange.take(buffer[..<count])
            } catch {
                throw Self.malformed(error, call, object)
            }
            switch progress {
            case .more: continue
            case .done: return exchange
            case .failed(let code, let text):
                throw SystemError(call: call, object: object, code: code, kernelMessage: text)
            }
        }
    }

    /// Reads one datagram into the buffer and returns its length.
    private mutating func receive(_ object: String) throws(SystemError) -> Int {
        let number = descriptor.number
        // Safe: the kernel writes at most `count` bytes, which the array has. MSG_TRUNC makes it return the datagram's
        // whole length.
        let received = unsafe buffer.withUnsafeMutableBytes { bytes in
            uninterrupted { unsafe Glibc.recv(number, bytes.baseAddress, bytes.count, Int32(MSG_TRUNC)) }
        }
        guard received > 0 else {
            let code = received == 0 ? EPIPE : Int32(-received)
            throw SystemError(call: .recv, object: object, code: code == EAGAIN ? ETIMEDOUT : code)
        }
        guard received <= buffer.count else { throw SystemError(call: .recv, object: object, code: EMSGSIZE) }
        return received
    }

    private static func malformed(
        _ error: NetlinkMalformed,
        _ call: SystemError.Call,
        _ object: String
    ) -> SystemError {
        SystemError(call: call, object: object, code: EBADMSG, summary: "\(object): malformed \(error) in the reply")
    }
}
