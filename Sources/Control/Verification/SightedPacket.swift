internal import Datapath
internal import Wire

/// An IPv4 packet in a trace, read without believing it.
///
/// Theory of operation: `init` checks version and lengths, so that the fixed header and its options are there; all else
/// is looked up within what the trace has of the packet, and is nil where that ends.
struct SightedPacket {
    let bytes: [UInt8]
    /// In bytes, options included; all of it is there.
    let headerLength: Int

    /// Nil for what is no IPv4 packet, or not all of its header.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= IPv4Packet.minimumHeaderLength, bytes[0] >> 4 == 4 else { return nil }
        let header = Int(bytes[0] & 0xf) * 4
        guard header >= IPv4Packet.minimumHeaderLength, header <= bytes.count else { return nil }
        guard bytes.big16(IPv4Packet.Field.totalLength) >= header else { return nil }
        self.bytes = bytes
        headerLength = header
    }

    var totalLength: Int { Int(bytes.big16(IPv4Packet.Field.totalLength)) }
    var identification: UInt16 { bytes.big16(IPv4Packet.Field.identification) }
    var fragment: FragmentField { FragmentField(bits: bytes.big16(IPv4Packet.Field.fragment)) }
    var timeToLive: UInt8 { bytes[IPv4Packet.Field.timeToLive] }
    var transport: TransportProtocol { TransportProtocol(rawValue: bytes[IPv4Packet.Field.transport]) }
    var source: IPv4Address { IPv4Address(bits: bytes.big32(IPv4Packet.Field.source)) }
    var destination: IPv4Address { IPv4Address(bits: bytes.big32(IPv4Packet.Field.destination)) }
    /// Whether the trace has all of the packet.
    var isWhole: Bool { bytes.count == totalLength }
    var isHeaderChecksumValid: Bool { Checksum.sum(bytes, to: headerLength) == 0xffff }
    /// How many bytes of the transport header and what follows are there; 0 where another fragment has the header.
    var segmentLength: Int { fragment.offset > 0 ? 0 : bytes.count - headerLength }

    /// The type of an ICMP message.
    var icmpType: ICMPv4Type? {
        guard transport == .icmp, segmentLength >= ICMPv4Message.headerLength else { return nil }
        return ICMPv4Type(rawValue: bytes[headerLength])
    }

    /// The packet inside an ICMP error.
    var quote: SightedPacket? {
        guard let type = icmpType, type.isError else { return nil }
        return SightedPacket(Array(bytes[(headerLength + ICMPv4Message.headerLength)...]))
    }

    var tcpFlags: TCPFlags? {
        guard transport == .tcp, segmentLength >= TCPSegment.minimumHeaderLength else { return nil }
        return TCPFlags(rawValue: bytes[headerLength + TCPSegment.Field.flags])
    }

    /// Addresses and ports, as flows are known by; nil for what has no ports.
    ///
    /// Of a packet that an ICMP error quotes, eight bytes of the transport header are enough.
    func tuple(isQuoted: Bool = false) -> FlowTuple? {
        let ports: (UInt16, UInt16)
        switch transport {
        case .tcp where segmentLength >= (isQuoted ? 8 : TCPSegment.minimumHeaderLength),
            .udp where segmentLength >= UDPDatagram.headerLength:
            ports = (bytes.big16(headerLength), bytes.big16(headerLength + 2))
        case .icmp:
            guard let type = icmpType, type.isQuery || type.isQueryReply else { return nil }
            let identifier = bytes.big16(headerLength + ICMPv4Message.Field.identifier)
            ports = (identifier, identifier)
        default: return nil
        }
        return FlowTuple(source: source, sourcePort: ports.0, destination: destination, destinationPort: ports.1)
    }

    /// Where the transport checksum stands, counted from the transport header; nil for other protocols.
    private var checksumOffset: Int? {
        switch transport {
        case .tcp: TCPSegment.checksumOffset
        case .udp: UDPDatagram.checksumOffset
        case .icmp: ICMPv4Message.checksumOffset
        default: nil
        }
    }

    /// The place of the transport checksum in `bytes`, where it is there.
    var checksumPlace: Int? {
        guard let offset = checksumOffset, segmentLength >= offset + 2 else { return nil }
        return headerLength + offset
    }

    /// Whether the packet is a UDP datagram whose sender computed no checksum.
    var hasNoChecksum: Bool {
        guard transport == .udp, let place = checksumPlace else { return false }
        return bytes.big16(place) == 0
    }

    /// The sum over the transport header, what follows and the addresses of the pseudo-header, modulo 0xffff.
    ///
    /// Translation with an incremental update of the checksum leaves it as it is, whether the checksum is right or
    /// wrong, and however much of the packet is there (RFC 1624). Nil where the checksum is not there.
    var transportResidue: UInt16? {
        guard checksumPlace != nil else { return nil }
        var sum = Checksum.sum(bytes, from: headerLength)
        if transport != .icmp {
            let addresses = Checksum.pseudoHeader(source: source, destination: destination, transport: 0, length: 0)
            sum = Checksum.add(sum, addresses)
        }
        return sum == 0xffff ? 0 : sum
    }

    /// Whether the transport checksum is right; nil where that cannot be said: cut, a fragment, none, another protocol.
    var isTransportChecksumValid: Bool? {
        guard isWhole, !fragment.isFragment, !hasNoChecksum, let residue = transportResidue else { return nil }
        guard transport != .icmp else { return residue == 0 }
        let hasPadding = transport == .udp && Int(bytes.big16(headerLength + 4)) != bytes.count - headerLength
        if hasPadding { return nil }
        let rest = UInt64(transport.rawValue) + UInt64(bytes.count - headerLength)
        let sum = Checksum.fold(UInt64(residue) + rest)
        return sum == 0xffff || sum == 0
    }
}

extension [UInt8] {
    /// The field at an offset, in network order; traps past the end.
    func big16(_ offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

    /// The field at an offset, in network order; traps past the end.
    func big32(_ offset: Int) -> UInt32 { UInt32(big16(offset)) << 16 | UInt32(big16(offset + 2)) }
}
