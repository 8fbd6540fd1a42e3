package import Wire

/// A Service (core/v1): names and addresses in front of a set of endpoints.
package struct Service: ClusterObject {
    /// The word of the `kind` field.
    package static let kind = "Service"

    /// Name, namespace and labels.
    package var metadata: Metadata
    /// Where the object was read; nil for one that a control loop made.
    package var origin: Origin?
    /// `spec.type`; `ClusterIP` where the manifest has none.
    package var type = ServiceType.clusterIP
    /// The IPv4 half of `spec.clusterIP` and `spec.clusterIPs`.
    package var clusterIP = ClusterIP.unassigned
    /// `spec.ports`, in their order.
    package var ports: [ServicePort] = []
    /// Labels of the pods that are the endpoints; empty where endpoints are kept by hand.
    package var selector: [String: String] = [:]
    /// Addresses outside the cluster's control that nodes answer for (`spec.externalIPs`).
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
    /// IPv4 blocks from which load-balancer addresses may be used; empty means from anywhere.
    package var loadBalancerSourceRanges: [IPv4Prefix] = []
    /// Which implementation is to serve the load balancer.
    package var loadBalancerClass: String?
    /// Whether a LoadBalancer gets NodePorts as well.
    package var allocateLoadBalancerNodePorts = true
    /// The port of the health check of a LoadBalancer with `externalTrafficPolicy: Local`; nil where none was given (or 0).
    package var healthCheckNodePort: UInt16?
    /// Whether endpoints count as ready whatever their state.
    package var publishNotReadyAddresses = false
    /// `spec.ipFamilies`, in their order.
    package var ipFamilies: [IPFamily] = []
    /// `spec.ipFamilyPolicy`.
    package var ipFamilyPolicy: IPFamilyPolicy?
    /// A wish of the user's, which becomes hints in EndpointSlices.
    package var trafficDistribution: TrafficDistribution?
    /// `status.loadBalancer.ingress`, entries with an IPv4 address or a hostname.
    package var loadBalancerIngress: [LoadBalancerIngress] = []
    /// IPv6 values that the manifest holds and Culvert leaves aside, each with its field.
    package var ignoredIPv6: [IgnoredValue] = []

    /// An object with nothing but its name; the rest is filled in afterwards.
    package init(metadata: Metadata, origin: Origin? = nil) {
        self.metadata = metadata
        self.origin = origin
    }

    /// Whether the Service has endpoints but no address of its own (`clusterIP: None`).
    package var isHeadless: Bool { clusterIP == .headless && type != .externalName }

    /// Whether the Service exists in IPv6 only, so that no address of it concerns Culvert.
    package var isIPv6Only: Bool { clusterIP == .ipv6Only || ipFamilies == [.ipv6] }

    /// Whether it waits for an address of a load balancer that is nobody else's task: of another class, or with a status
    /// that tells of an IPv6 address.
    package var waitsForLoadBalancer: Bool {
        type == .loadBalancer && loadBalancerClass == nil && loadBalancerIngress.isEmpty && !isIPv6Only
            && !ignoredIPv6.contains { $0.field.hasPrefix("status.") }
    }

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

    /// The address, where there is one.
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
    /// The value as written.
    package var value: String

    /// A value and where it stood.
    package init(field: String, value: String) {
        self.field = field
        self.value = value
    }
}

/// An entry of `spec.ports` of a Service.
package struct ServicePort: Hashable, Sendable {
    /// Empty where the manifest gives none, which it may for a single port only.
    package var name = ""
    /// `protocol`; `TCP` where the manifest has none.
    package var transport = TransportProtocol.tcp
    /// The port of the Service's own addresses.
    package var port: UInt16
    /// Nil where it equals `port`, as the API server fills it in.
    package var targetPort: TargetPort?
    /// Nil where none was given (or 0).
    package var nodePort: UInt16?
    /// The protocol above the transport, as a hint that Culvert only carries.
    package var appProtocol: String?

    /// A TCP port without a name.
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

    /// `ip`; nil for entries with a hostname only.
    package var address: IPv4Address?
    /// `hostname`, of which a data path knows nothing more.
    package var hostname: String?
    /// `ipMode`.
    package var mode = Mode.vip

    /// An entry with these values.
    package init(address: IPv4Address?, hostname: String? = nil, mode: Mode = .vip) {
        self.address = address
        self.hostname = hostname
        self.mode = mode
    }
}
