/// How long a flow lives after its last packet, by the state that packet led to; in nanoseconds.
///
/// The defaults are decided in docs/conntrack.md, beside those of nf_conntrack and Cilium.
package struct Timeouts: Sendable, Equatable {
    /// TCP after the first SYN (`nf_conntrack_tcp_timeout_syn_sent`); also after a SYN from both sides.
    package var tcpSynSent: UInt64 = 60 * second
    /// TCP after SYN and ACK of the other side (`nf_conntrack_tcp_timeout_syn_recv`).
    package var tcpSynReceived: UInt64 = 60 * second
    /// TCP in a connection; 24 hours is what kube-proxy sets.
    package var tcpEstablished: UInt64 = 24 * 3600 * second
    /// TCP after the first FIN (`nf_conntrack_tcp_timeout_fin_wait`).
    package var tcpFinWait: UInt64 = 120 * second
    /// TCP after the first FIN was acknowledged; one hour is what kube-proxy sets.
    package var tcpCloseWait: UInt64 = 3600 * second
    /// TCP after the second FIN (`nf_conntrack_tcp_timeout_last_ack`).
    package var tcpLastAck: UInt64 = 30 * second
    /// TCP after the last ACK (`nf_conntrack_tcp_timeout_time_wait`).
    package var tcpTimeWait: UInt64 = 120 * second
    /// TCP after a RST (`nf_conntrack_tcp_timeout_close`).
    package var tcpClose: UInt64 = 10 * second
    /// UDP that nobody has answered (`nf_conntrack_udp_timeout`).
    package var udp: UInt64 = 30 * second
    /// UDP that was answered (`nf_conntrack_udp_timeout_stream`).
    package var udpStream: UInt64 = 120 * second
    /// ICMP queries; at least 60 seconds (RFC 5508 section 3.2).
    package var icmp: UInt64 = 60 * second
    /// Datagrams whose fragments are not all there; the kernel's `ipfrag_time`.
    package var fragment: UInt64 = 30 * second

    /// A second in nanoseconds.
    package static let second: UInt64 = 1_000_000_000

    /// The defaults.
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
