import Datapath
import Wire

/// The kinds of packets that are measured.
enum Scenario: String {
    /// What a client in the cluster sends to a ClusterIP.
    case established
    /// What the backend answers.
    case reply
    /// What a client outside sends to a NodePort with policy Cluster, masqueraded.
    case masquerade
    /// The first packet of a flow to a ClusterIP.
    case new
    /// An established flow that has nothing to do with a Service.
    case direct
    /// A TCP header cut short.
    case malformed

    /// The interface of `InterfaceTable.notional` that the measured packets come from.
    var ingress: UInt16 { self == .masquerade ? Network.uplink : Network.pods }
    /// The interface that the client is behind.
    var clientIngress: UInt16 { self == .masquerade ? Network.uplink : Network.pods }
    /// The interface that the other end is behind.
    var serverIngress: UInt16 { self == .direct ? Network.uplink : Network.pods }

    /// What every measured packet must come to.
    var verdict: Verdict {
        switch self {
        case .established, .reply, .masquerade, .new: .forward
        case .direct: .pass
        case .malformed: .drop
        }
    }

    /// The tuples that the clients use, flow by flow.
    func tuples(_ options: Options) -> [Tuple] {
        (0..<options.flows).map { number in
            let base = self == .masquerade ? IPv4Address(198, 18, 0, 0) : IPv4Address(10, 244, 128, 0)
            let client = IPv4Address(bits: base.bits + UInt32(number / 60000) + 1)
            let port = UInt16(1024 + number % 60000)
            return switch self {
            case .masquerade:
                Tuple(source: client, destination: Network.node, sourcePort: port, destinationPort: Network.nodePort)
            case .direct:
                Tuple(source: client, destination: IPv4Address(203, 0, 113, 9), sourcePort: port, destinationPort: 443)
            default:
                Tuple(
                    source: client,
                    destination: Network.clusterIP(number % options.services),
                    sourcePort: port,
                    destinationPort: 80
                )
            }
        }
    }
}
