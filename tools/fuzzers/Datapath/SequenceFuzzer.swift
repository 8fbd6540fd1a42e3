import Datapath
import FuzzSupport
import TestSupport
import Wire

/// Sequences of what happens to a datapath: packets, reloads, jumps of time, restarts, flushes, beside a plain model.
///
/// The input is a list of operations, a byte each and its parameters; they are few, so that flows meet again. After each:
/// - the books balance, and no tuple has two live flows;
/// - what is sent on is sound, and none of it goes to a ClusterIP;
/// - a new flow to a Service has one of its endpoints, and a flow that the model knows to be alive is translated as before;
/// - when a reload is through, every UDP flow says what the rules say.
enum SequenceFuzzer {
    static func run(_ bytes: [UInt8]) {
        var input = FuzzInput(Array(bytes.prefix(256)))
        var session = SequenceSession(cluster: .of(shape: input.word()))
        while input.left > 0 { session.step(&input) }
    }
}

/// The Services of a sequence, some of them there and some not, with some of their endpoints.
struct SequenceCluster {
    static let web = IPv4Address(10, 96, 0, 10)
    static let dns = IPv4Address(10, 96, 0, 11)
    static let twin = IPv4Address(10, 96, 0, 12)
    static let balancer = IPv4Address(198, 51, 100, 10)
    static let pods = (1...4).map { IPv4Address(10, 244, 1, $0) }

    // Safe: libFuzzer has one thread.
    nonisolated(unsafe) private static var made: [Int: SequenceCluster] = [:]

    let rules: ServiceSpecification
    /// What the rules compile to.
    let table: ServiceTable

    /// The cluster of a shape, which has a bit for each endpoint, for each Service, and for affinity.
    static func of(shape: Int) -> SequenceCluster {
        let shape = shape & 0xff
        if let cluster = unsafe made[shape] { return cluster }
        let cluster = SequenceCluster(shape: shape)
        unsafe made[shape] = cluster
        return cluster
    }

    private init(shape: Int) {
        var rules = ServiceSpecification()
        let endpoints = Self.pods.enumerated().filter { shape >> $0.offset & 1 == 1 }.map(\.element)
        func add(_ identifier: UInt32, _ name: String, _ port: UInt16, _ transport: TransportProtocol) -> Int {
            let backends = endpoints.map { Backend(address: $0, port: port, isLocal: true) }
            rules.servicePorts.append(
                .init(
                    identifier: identifier,
                    name: name,
                    cluster: backends,
                    local: backends,
                    hasAny: !backends.isEmpty,
                    affinitySeconds: shape >> 7 & 1 == 1 ? 60 : 0,
                    transport: transport
                )
            )
            return rules.servicePorts.count - 1
        }
        func open(
            _ kind: FrontendKind,
            _ address: IPv4Address,
            _ port: UInt16,
            _ transport: TransportProtocol,
            _ of: Int
        ) {
            rules.frontends.append(
                .init(kind: kind, address: address, port: port, transport: transport, servicePort: of)
            )
        }
        if shape >> 4 & 1 == 0 {
            let port = add(1, "default/web:http", 8080, .tcp)
            open(.clusterIP, Self.web, 80, .tcp, port)
            open(.nodePort, World.node, 30080, .tcp, port)
            open(.loadBalancer, Self.balancer, 80, .tcp, port)
        }
        if shape >> 5 & 1 == 0 {
            let port = add(2, "default/dns:dns", 53, .udp)
            open(.clusterIP, Self.dns, 53, .udp, port)
            open(.nodePort, World.node, 30053, .udp, port)
        }
        if shape >> 6 & 1 == 0 { open(.clusterIP, Self.twin, 80, .tcp, add(3, "default/twin:http", 8080, .tcp)) }
        rules.clusterIPs = [Self.web, Self.dns, Self.twin]
        rules.externalAddresses = [Self.balancer]
        self.rules = rules
        table = ServiceTable(rules, seed: DatapathConfiguration().seed)
    }

    /// The endpoints behind an address and port; nil where no Service is.
    func endpoints(_ address: IPv4Address, _ port: UInt16, _ transport: TransportProtocol) -> [FlowEndpoint]? {
        let frontend = rules.frontends.first {
            $0.address == address && $0.port == port && $0.transport == transport
        }
        return frontend.map { frontend in
            rules.servicePorts[frontend.servicePort].cluster.map { FlowEndpoint(address: $0.address, port: $0.port) }
        }
    }
}
