// Theory of operation
//
// An interface is created whole or not at all. Its first queue creates it (the name must be free), then it is
// configured over rtnetlink in an order that nothing can observe half-done: IPv6 off, MTU, addresses, up, routes. Only
// then, if asked for, it becomes persistent. Until that last step the interface belongs to the queue's descriptor
// alone, so whatever fails, closing the queue removes everything: addresses and routes go with the interface.
//
// A persistent interface outlives the process. A record of namespace, number and name (`TunIdentity`) tells a later
// process which one was its own: it attaches only to exactly that, and then brings addresses and routes to what its
// configuration says, so that a restart may change them.

internal import CTun
internal import Glibc

/// A configured TUN interface and its first queue.
package struct TunInterface: ~Copyable, Sendable {
    /// What to record, to find a persistent interface again.
    package let identity: TunIdentity
    /// What it was configured as.
    package let configuration: TunConfiguration
    /// What keeps IPv6 off; nil where it was allowed.
    package let ipv6: IPv6State?
    /// The first queue; as long as it is open the interface exists.
    package let queue: TunQueue

    /// Creates an interface in a namespace and configures it.
    ///
    /// Throws `SystemError`, and then nothing is left behind; EBUSY means that the name is in use there.
    package static func create(
        _ configuration: TunConfiguration,
        in namespace: borrowing NetworkNamespace
    ) throws(SystemError) -> TunInterface {
        var socket = try RouteSocket(in: namespace)
        let queue = try TunQueue(
            .creating,
            name: configuration.name,
            in: namespace,
            options: configuration.options
        )
        let link = try find(configuration.name, in: namespace, over: &socket)
        let ipv6 = try configure(link, as: configuration, in: namespace, over: &socket)
        if configuration.isPersistent { try queue.setPersistent(true) }
        let identity = TunIdentity(namespaceInode: namespace.inode, index: link.index, name: link.name)
        return TunInterface(identity: identity, configuration: configuration, ipv6: ipv6, queue: queue)
    }

    /// Attaches to a persistent interface that an earlier process created, and brings it to its configuration.
    ///
    /// Throws `SystemError`: ENODEV if the interface is not the recorded one, EBUSY if another process has it. On
    /// failure the interface is left as it is then; `delete(_:in:)` removes it.
    package static func attach(
        to identity: TunIdentity,
        _ configuration: TunConfiguration,
        in namespace: borrowing NetworkNamespace
    ) throws(SystemError) -> TunInterface {
        var socket = try RouteSocket(in: namespace)
        let queue = try openQueue(of: identity, options: configuration.options, in: namespace, over: &socket)
        let link = try find(identity.name, in: namespace, over: &socket)
        let ipv6 = try configure(link, as: configuration, in: namespace, over: &socket)
        try queue.setPersistent(configuration.isPersistent)
        return TunInterface(identity: identity, configuration: configuration, ipv6: ipv6, queue: queue)
    }

    /// Opens one more queue of the interface, which must have been created with `multiQueue`.
    package func openQueue(in namespace: borrowing NetworkNamespace) throws(SystemError) -> TunQueue {
        var socket = try RouteSocket(in: namespace)
        return try Self.openQueue(of: identity, options: configuration.options, in: namespace, over: &socket)
    }

    /// Gives the first queue away, to the worker that reads it.
    package consuming func takeQueue() -> TunQueue { queue }

    /// Deletes an interface, persistent or not, open or not; false if it is not there (any more).
    package static func delete(
        _ identity: TunIdentity,
        in namespace: borrowing NetworkNamespace
    ) throws(SystemError) -> Bool {
        guard identity.namespaceInode == namespace.inode else { return false }
        var socket = try RouteSocket(in: namespace)
        guard let link = try socket.link(named: identity.name), link.index == identity.index, link.kind == "tun" else {
            return false
        }
        try socket.delete(link)
        return true
    }

    /// Opens a queue of exactly this interface.
    private static func openQueue(
        of identity: TunIdentity,
        options: TunOptions,
        in namespace: borrowing NetworkNamespace,
        over socket: inout RouteSocket
    ) throws(SystemError) -> TunQueue {
        try check(identity, in: namespace, over: &socket)
        let queue = try TunQueue(.attaching, name: identity.name, in: namespace, options: options)
        // Had it been deleted in between, the queue would have made a new one, which goes with the queue.
        try check(identity, in: namespace, over: &socket)
        return queue
    }

    /// Throws ENODEV unless the interface of this name is the one meant.
    private static func check(
        _ identity: TunIdentity,
        in namespace: borrowing NetworkNamespace,
        over socket: inout RouteSocket
    ) throws(SystemError) {
        let link = try socket.link(named: identity.name)
        if identity.namespaceInode == namespace.inode, let link, link.index == identity.index, link.kind == "tun" {
            return
        }
        let object = "interface \(identity.name) in \(namespace.label)"
        let reason = link == nil ? "does not exist" : "is not the one that was recorded"
        throw SystemError(call: .getLink, object: object, code: ENODEV, summary: "\(object) \(reason)")
    }

    private static func find(
        _ name: String,
        in namespace: borrowing NetworkNamespace,
        over socket: inout RouteSocket
    ) throws(SystemError) -> NetworkLink {
        if let link = try socket.link(named: name) { return link }
        throw SystemError(call: .getLink, object: "interface \(name) in \(namespace.label)", code: ENODEV)
    }

    /// Brings a link to its configuration, whatever it has already.
    private static func configure(
        _ link: NetworkLink,
        as configuration: TunConfiguration,
        in namespace: borrowing NetworkNamespace,
        over socket: inout RouteSocket
    ) throws(SystemError) -> IPv6State? {
        let ipv6 = configuration.allowsIPv6 ? nil : try disableIPv6(interface: link, in: namespace, over: &socket)
        if link.mtu != configuration.mtu { try socket.setMTU(configuration.mtu, of: link) }

        let present = try socket.addresses(ofLink: link.index)
        for address in present where !configuration.addresses.contains(address) {
            try socket.remove(address, from: link)
        }
        for address in configuration.addresses where !present.contains(address) {
            try socket.add(address, to: link)
        }
        if !link.isUp { try socket.setUp(true, link) }

        // The routes that came with an address go with it, and are not ours to change.
        let routes = try socket.routes(throughLink: link.index)
        let own = routes.filter { $0.origin != UInt8(RTPROT_KERNEL) }.map(\.destination)
        for prefix in own where !configuration.routes.contains(prefix) {
            try socket.remove(routeTo: prefix, through: link)
        }
        let reached = Set(routes.map(\.destination))
        for prefix in configuration.routes where !reached.contains(prefix) {
            try socket.add(routeTo: prefix, through: link)
        }
        return ipv6
    }
}
