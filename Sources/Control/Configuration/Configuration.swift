package import Datapath
package import Devices
package import Wire

/// The configuration file: what the node is, what the cluster uses, and which interfaces to make
/// (docs/configuration.md).
package struct Configuration: Sendable {
    /// The section `node`: what this node is.
    package struct Node: Sendable {
        /// Matched against `nodeName` of endpoints; the only setting without a default.
        package var name = ""
        /// Matched against zone hints; nil for the zone of the Node object.
        package var zone: String?
        /// The node's addresses, the primary one first; empty for those of the Node object.
        package var addresses: [IPv4Address] = []
        /// What the node's own address becomes where it talks to itself through a Service.
        package var loopAddress = IPv4Address(169, 254, 42, 1)
    }

    /// Which node addresses have NodePorts.
    package enum NodePortAddresses: Sendable, Equatable {
        /// The first one only, as kube-proxy's nftables mode has it.
        case primary
        /// All of them.
        case all
        /// Those that lie in one of these blocks (`nodePortAddresses` of kube-proxy).
        case within([IPv4Prefix])
    }

    /// The section `cluster`: the ranges that the cluster uses.
    package struct Cluster: Sendable {
        /// What counts as local pods (the local-traffic detector of kube-proxy); nil for none.
        package var podCIDR: IPv4Prefix?
        /// Where ClusterIPs are allocated (`--service-cluster-ip-range` of kube-apiserver).
        package var serviceCIDR: IPv4Prefix?
        /// Where NodePorts are (`--service-node-port-range` of kube-apiserver).
        package var nodePortRange: ClosedRange<UInt16> = 30000...32767
        /// Which node addresses have NodePorts.
        package var nodePortAddresses = NodePortAddresses.primary
        /// Where load balancer addresses come from; the host interface gets routes to them.
        package var loadBalancerCIDRs: [IPv4Prefix] = []
        /// Where `externalIPs` may lie; nil for anywhere.
        package var externalCIDRs: [IPv4Prefix]?
        /// The DNS domain of the cluster.
        package var domain = "cluster.local"
        /// Where Culvert answers DNS itself, not an address of the node or a pod; nil for nowhere.
        package var dnsAddress: IPv4Address?
    }

    /// How a backend is chosen.
    package enum Algorithm: String, Sendable, CaseIterable {
        /// Any backend, each as likely as the others.
        case random
        /// One after the other.
        case roundRobin = "round-robin"
        /// By a hash of the flow, so that nodes agree and few flows move when backends change (Maglev, NSDI 2016).
        case maglev
    }

    /// The section `proxy`: what is configured in kube-proxy otherwise.
    package struct Proxy: Sendable {
        /// Whether every flow to a ClusterIP is masqueraded.
        package var masqueradeAll = false
        /// How a backend is chosen; read, but without effect so far.
        package var algorithm = Algorithm.random
        /// The size of a Maglev table, one of `maglevTableSizes`; checked, but without effect so far.
        package var maglevTableSize = 16381
        /// What becomes of a port of an external address that no Service has.
        package var unknownPorts = DatapathConfiguration.UnknownPorts.pass
    }

    /// Whether TCP, UDP and ICMP checksums are looked at.
    package enum Checksums: String, Sendable, CaseIterable {
        /// They are computed, and bad ones counted.
        case verify
        /// They are taken for good.
        case trust
    }

    /// The section `conntrack`.
    package struct Conntrack: Sendable {
        /// How many flows can be tracked at once, 1 to 16,777,216.
        package var capacity = 262_144
        /// What becomes of TCP to a Service that begins without a SYN.
        package var midstream = DatapathConfiguration.Midstream.refuse
        /// How many half-open connections one source may have; nil for an eighth of the capacity.
        package var halfOpenPerSource: Int?
        /// Whether segments that do not fit their connection are dropped.
        package var strict = false
        /// Whether TCP connections to deleted endpoints are reset; kube-proxy leaves them alone.
        package var resetDeletedEndpoints = false
        /// Whether a sender is told that flows, ports or places for fragments are used up.
        package var resourceErrors = DatapathConfiguration.ResourceErrors.drop
        /// How long flows live.
        package var timeouts = Timeouts()
        /// Whether checksums are verified; nil: a replay verifies, a live run trusts.
        package var checksums: Checksums?
    }

    /// The section `datapath`: how the daemon moves packets.
    package struct DatapathSettings: Sendable {
        /// Whether super-packets and partial checksums pass as they are (segmentation offload).
        package var offload = true
        /// Whether a worker keeps asking for packets before it sleeps.
        package var polling = Polling.adaptive
        /// How many threads move packets, each with a queue of every interface.
        package var workers = 1

        /// The most workers there may be.
        package static let workerLimit = 64
    }

    /// Whether a worker keeps asking for packets before it sleeps.
    package enum Polling: String, Sendable, CaseIterable {
        /// For some microseconds after a packet, as long as the next one mostly comes within them.
        case adaptive
        /// Always: a processor for each worker, and the least delay.
        case always
        /// Never.
        case off
    }

    /// A TUN that the daemon makes.
    package struct Interface: Sendable {
        /// The name in events and traces; by default the last part of `namespace`, or `host`.
        package var label = ""
        /// The name of the TUN in its namespace.
        package var name = ""
        /// The namespace by name or path; nil for the daemon's own (the host interface).
        package var namespace: String?
        /// Its address inside the namespace; the length is that of the prefix on the link.
        package var address: InterfaceAddress?
        /// What is sent to the interface, besides its own address.
        package var reaches: [IPv4Prefix] = []
        /// Routes that the namespace gets through the interface.
        package var routes: [IPv4Prefix] = []
        /// The longest packet in bytes, 68 (RFC 791 section 3.2) to 65,535.
        package var mtu = 1500
        /// Whether it leads to everything that is nowhere else; at most one does.
        package var isUplink = false
        /// Whether it leads to the node itself; at most one does.
        package var isHost = false
        /// Whether a source that the interface does not lead to is refused; never so on uplink and host.
        package var antiSpoof = true
    }

    /// The section `node`.
    package var node = Node()
    /// The section `cluster`.
    package var cluster = Cluster()
    /// The section `proxy`.
    package var proxy = Proxy()
    /// The section `conntrack`.
    package var conntrack = Conntrack()
    /// The section `datapath`.
    package var datapath = DatapathSettings()
    /// The TUNs that the daemon makes.
    package var interfaces: [Interface] = []
    /// Where the control socket of the daemon is; nil for none.
    package var socket: String? = Configuration.defaultSocket
    /// The directory of the maps, nil for memory only; read, but without effect so far.
    package var state: String?

    /// The defaults.
    package init() {}

    /// Where the control socket is unless told otherwise.
    package static let defaultSocket = "/run/culvert/culvert.sock"

    /// The sizes of a Maglev table: primes, as Cilium takes them.
    package static let maglevTableSizes = [251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071]
}
