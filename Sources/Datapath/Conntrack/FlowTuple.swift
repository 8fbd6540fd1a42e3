package import Tables
package import Wire

/// One direction of a flow: from where to where, as the packets of that direction carry it.
///
/// For ICMP the source port of a query and the destination port of its reply are the identifier, and the other port is one
/// more. So a reply is the reverse of its query, and never looks like a query of the other side.
/// Kept as headers have it, so that a tuple is read, compared, turned around and written in two words.
package struct FlowTuple: Hashable, Sendable, BitwiseCopyable {
    /// Source and destination address: the eight bytes of an IPv4 header, the first one in the low bits.
    package var addresses: UInt64
    /// Source and destination port: four bytes in the same way; see above for ICMP.
    package var ports: UInt32

    /// A tuple of the words that headers have.
    @inlinable package init(addresses: UInt64, ports: UInt32) {
        self.addresses = addresses
        self.ports = ports
    }

    /// A tuple from its four parts.
    @inlinable package init(
        source: IPv4Address,
        sourcePort: UInt16,
        destination: IPv4Address,
        destinationPort: UInt16
    ) {
        addresses = UInt64(destination.bits.byteSwapped) << 32 | UInt64(source.bits.byteSwapped)
        ports = UInt32(destinationPort.byteSwapped) << 16 | UInt32(sourcePort.byteSwapped)
    }

    /// The source address.
    @inlinable package var source: IPv4Address {
        get { IPv4Address(bits: UInt32(truncatingIfNeeded: addresses).byteSwapped) }
        set { addresses = addresses & ~0xffff_ffff | UInt64(newValue.bits.byteSwapped) }
    }
    /// The destination address.
    @inlinable package var destination: IPv4Address {
        get { IPv4Address(bits: UInt32(truncatingIfNeeded: addresses >> 32).byteSwapped) }
        set { addresses = addresses & 0xffff_ffff | UInt64(newValue.bits.byteSwapped) << 32 }
    }
    /// The source port in host byte order; see above for ICMP.
    @inlinable package var sourcePort: UInt16 {
        get { UInt16(truncatingIfNeeded: ports).byteSwapped }
        set { ports = ports & ~0xffff | UInt32(newValue.byteSwapped) }
    }
    /// The destination port in host byte order; see above for ICMP.
    @inlinable package var destinationPort: UInt16 {
        get { UInt16(truncatingIfNeeded: ports >> 16).byteSwapped }
        set { ports = ports & 0xffff | UInt32(newValue.byteSwapped) << 16 }
    }

    /// The tuple that an answer carries when nothing is translated.
    @inlinable package var reversed: FlowTuple {
        FlowTuple(addresses: addresses >> 32 | addresses << 32, ports: ports >> 16 | ports << 16)
    }

    /// Puts the identifier of an ICMP query, or of the reply to one, in the place of the ports.
    @inlinable package mutating func setIdentifier(_ identifier: UInt16, isReply: Bool) {
        sourcePort = isReply ? identifier &+ 1 : identifier
        destinationPort = isReply ? identifier : identifier &+ 1
    }

    /// The hash under which the tuple is found, together with its protocol.
    @inlinable package func hash(_ transport: TransportProtocol, _ seeded: SeededHash) -> UInt64 {
        seeded(addresses, UInt64(ports) << 8 | UInt64(transport.rawValue))
    }
}

/// The side of a flow that a packet comes from.
package enum FlowDirection: UInt8, Sendable, BitwiseCopyable {
    /// From whoever sent the first packet.
    case original
    /// Back to it.
    case reply

    /// 0 or 1, for what is kept of both.
    @inline(__always) var index: Int { Int(rawValue & 1) }

    /// The other one of the two.
    @inline(__always) var opposite: FlowDirection { self == .original ? .reply : .original }
}

/// A flow and the direction in which a packet travels it, in the 32 bits that the index holds.
package struct FlowReference: Sendable, BitwiseCopyable {
    /// The number of the record times two, plus the direction.
    package let bits: UInt32

    /// The reference that an index holds.
    @inlinable package init(bits: UInt32) { self.bits = bits }
    /// A reference to a record in a direction.
    @inlinable package init(_ number: UInt32, _ direction: FlowDirection) {
        bits = number << 1 | UInt32(direction.rawValue)
    }

    /// The number of the flow's record.
    @inlinable package var number: UInt32 { bits >> 1 }
    /// The direction in which the packet travels.
    @inlinable package var direction: FlowDirection { bits & 1 == 0 ? .original : .reply }

    /// No flow.
    @inlinable package static var none: FlowReference { FlowReference(bits: 0) }
    /// Whether the reference is to no flow: record 0 is never used.
    @inlinable package var isNone: Bool { bits < 2 }
}
