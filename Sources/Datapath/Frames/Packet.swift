internal import Tables
package import Wire

/// A packet on its way through the pipeline: where its bytes are, what the headers say, and what was decided.
///
/// Plain numbers, filled in by the stages in their order; whoever shows events and traces reads it afterwards.
package struct Packet: Sendable, BitwiseCopyable {
    // Set by the reader of the frame.
    /// The number of the packet in its input, from 1.
    package var number: UInt64 = 0
    /// The clock of the timers, in nanoseconds; never goes back.
    package var now: UInt64 = 0
    /// The time for events and traces, in nanoseconds since 1970.
    package var time: UInt64 = 0
    /// The bytes that are there, from the IPv4 header on.
    package var length: Int32 = 0
    /// The bytes that were there before a capture cut them; what stands behind the IP packet counts too.
    package var wireLength: Int32 = 0
    /// The interface it came from.
    package var ingress: UInt16 = 0
    /// Set when the link layer already refused it.
    package var linkReason: DropReason = .none
    /// What replay knows of the packet.
    package var marks: PacketMarks = []

    // Set by the stages.
    package var verdict: Verdict = .undecided
    package var reason: DropReason = .none
    package var conntrack: ConntrackState = .untracked
    package var frontend: FrontendKind = .none
    package var masquerade = false
    /// Whether the stages filled in addresses and ports (the IPv4 header was whole).
    package var hasAddresses = false
    package var hasPorts = false
    package var flags: TCPFlags = []
    package var transport = TransportProtocol(rawValue: 0)
    package var timeToLive: UInt8 = 0
    package var icmpType = ICMPv4Type(rawValue: 0)
    package var headerLength: UInt8 = 0
    package var totalLength: UInt16 = 0
    package var fragment = FragmentField(bits: 0)
    package var egress: UInt16 = 0
    /// As received.
    package var tuple = FlowTuple(source: .any, sourcePort: 0, destination: .any, destinationPort: 0)
    /// The addresses in the frame as it was read; `tuple` has others where replay has reconstructed a reply.
    var arrivalSource = IPv4Address.any
    var arrivalDestination = IPv4Address.any
    /// As sent; meaningful for `forward` and `pass`.
    package var translated = FlowTuple(source: .any, sourcePort: 0, destination: .any, destinationPort: 0)
    /// A defect behind the addresses, to be named unless the addresses are worse.
    package var defect: DropReason = .none
    package var service: UInt32 = 0
    package var backend = FlowEndpoint(address: .any, port: 0)
    /// The flow's number in events, 0 for none.
    package var flow: UInt64 = 0
    var hash: UInt64 = 0
    var candidate = FlowReference.none
    /// The entry of the fragment table, 0 for none.
    var datagram: UInt32 = 0
    /// Where the packet's emissions stand in the batch: the first one and their number.
    package var firstEmission: UInt16 = 0
    package var emissions: UInt16 = 0

    package init() {}
}

/// Properties of a packet that its reader knows.
package struct PacketMarks: OptionSet, Sendable, BitwiseCopyable {
    package var rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The capture kept only a part of the packet.
    package static let truncated = PacketMarks(rawValue: 1 << 0)
    /// A reply that replay made from what the client saw.
    package static let reconstructed = PacketMarks(rawValue: 1 << 1)
    /// The packet made its flow.
    package static let opensFlow = PacketMarks(rawValue: 1 << 3)
    /// The checksum of the transport header was verified and is wrong.
    package static let badChecksum = PacketMarks(rawValue: 1 << 2)
}
