internal import Tables
package import Wire

/// A packet on its way through the pipeline: where its bytes are, what the headers say, and what was decided.
///
/// Plain numbers, filled in by the stages in their order; whoever shows events and traces reads it afterwards. The stages
/// hand it on `inout`, also to what only reads it: Swift 6.3 copies a large value that is handed on otherwise.
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
    /// What its reader knows of the packet.
    package var marks: PacketMarks = []
    /// How many bytes of headers each segment of a super-packet has.
    package var segmentHeader: UInt8 = 0
    /// How many bytes of payload each segment of a super-packet has but for the last one; 0 for a packet that is none.
    package var segmentSize: UInt16 = 0

    // Set by the stages.
    /// What becomes of it.
    package var verdict: Verdict = .undecided
    /// Why, where it is dropped or refused.
    package var reason: DropReason = .none
    /// How it stands to the flows that are tracked.
    package var conntrack: ConntrackState = .untracked
    /// How its flow asked for a Service.
    package var frontend: FrontendKind = .none
    /// Whether its flow has an address of the node for its source.
    package var masquerade = false
    /// Whether the stages filled in addresses and ports (the IPv4 header was whole).
    package var hasAddresses = false
    /// Whether `tuple` has ports or an ICMP identifier, so that a flow can be looked up.
    package var hasPorts = false
    /// Whether it is TCP or UDP without IP options, whole, without a defect, and may be routed on: what the short way takes.
    var isPlain = false
    /// The TCP flags; none for other protocols.
    package var flags: TCPFlags = []
    /// The protocol number of the IPv4 header.
    package var transport = TransportProtocol(rawValue: 0)
    /// The TTL as received.
    package var timeToLive: UInt8 = 0
    /// The type of an ICMP message; meaningful for ICMP only.
    package var icmpType = ICMPv4Type(rawValue: 0)
    /// The length of the IPv4 header in bytes, options included.
    package var headerLength: UInt8 = 0
    /// The length of the IPv4 packet in bytes by its header.
    package var totalLength: UInt16 = 0
    /// Flags and offset of the IPv4 header.
    package var fragment = FragmentField(bits: 0)
    /// The number of the interface it leaves by.
    package var egress: UInt16 = 0
    /// Addresses and ports as received.
    package var tuple = FlowTuple(source: .any, sourcePort: 0, destination: .any, destinationPort: 0)
    /// The addresses in the frame as it was read; `tuple` has others where replay has reconstructed a reply.
    var arrivalAddresses: UInt64 = 0
    /// Addresses and ports as sent; meaningful for `forward` and `pass`.
    package var translated = FlowTuple(source: .any, sourcePort: 0, destination: .any, destinationPort: 0)
    /// A defect behind the addresses, to be named unless the addresses are worse.
    package var defect: DropReason = .none
    /// The stable number of the ServicePort, 0 for none.
    package var service: UInt32 = 0
    /// The backend of its flow; meaningful for a Service only.
    package var backend = FlowEndpoint(address: .any, port: 0)
    /// The flow's number in events, 0 for none.
    package var flow: UInt64 = 0
    /// How long the client is bound to the backend, 0 for not at all.
    var affinitySeconds: UInt32 = 0
    var hash: UInt64 = 0
    var candidate = FlowReference.none
    var frontendHint = FrontendHint.none
    /// The record of an ended flow with the same tuple, which this one takes the place of; 0 for none.
    var replaces: UInt32 = 0
    /// The entry of the fragment table, 0 for none.
    var datagram: UInt32 = 0
    /// The first of the packet's emissions in the batch.
    package var firstEmission: UInt32 = 0
    /// How many emissions of the batch are the packet's, from `firstEmission` on.
    package var emissions: UInt16 = 0

    /// The source address in the frame as it was read.
    var arrivalSource: IPv4Address { FlowTuple(addresses: arrivalAddresses, ports: 0).source }
    /// The destination address in the frame as it was read.
    var arrivalDestination: IPv4Address { FlowTuple(addresses: arrivalAddresses, ports: 0).destination }

    /// Where the transport header begins; nil where there is none that is known, as in later fragments.
    var transportPlace: Int? { hasPorts ? Int(headerLength) : nil }

    /// An empty packet, for its reader to fill in.
    package init() {}
}

/// Properties of a packet that its reader knows.
package struct PacketMarks: OptionSet, Sendable, BitwiseCopyable {
    /// The bits of the set.
    package var rawValue: UInt8
    /// The marks of those bits.
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The capture kept only a part of the packet.
    package static let truncated = PacketMarks(rawValue: 1 << 0)
    /// A reply that replay made from what the client saw.
    package static let reconstructed = PacketMarks(rawValue: 1 << 1)
    /// The packet made its flow.
    package static let opensFlow = PacketMarks(rawValue: 1 << 3)
    /// The checksum of the transport header was verified and is wrong.
    package static let badChecksum = PacketMarks(rawValue: 1 << 2)
    /// It came with a partial checksum: see `PartialChecksum`.
    package static let partialChecksum = PacketMarks(rawValue: 1 << 4)
}
