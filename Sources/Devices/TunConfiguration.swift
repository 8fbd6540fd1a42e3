package import Wire

/// Which interface: enough to find it again, and to tell it from another that got its name.
package struct TunIdentity: Hashable, Sendable {
    /// The inode number of its network namespace.
    package let namespaceInode: UInt64
    /// The interface's number in the namespace (ifindex).
    package let index: Int32
    /// The name it had when it was recorded.
    package let name: String

    /// Puts a record together.
    package init(namespaceInode: UInt64, index: Int32, name: String) {
        self.namespaceInode = namespaceInode
        self.index = index
        self.name = name
    }
}

/// What an interface is to be.
package struct TunConfiguration: Equatable, Sendable {
    /// 1 to 15 bytes; see `isValidInterfaceName`.
    package var name: String
    /// The first one is the source of what the namespace sends through the interface.
    package var addresses: [InterfaceAddress]
    /// Bytes of the longest IP datagram, 68 to 65,535.
    package var mtu: UInt32
    /// Prefixes reached through the interface, without gateway; 0.0.0.0/0 for a default route.
    package var routes: [IPv4Prefix]
    /// Whether the interface keeps IPv6; off by default.
    package var allowsIPv6: Bool
    /// Whether the interface outlives its queues.
    package var isPersistent: Bool
    /// How its queues are opened, all in the same way.
    package var options: TunOptions

    /// By default an interface without addresses and routes, that goes with its last queue.
    package init(
        name: String,
        addresses: [InterfaceAddress] = [],
        mtu: UInt32 = 1500,
        routes: [IPv4Prefix] = [],
        allowsIPv6: Bool = false,
        isPersistent: Bool = false,
        options: TunOptions = TunOptions()
    ) {
        self.name = name
        self.addresses = addresses
        self.mtu = mtu
        self.routes = routes
        self.allowsIPv6 = allowsIPv6
        self.isPersistent = isPersistent
        self.options = options
    }
}
