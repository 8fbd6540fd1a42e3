import Control
import Datapath
import Foundation
import Services
import TestSupport
import Wire

/// The state of an endpoint in a manifest.
enum EndpointState: String {
    case ready = "{}"
    case unready = "{ready: false, serving: false}"
    case terminating = "{ready: false, serving: true, terminating: true}"
}

/// A UDP Service that is reached in all four ways, with its endpoints, as manifests.
struct EchoManifests {
    var hasService = true
    var port = 9000
    var nodePort = 30090
    var target = 9001
    var endpoints: [(address: String, state: EndpointState)] = []

    var text: String {
        let list = endpoints.map { "{addresses: [\($0.address)], nodeName: node-a, conditions: \($0.state.rawValue)}" }
        let service = """
            apiVersion: v1
            kind: Service
            metadata: {name: echo}
            spec:
              type: LoadBalancer
              clusterIP: 10.96.0.20
              externalIPs: [198.51.100.30]
              ports: [{name: echo, port: \(port), nodePort: \(nodePort), protocol: UDP}]
            status: {loadBalancer: {ingress: [{ip: 198.51.100.20}]}}
            ---

            """
        return (hasService ? service : "") + """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: echo-1, labels: {kubernetes.io/service-name: echo}}
            addressType: IPv4
            ports: [{name: echo, port: \(target), protocol: UDP}]
            endpoints: [\(list.joined(separator: ", "))]
            """
    }
}

/// A way to the Service above.
enum Front: CaseIterable, Sendable {
    case clusterIP, nodePort, loadBalancer, externalIP

    var address: IPv4Address {
        switch self {
        case .clusterIP: IPv4Address(10, 96, 0, 20)
        case .nodePort: World.node
        case .loadBalancer: IPv4Address(198, 51, 100, 20)
        case .externalIP: IPv4Address(198, 51, 100, 30)
        }
    }

    var port: UInt16 { self == .nodePort ? 30090 : 9000 }
    /// A client for whom the way is meant.
    var client: IPv4Address { self == .clusterIP ? World.client : World.outside }
}

/// A datapath that follows manifests, with one long-lived UDP socket.
final class ReloadedSocket {
    let harness: DatapathHarness
    private let scratch: VerifyScratch
    private var cluster: Cluster
    private let front: Front
    private var clock = 0.0

    init(_ manifests: EchoManifests, _ front: Front) throws {
        scratch = try VerifyScratch()
        let settings = try configuration(
            """
            node: {name: node-a, addresses: [192.0.2.10]}
            cluster: {podCIDR: 10.244.0.0/16, serviceCIDR: 10.96.0.0/16}
            """
        )
        cluster = try Cluster(settings, manifests: [try scratch.write("set.yaml", Array(manifests.text.utf8))])
        var world = World()
        world.configuration = cluster.datapathConfiguration(seed: 1, isReplay: false)
        world.configuration.conntrackCapacity = 64
        world.rules = cluster.rules
        harness = DatapathHarness(world)
        self.front = front
    }

    /// The next datagram of the socket, 100 ms after the last one.
    func send() -> Treatment {
        clock += 0.1
        return harness.send(udp(front.client, 40000, to: front.address, front.port), at: clock)
    }

    /// What the backend answers to a datagram, as its client gets it.
    func answer(to sent: Treatment) -> Treatment {
        let tuple = sent.packet.translated
        clock += 0.001
        return harness.send(
            udp(tuple.destination, tuple.destinationPort, to: tuple.source, tuple.sourcePort),
            at: clock
        )
    }

    func reload(_ manifests: EchoManifests, slice: Int = .max) throws {
        cluster = try cluster.next(manifests: [try scratch.write("set.yaml", Array(manifests.text.utf8))])
        harness.reload(cluster.rules, slice: slice)
    }
}

/// Runs what blocks on a thread of its own, because the threads of the tests are few.
func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Result(catching: body)) }
        thread.start()
    }
}
