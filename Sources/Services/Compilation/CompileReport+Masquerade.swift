package import Datapath

/// Of which sources the datapath replaces the address, by kind of frontend (service-rules 8).
///
/// Besides, a pod on this node that is its own backend is always masqueraded.
package enum MasqueradeRule: String, Sendable, CaseIterable {
    /// Of all sources.
    case always
    /// Of sources outside podCIDR.
    case outside
    /// Of sources that are addresses of the node.
    case node
    case never

    /// The rule for a frontend.
    package init(_ kind: FrontendKind, isLocalPolicy: Bool, masqueradeAll: Bool, hasPodCIDR: Bool) {
        switch kind {
        case .clusterIP: self = masqueradeAll ? .always : hasPodCIDR ? .outside : .never
        case .nodePort, .loadBalancer, .externalIP: self = isLocalPolicy ? .node : .always
        case .hostPort, .none: self = .never
        }
    }
}
