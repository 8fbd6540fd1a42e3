package import Wire

/// A Service (core/v1): names and addresses in front of a set of endpoints.
package struct Service: ClusterObject {
    package static let kind = "Service"

    package var metadata: Metadata
    package var origin: Origin?
    /// `spec.type`; `ClusterIP` where the manifest has none.
    package var type = ServiceType.clusterIP
    package var clusterIP = ClusterIP.unassigned
    package var ports: [ServicePort] = []
    package var selector: [String: String] = [:]
    package var externalIPs: [IPv4Address] = []
    /// The target of an ExternalName Service, as written.
    package var externalName: String?
    /// How long, in seconds, a client is bound to one endpoint; nil for `sessionAffinity: None`.
    package var clientIPAffinity: Int?
    /// `spec.externalTrafficPolicy`; `Cluster` where the manifest has none.
    package var externalTrafficPolicy = TrafficPolicy.cluster
    /// `spec.internalTrafficPolicy`; `Cluster` where the manifest has none.
    package var internalTrafficPolicy = TrafficPolicy.cluster
    /// The address that the user asks of the load balancer (deprecated in Kubernetes, still common).
    package var loadBalancerIP: IPv4Address?
    package var loadBalancerSourceRanges: [IPv4Prefix] = []
    package var loadBalancerClass: String?
    package var allocateLoadBalancerNodePorts = true
    package var healthCheckNodePort: UInt16?
    package var publishNotReadyAddresses = false
    package var ipFamilies: [IPFamily] = []
    package var ipFamilyPolicy: IPFamilyPolicy?
    /// A wish of the user's, which becomes hints in EndpointSlices.
    package var trafficDistribution: TrafficDistribution?
    /// `status.loadBalancer.ingress`, entries with an IPv4 address or a hostname.
    package var loadBalancerIngress: [LoadBalancerIngress] = []
    /// IPv6 values that the manifest holds and Culvert leaves aside, each with its field.
    package var ignoredIPv6: [IgnoredValue] = []

    package init(metadata: Metadata, origin: Origin? = nil) {
        self.metadata = metadata
        self.origin = origin
    }

    /// Whether the Service has endpoints but no address of its own (`clusterIP: None`).
    package var isHeadless: Bool { clusterIP == .headless && type != .externalName }

    /// Whether the Service exists in IPv6 only, so that no address of it concerns Culvert.
    package var isIPv6Only: Bool { clusterIP == .ipv6Only || ipFamilies == [.ipv6] }

    /// Whether another proxy is in charge (the label `service.kubernetes.io/service-proxy-name`, any value).
    package var hasOtherProxy: Bool { metadata.labels["service.kubernetes.io/service-proxy-name"] != nil }

    /// The load-balancer addresses that packets carry as destination: those whose `ipMode` is not `Proxy`.
    package var loadBalancerVIPs: [IPv4Address] {
        loadBalancerIngress.compactMap { $0.mode == .vip ? $0.address : nil }
    }
}

/// `spec.type` of a Service.
package enum ServiceType: String, CaseIterable, Sendable {
    case clusterIP = "ClusterIP"
    case nodePort = "NodePort"
    case loadBalancer = "LoadBalancer"
    case externalName = "ExternalName"
}

/// The IPv4 half of `spec.clusterIP` and `spec.clusterIPs`.
package enum ClusterIP: Hashable, Sendable {
    /// Nothing written: an API server would allocate one.
    case unassigned
    /// `None`.
    case headless
    case address(IPv4Address)
    /// Only IPv6 addresses are assigned.
    case ipv6Only

    package var address: IPv4Address? {
        if case .address(let address) = self { address } else { nil }
    }
}

/// The transport of a port.
///
/// SCTP is read and carried, not forwarded.
package enum TransportProtocol: String, CaseIterable, Sendable {
    case tcp = "TCP"
    case udp = "UDP"
    case sctp = "SCTP"
}

/// `externalTrafficPolicy` and `internalTrafficPolicy`.
package enum TrafficPolicy: String, CaseIterable, Sendable {
    case cluster = "Cluster"
    case local = "Local"
}

/// `spec.trafficDistribution`.
package enum TrafficDistribution: String, CaseIterable, Sendable {
    case preferClose = "PreferClose"
    case preferSameZone = "PreferSameZone"
    case preferSameNode = "PreferSameNode"
}

/// An entry of `spec.ipFamilies`.
package enum IPFamily: String, CaseIterable, Sendable {
    case ipv4 = "IPv4"
    case ipv6 = "IPv6"
}

/// `spec.ipFamilyPolicy`.
package enum IPFamilyPolicy: String, CaseIterable, Sendable {
    case singleStack = "SingleStack"
    case preferDualStack = "PreferDualStack"
    case requireDualStack = "RequireDualStack"
}

/// A value that was understood and left aside.
package struct IgnoredValue: Hashable, Sendable {
    /// The path of the field, `spec.clusterIPs[1]`.
    package var field: String
    package var value: String

    package init(field: String, value: String) {
        self.field = field
        self.value = value
    }
}

/// An entry of `spec.ports` of a Service.
package struct ServicePort: Hashable, Sendable {
    /// Empty where the manifest gives none, which it may for a single port only.
    package var name = ""
    package var transport = TransportProtocol.tcp
    package var port: UInt16
    /// Nil where it equals `port`, as the API server fills it in.
    package var targetPort: TargetPort?
    /// Nil where none was given (or 0).
    package var nodePort: UInt16?
    package var appProtocol: String?

    package init(port: UInt16) { self.port = port }
}

/// `targetPort`: the port of the pods, by number or by the name of a container port.
package enum TargetPort: Hashable, Sendable {
    case number(UInt16)
    case name(String)
}

/// An entry of `status.loadBalancer.ingress`.
package struct LoadBalancerIngress: Hashable, Sendable {
    /// How packets for the address reach the node (KEP-1860).
    package enum Mode: String, CaseIterable, Sendable {
        /// They carry the address as destination. The default.
        case vip = "VIP"
        /// The load balancer has put the node's or the pod's address there.
        case proxy = "Proxy"
    }

    package var address: IPv4Address?
    package var hostname: String?
    package var mode = Mode.vip

    package init(address: IPv4Address?, hostname: String? = nil, mode: Mode = .vip) {
        self.address = address
        self.hostname = hostname
        self.mode = mode
    }
}
