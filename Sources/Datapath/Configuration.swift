package import Wire

/// The settings of the datapath that do not change while it runs.
package struct DatapathConfiguration: Sendable {
    /// What becomes of TCP to a Service that begins without a SYN.
    package enum Midstream: Sendable {
        /// It is dropped as `ct.nostate`.
        case refuse
        /// It opens a flow, as with `nf_conntrack_tcp_loose`.
        case pickup
    }
    /// What becomes of a packet to a port of an external address that no Service has.
    package enum UnknownPorts: Sendable {
        /// It goes on by its route: others may serve the port.
        case pass
        /// It is dropped as `no_service`.
        case drop
    }

    /// Whether a sender is told that resources are used up.
    package enum ResourceErrors: String, Sendable, CaseIterable {
        /// The packet is dropped silently.
        case drop
        /// An ICMP error, "administratively prohibited", goes back now and then (RFC 5508 section 4.2).
        case icmp
    }

    /// The node's addresses, the primary one first; may be empty.
    package var nodeAddresses: [IPv4Address] = []
    /// What a node address becomes where the node talks to itself; routed back by the live host interface.
    package var loopAddress = IPv4Address(169, 254, 42, 1)
    /// What counts as local pods (the local-traffic detector); nil for none.
    package var podCIDR: IPv4Prefix?
    /// Where ClusterIPs are allocated; unallocated addresses in it are dropped.
    package var serviceCIDR: IPv4Prefix?
    /// Where DNS queries are answered, unless a Service owns the address; nil for nowhere.
    package var dnsAddress: IPv4Address?
    /// Where NodePorts are (`--service-node-port-range` of kube-apiserver); masquerading takes no source port from it.
    package var nodePortRange: ClosedRange<UInt16> = 30000...32767
    /// Whether every flow to a ClusterIP is masqueraded (`masqueradeAll` of kube-proxy).
    package var masqueradeAll = false
    /// What becomes of a port of an external address that no Service has.
    package var unknownPorts = UnknownPorts.pass
    /// What becomes of TCP to a Service that begins without a SYN.
    package var midstream = Midstream.refuse
    /// Whether TCP connections to endpoints that are gone are reset; kube-proxy leaves them alone.
    package var resetsDeletedEndpoints = false
    /// How many flows can be tracked at once.
    package var conntrackCapacity = 262_144
    /// How many half-open connections one source may have; nil for an eighth of the table.
    package var halfOpenPerSource: Int?
    /// Whether segments that do not fit their connection are dropped.
    package var strict = false
    /// What becomes of a packet for which there is no room: no flow, no port, no place among the fragments.
    package var resourceErrors = ResourceErrors.drop
    /// How many datagrams in fragments can be followed at once; fewer in tests and fuzzers.
    package var fragmentCapacity = 32768
    /// How long flows and incomplete datagrams are kept.
    package var timeouts = Timeouts()
    /// Whether TCP and UDP checksums are verified and bad ones counted; those of ICMP always are.
    package var verifiesChecksums = false
    /// Whether packets come without an interface, as from a capture: then it is the one that leads to their source.
    package var takesIngressFromSource = false
    /// Whether packets from a frontend are what a client saw, to be turned into what the backend had sent.
    package var reconstructsReplies = false
    /// The seed of every choice: backends, ports, hashes.
    package var seed: UInt64 = 1

    /// How many half-open connections one source may have.
    var halfOpenLimit: Int { halfOpenPerSource ?? max(conntrackCapacity / 8, 1) }

    /// The defaults: no addresses, nothing that depends on a cluster.
    package init() {}
}
