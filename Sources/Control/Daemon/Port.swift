internal import Datapath
internal import Devices
internal import Services
internal import Wire

/// An open interface of the daemon: its queue, and what is counted of it.
///
/// One worker uses it; with several workers each has a port of every interface. A class, because a list of ports must be
/// indexed by the number of the interface.
final class Port {
    let label: String
    /// A constant: a variable of a class has its accesses watched at run time, for every packet.
    let queue: TunQueue
    /// What is counted of it.
    let counters = PortCounters()
    /// What the kernel of the other side can take apart again.
    let coalescing: Coalescer.Kinds
    /// How many times in a row there was one frame only: see `Worker.read`.
    var singles = 0
    /// Whether the interface was deleted under the daemon.
    var isGone: Bool { counters.isGone }
    /// Whether the interface outlives this process, however it ends, and goes with this port when it is let go.
    private(set) var isPersistent: Bool

    init(label: String, queue: consuming TunQueue, isPersistent: Bool) {
        self.label = label
        self.isPersistent = isPersistent
        var kinds: Coalescer.Kinds = []
        if queue.offloads.contains(.tcp4) { kinds.insert(.tcp) }
        if queue.offloads.contains(.udp) { kinds.insert(.udp) }
        coalescing = kinds
        self.queue = queue
    }

    /// Counts frames that were given to the kernel.
    func count(_ result: WriteResult, frames: Int, bytes: Int) {
        // By the case: `==` of another module's type is a call through a witness table.
        guard case .sent = result else {
            counters.framesLost.add(frames)
            return
        }
        counters.framesWritten.add(frames)
        counters.bytesWritten.add(bytes)
    }

    /// Lets the interface outlive this process.
    func persist() throws(SystemError) {
        try queue.setPersistent(true)
        isPersistent = true
    }

    /// Takes the interface away with this process: call it, or let go of the port, unless it is to be found again.
    func release() {
        guard isPersistent else { return }
        isPersistent = false
        try? queue.setPersistent(false)
    }

    deinit { release() }

    /// What the interface of a configuration is to be.
    static func configuration(_ interface: Configuration.Interface, _ cluster: Cluster) -> TunConfiguration {
        var configuration = TunConfiguration(
            name: interface.name,
            mtu: UInt32(clamping: interface.mtu),
            routes: interface.routes,
            options: TunOptions(
                multiQueue: cluster.configuration.datapath.workers > 1,
                // With or without offloads, so that a persistent interface can be taken over with either.
                headerSize: VirtioNetHeader.length,
                offloads: cluster.configuration.datapath.offload ? [.checksum, .tcp4, .tcpECN, .udp] : []
            )
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
        return configuration
    }

    private static func distinct<Element: Hashable>(_ elements: [Element]) -> [Element] {
        var seen = Set<Element>()
        return elements.filter { seen.insert($0).inserted }
    }
}
