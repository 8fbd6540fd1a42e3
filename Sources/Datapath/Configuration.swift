package import Wire

/// The settings of the datapath that do not change while it runs.
package struct DatapathConfiguration: Sendable {
    /// What becomes of TCP to a Service that begins without a SYN.
    package enum Midstream: Sendable { case refuse, pickup }
    /// What becomes of a packet to a port of an external address that no Service has.
    package enum UnknownPorts: Sendable { case pass, drop }

    /// The node's addresses, the primary one first; may be empty.
    package var nodeAddresses: [IPv4Address] = []
    /// What counts as local pods (the local-traffic detector); nil for none.
    package var podCIDR: IPv4Prefix?
    /// Where ClusterIPs are allocated; unallocated addresses in it are dropped.
    package var serviceCIDR: IPv4Prefix?
    package var nodePortRange: ClosedRange<UInt16> = 30000...32767
    package var masqueradeAll = false
    package var unknownPorts = UnknownPorts.pass
    package var midstream = Midstream.refuse
    /// Flows.
    package var conntrackCapacity = 262_144
    package var timeouts = Timeouts()
    /// Whether TCP, UDP and ICMP checksums are verified and bad ones counted.
    package var verifiesChecksums = false
    /// Whether packets come without an interface, as from a capture: then it is the one that leads to their source.
    package var takesIngressFromSource = false
    /// Whether packets from a frontend are what a client saw, to be turned into what the backend had sent.
    package var reconstructsReplies = false
    /// The seed of every choice: backends, ports, hashes.
    package var seed: UInt64 = 1

    package init() {}
}
