/// What becomes of a packet.
package enum Verdict: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// Not decided yet; never leaves the pipeline.
    case undecided
    /// Translated, and sent on.
    case forward
    /// Not service traffic, sent on unchanged.
    case pass
    /// Left to the node's own stack.
    case local
    /// Refused: an ICMP error went back, unless its rate was used up.
    case reject
    /// Dropped silently, and counted under its reason.
    case drop
    /// A fragment that waits for the first one of its datagram.
    case hold
    /// Answered by the datapath itself.
    case answer

    /// The word that events, traces and counters use.
    package var word: String {
        switch self {
        case .undecided: "undecided"
        case .forward: "forward"
        case .pass: "pass"
        case .local: "local"
        case .reject: "reject"
        case .drop: "drop"
        case .hold: "hold"
        case .answer: "answer"
        }
    }
}

/// How a packet stands to the flows that are tracked.
package enum ConntrackState: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// Nothing is tracked for it: another protocol, or an ICMP error without a flow.
    case untracked
    /// The first packet of a flow, or a later one from the client before any reply.
    case new
    /// From the client of a flow that has seen a reply.
    case established
    /// From the other side of a flow.
    case reply
    /// An ICMP error about a packet of a flow.
    case related
    /// Does not fit the flow it belongs to, or any.
    case invalid

    /// The word that events and traces use.
    package var word: String {
        switch self {
        case .untracked: "untracked"
        case .new: "new"
        case .established: "established"
        case .reply: "reply"
        case .related: "related"
        case .invalid: "invalid"
        }
    }
}

/// The kind of address and port by which a client asked for a Service.
package enum FrontendKind: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    /// Not for a Service.
    case none
    /// `spec.clusterIP` and a port of the Service.
    case clusterIP
    /// A node address and a port's `nodePort`.
    case nodePort
    /// `status.loadBalancer.ingress` and a port of the Service.
    case loadBalancer
    /// One of `spec.externalIPs` and a port of the Service.
    case externalIP
    /// `hostIP`, or any address of the node, and the `hostPort` of a container on it.
    case hostPort

    /// The word that events and traces use; empty for none.
    package var word: String {
        switch self {
        case .none: ""
        case .clusterIP: "ClusterIP"
        case .nodePort: "NodePort"
        case .loadBalancer: "LoadBalancer"
        case .externalIP: "ExternalIP"
        case .hostPort: "HostPort"
        }
    }
}
