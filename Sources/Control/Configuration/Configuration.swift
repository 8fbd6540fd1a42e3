package import Datapath
package import Devices
package import Wire

/// The configuration file: what the node is, what the cluster uses, and which interfaces to make (docs/configuration.md).
package struct Configuration: Sendable {
    package struct Node: Sendable {
        /// Matched against `nodeName` of endpoints; the only setting without a default.
        package var name = ""
        package var zone: String?
        /// The primary one first.
        package var addresses: [IPv4Address] = []
        /// What the node's own address becomes where it talks to itself.
        package var loopAddress = IPv4Address(169, 254, 42, 1)
    }

    /// Which node addresses have NodePorts.
    package enum NodePortAddresses: Sendable, Equatable {
        case primary
        case all
        case within([IPv4Prefix])
    }

    package struct Cluster: Sendable {
        package var podCIDR: IPv4Prefix?
        package var serviceCIDR: IPv4Prefix?
        package var nodePortRange: ClosedRange<UInt16> = 30000...32767
        package var nodePortAddresses = NodePortAddresses.primary
        package var loadBalancerCIDRs: [IPv4Prefix] = []
        package var externalCIDRs: [IPv4Prefix]?
        package var domain = "cluster.local"
        package var dnsAddress: IPv4Address?
    }

    package enum Algorithm: String, Sendable, CaseIterable {
        case random
        case roundRobin = "round-robin"
        case maglev
    }

    package struct Proxy: Sendable {
        package var masqueradeAll = false
        package var algorithm = Algorithm.random
        package var maglevTableSize = 16381
        package var unknownPorts = DatapathConfiguration.UnknownPorts.pass
    }

    package enum Checksums: String, Sendable, CaseIterable { case verify, trust }

    package struct Conntrack: Sendable {
        package var capacity = 262_144
        package var midstream = DatapathConfiguration.Midstream.refuse
        package var strict = false
        package var timeouts = Timeouts()
        /// Nil: a replay verifies, a live run trusts.
        package var checksums: Checksums?
    }

    /// A TUN that the daemon makes.
    package struct Interface: Sendable {
        package var label = ""
        package var name = ""
        /// The namespace by name or path; nil for the daemon's own (the host interface).
        package var namespace: String?
        /// Its address inside the namespace; the length is that of the prefix on the link.
        package var address: InterfaceAddress?
        package var reaches: [IPv4Prefix] = []
        package var routes: [IPv4Prefix] = []
        package var mtu = 1500
        package var isUplink = false
        package var isHost = false
        package var antiSpoof = true
    }

    package var node = Node()
    package var cluster = Cluster()
    package var proxy = Proxy()
    package var conntrack = Conntrack()
    package var interfaces: [Interface] = []
    /// The directory of the maps; nil for memory only.
    package var state: String?

    package init() {}

    /// The sizes of a Maglev table: primes, as Cilium takes them.
    package static let maglevTableSizes = [251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071]
}
