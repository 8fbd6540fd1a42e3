internal import Devices
internal import Services
internal import Wire

/// An open interface of the daemon: its queue, and what is counted of it.
///
/// One worker uses it. A class, because a list of ports must be indexed by the number of the interface.
final class Port {
    let label: String
    var queue: TunQueue
    var framesRead: UInt64 = 0
    var framesWritten: UInt64 = 0
    /// Bytes of the frames that were read and written.
    var bytesRead: UInt64 = 0
    var bytesWritten: UInt64 = 0
    /// Frames that the kernel did not take.
    var framesLost: UInt64 = 0
    /// Whether the interface was deleted under the daemon.
    var isGone = false

    init(label: String, queue: consuming TunQueue) {
        self.label = label
        self.queue = queue
    }

    /// Makes the interfaces of a configuration, each inside its namespace; if one fails, none is left.
    static func open(_ cluster: Cluster) throws(DaemonError) -> [Port] {
        var ports: [Port] = []
        for interface in cluster.configuration.interfaces {
            do throws(SystemError) {
                ports.append(try open(interface, cluster))
            } catch {
                // The ports made so far go with this list, and their interfaces with them.
                throw DaemonError(error)
            }
        }
        return ports
    }

    private static func open(_ interface: Configuration.Interface, _ cluster: Cluster) throws(SystemError) -> Port {
        var configuration = TunConfiguration(
            name: interface.name,
            mtu: UInt32(clamping: interface.mtu),
            routes: interface.routes
        )
        if interface.isHost {
            let settings = cluster.configuration.cluster
            configuration.addresses = cluster.hostAddresses.map { InterfaceAddress($0) }
            configuration.routes += [settings.podCIDR].compactMap(\.self) + cluster.serviceBlocks
            configuration.routes += settings.loadBalancerCIDRs
            // Where the node talks to itself through a Service it sees this address, and answers to it.
            configuration.routes.append(IPv4Prefix(cluster.configuration.node.loopAddress, length: 32))
        } else {
            configuration.addresses = interface.address.map { [$0] } ?? []
        }
        configuration.routes = Self.distinct(configuration.routes)
        configuration.addresses = Self.distinct(configuration.addresses)
        let namespace =
            if let name = interface.namespace {
                name.contains("/") ? try NetworkNamespace(path: name) : try NetworkNamespace(named: name)
            } else {
                try NetworkNamespace()
            }
        let tun = try TunInterface.create(configuration, in: namespace)
        return Port(label: interface.label, queue: tun.takeQueue())
    }

    private static func distinct<Element: Hashable>(_ elements: [Element]) -> [Element] {
        var seen = Set<Element>()
        return elements.filter { seen.insert($0).inserted }
    }
}
