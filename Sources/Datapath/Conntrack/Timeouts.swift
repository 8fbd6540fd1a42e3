/// How long a flow lives after its last packet, by the state that packet led to; in nanoseconds.
///
/// The defaults are decided in docs/conntrack.md, beside those of nf_conntrack and Cilium.
package struct Timeouts: Sendable, Equatable {
    package var tcpSynSent: UInt64 = 60 * second
    package var tcpSynReceived: UInt64 = 60 * second
    package var tcpEstablished: UInt64 = 24 * 3600 * second
    package var tcpFinWait: UInt64 = 120 * second
    package var tcpCloseWait: UInt64 = 3600 * second
    package var tcpLastAck: UInt64 = 30 * second
    package var tcpTimeWait: UInt64 = 120 * second
    package var tcpClose: UInt64 = 10 * second
    package var udp: UInt64 = 30 * second
    package var udpStream: UInt64 = 120 * second
    package var icmp: UInt64 = 60 * second
    package var fragment: UInt64 = 30 * second

    package static let second: UInt64 = 1_000_000_000

    package init() {}

    /// The keys of `conntrack.timeouts` and the fields they set.
    package static let keys: [(name: String, field: any WritableKeyPath<Timeouts, UInt64> & Sendable)] = [
        ("tcpSynSent", \.tcpSynSent), ("tcpSynReceived", \.tcpSynReceived), ("tcpEstablished", \.tcpEstablished),
        ("tcpFinWait", \.tcpFinWait), ("tcpCloseWait", \.tcpCloseWait), ("tcpLastAck", \.tcpLastAck),
        ("tcpTimeWait", \.tcpTimeWait), ("tcpClose", \.tcpClose), ("udp", \.udp), ("udpStream", \.udpStream),
        ("icmp", \.icmp), ("fragment", \.fragment),
    ]

    /// The timeout of a flow in a state.
    package func duration(of state: FlowState) -> UInt64 {
        switch state {
        case .none, .synSent, .synSent2: tcpSynSent
        case .synReceived: tcpSynReceived
        case .established: tcpEstablished
        case .finWait: tcpFinWait
        case .closeWait: tcpCloseWait
        case .lastAck: tcpLastAck
        case .timeWait: tcpTimeWait
        case .close: tcpClose
        case .unreplied: udp
        case .replied: udpStream
        case .icmpQuery: icmp
        }
    }
}
