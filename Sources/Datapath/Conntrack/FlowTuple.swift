package import Tables
package import Wire

/// One direction of a flow: from where to where, as the packets of that direction carry it.
///
/// For ICMP queries both ports are the identifier, so that a reply is the reverse of its request.
package struct FlowTuple: Hashable, Sendable, BitwiseCopyable {
    package var source: IPv4Address
    package var destination: IPv4Address
    package var sourcePort: UInt16
    package var destinationPort: UInt16

    @inlinable package init(
        source: IPv4Address,
        sourcePort: UInt16,
        destination: IPv4Address,
        destinationPort: UInt16
    ) {
        self.source = source
        self.destination = destination
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
    }

    /// The tuple that an answer carries when nothing is translated.
    @inlinable package var reversed: FlowTuple {
        FlowTuple(
            source: destination,
            sourcePort: destinationPort,
            destination: source,
            destinationPort: sourcePort
        )
    }

    @inlinable package static func == (left: FlowTuple, right: FlowTuple) -> Bool {
        let addresses = (left.source.bits ^ right.source.bits) | (left.destination.bits ^ right.destination.bits)
        let ports = (left.sourcePort ^ right.sourcePort) | (left.destinationPort ^ right.destinationPort)
        return addresses | UInt32(ports) == 0
    }

    /// The hash under which the tuple is found, together with its protocol.
    @inlinable package func hash(_ transport: TransportProtocol, _ seeded: SeededHash) -> UInt64 {
        seeded(
            UInt64(source.bits) << 32 | UInt64(destination.bits),
            UInt64(sourcePort) << 32 | UInt64(destinationPort) << 16 | UInt64(transport.rawValue)
        )
    }
}

/// The side of a flow that a packet comes from.
package enum FlowDirection: UInt8, Sendable, BitwiseCopyable {
    /// From whoever sent the first packet.
    case original
    /// Back to it.
    case reply
}

/// A flow and the direction in which a packet travels it, in the 32 bits that the index holds.
package struct FlowReference: Sendable, BitwiseCopyable {
    package let bits: UInt32

    @inlinable package init(bits: UInt32) { self.bits = bits }
    @inlinable package init(_ number: UInt32, _ direction: FlowDirection) {
        bits = number << 1 | UInt32(direction.rawValue)
    }

    /// The number of the flow's record.
    @inlinable package var number: UInt32 { bits >> 1 }
    @inlinable package var direction: FlowDirection { bits & 1 == 0 ? .original : .reply }

    /// No flow.
    @inlinable package static var none: FlowReference { FlowReference(bits: 0) }
    @inlinable package var isNone: Bool { bits < 2 }
}
