import Datapath
import Glibc
import Tables
import Wire

/// The node and the Services that all scenarios share.
enum Network {
    static let node = IPv4Address(192, 0, 2, 10)
    static let nodePort: UInt16 = 30080
    /// The numbers of the interfaces in `InterfaceTable.notional`.
    static let pods: UInt16 = 0
    static let uplink: UInt16 = 2

    /// The ClusterIP of Service `number`, from 0.
    static func clusterIP(_ number: Int) -> IPv4Address {
        IPv4Address(bits: IPv4Address(10, 96, 0, 10).bits + UInt32(number))
    }

    /// 40 backends for a single Service, 10 each for several.
    private static func backends(_ number: Int, of services: Int) -> [Backend] {
        let count = services == 1 ? 40 : 10
        return (0..<count).map { place in
            let offset = UInt32((number * count + place) % 30000)
            return Backend(
                address: IPv4Address(bits: IPv4Address(10, 244, 1, 0).bits + offset),
                port: 8080,
                isLocal: true
            )
        }
    }

    /// Maps in a file on tmpfs that has no name any more.
    private static func pinnedMaps(capacity: Int) -> PinnedMaps {
        let size = PinnedMaps.conntrackByteCount(capacity: capacity)
        let path = "/dev/shm/culvert-bench-\(getpid())"
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        precondition(descriptor >= 0 && ftruncate(descriptor, size) == 0, "no file on tmpfs")
        unsafe unlink(path)
        defer { close(descriptor) }
        guard let region = Region(descriptor: descriptor, byteCount: size) else { preconditionFailure("no mapping") }
        return PinnedMaps(conntrack: region, affinity: nil)
    }

    /// A pipeline whose table is two thirds full when all flows are in it.
    static func makePipeline(_ options: Options) -> Pipeline {
        var configuration = DatapathConfiguration()
        configuration.nodeAddresses = [node]
        configuration.podCIDR = IPv4Prefix(IPv4Address(10, 244, 0, 0), length: 16)
        configuration.serviceCIDR = IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 16)
        configuration.conntrackCapacity = max(options.flows + options.flows / 2, 1024)
        configuration.halfOpenPerSource = configuration.conntrackCapacity
        var rules = ServiceSpecification()
        for number in 0..<options.services {
            let own = backends(number, of: options.services)
            let name = "default/service-\(number):http"
            rules.servicePorts.append(
                .init(identifier: UInt32(number + 1), name: name, cluster: own, local: own, hasAny: true)
            )
            let address = clusterIP(number)
            rules.clusterIPs.append(address)
            rules.frontends.append(
                .init(kind: .clusterIP, address: address, port: 80, transport: .tcp, servicePort: number)
            )
        }
        rules.frontends.append(.init(kind: .nodePort, address: node, port: nodePort, transport: .tcp, servicePort: 0))
        return Pipeline(
            configuration,
            interfaces: .notional(podCIDR: configuration.podCIDR, nodeAddresses: configuration.nodeAddresses),
            services: ServiceTable(rules, seed: 1),
            pinned: options.isPinned ? pinnedMaps(capacity: configuration.conntrackCapacity) : PinnedMaps()
        )
    }
}
