internal import Tables
internal import Wire

// Stage "parse" (hook xdp): what the headers say, checked in the order of RFC 1812 section 5.2.2.
//
// A defect of the IPv4 header ends here. What comes behind the addresses is only noted: "screen" looks at the addresses
// first, so that a packet with several defects is named after the first one.
//
// The views are handed from call to call and never bound to a constant: Swift 6.3 moves such a constant to the heap.

extension Pipeline {
    /// Parses all packets of a batch and computes the hashes of their tuples.
    func parse(_ batch: inout Batch, _ tally: inout Tally) {
        for number in 0..<batch.count {
            if batch.keepsPreimages {
                let kept = min(Int(batch.packets[number].length), Batch.preimageLength)
                batch.preimages.copy(from: batch.frames, number, 0..<kept, to: number, at: 0)
            }
            parse(&batch.packets[number], &batch.frames, number, &tally)
        }
    }

    @inline(__always) private func parse(
        _ packet: inout Packet,
        _ frames: inout FramePool,
        _ number: Int,
        _ tally: inout Tally
    ) {
        if packet.linkReason != .none {
            packet.reason = packet.linkReason
            return
        }
        let length = Int(packet.length)
        do throws(Malformed) {
            var ip = try IPv4Packet(
                validating: frames.frame(number, length: length),
                wireLength: Int(packet.wireLength)
            )
            guard ip.isChecksumValid else {
                packet.reason = .checksumIP
                return
            }
            let total = ip.totalLength
            packet.totalLength = UInt16(truncatingIfNeeded: total)
            // What stands behind the IP packet is padding of the link layer, and goes no further.
            if packet.length > Int32(truncatingIfNeeded: total) { packet.length = Int32(truncatingIfNeeded: total) }
            packet.headerLength = UInt8(truncatingIfNeeded: ip.headerLength)
            packet.transport = ip.transport
            packet.timeToLive = ip.timeToLive
            packet.fragment = FragmentField(bits: ip.flagsAndOffset)
            packet.tuple.addresses = UInt64(littleEndian: ip.bytes.bytes.loadNative64(IPv4Packet.Field.source))
            packet.arrivalAddresses = packet.tuple.addresses
            packet.hasAddresses = true
            if configuration.takesIngressFromSource {
                packet.ingress = interfaces.egress(to: packet.tuple.source) ?? packet.ingress
            }
            try parseBehindAddresses(&packet, &ip, &tally)
        } catch {
            // Looked at again only where something is wrong.
            let version = length > 0 ? frames.bytes(number, length: length).load8(0) >> 4 : 4
            let reason = Self.reason(of: error, version: version, marks: packet.marks)
            if packet.hasAddresses { packet.defect = reason } else { packet.reason = reason }
        }
    }

    @inline(__always) private func parseBehindAddresses(
        _ packet: inout Packet,
        _ ip: inout IPv4Packet,
        _ tally: inout Tally
    ) throws(Malformed) {
        let header = Int(packet.headerLength)
        if header > IPv4Packet.minimumHeaderLength {
            if try IPv4Options.walk(ip.bytes.bytes, headerLength: header) == .sourceRoute {
                packet.defect = .sourceRoute
                return
            }
        }
        if packet.fragment.isFragment {
            packet.defect = Self.fragmentDefect(packet)
            if packet.defect != .none || packet.fragment.offset > 0 { return }
        }
        let carried = Int(packet.totalLength) &- header
        switch packet.transport {
        case .tcp: try parseTCP(&packet, ip.bytes.bytes, carried: carried, &tally)
        case .udp: try parseUDP(&packet, &ip, carried: carried, &tally)
        case .icmp: try parseICMP(&packet, &ip, carried: carried, &tally)
        default: break
        }
        guard packet.hasPorts else { return }
        packet.hash = packet.tuple.hash(packet.transport, flows.hash)
        packet.isPlain =
            packet.defect == .none && header == IPv4Packet.minimumHeaderLength && packet.timeToLive > 1
            && !packet.fragment.isFragment && packet.transport != .icmp
    }

    /// The same checks as those of the view, `TCPSegment.init(validating:wireLength:)`, without making one.
    @inline(__always) private func parseTCP(
        _ packet: inout Packet,
        _ bytes: RawSpan,
        carried: Int,
        _ tally: inout Tally
    ) throws(Malformed) {
        let place = Int(packet.headerLength)
        let field = TCPSegment.Field.self
        guard carried >= field.end, bytes.byteCount &- place >= field.end else { throw .shortTransport }
        let header = Int(bytes.load8(place &+ field.dataOffset) >> 4) &* 4
        guard header >= field.end, header <= carried else { throw .tcpDataOffset }
        packet.tuple.ports = UInt32(littleEndian: bytes.loadNative32(place))
        packet.flags = TCPFlags(rawValue: bytes.load8(place &+ field.flags))
        packet.hasPorts = true
        if packet.tuple.ports & 0xffff == 0 || packet.tuple.ports >> 16 == 0 {
            packet.defect = .malformedPortZero
        } else if !packet.flags.isLegal {
            packet.defect = .malformedTCPFlags
        } else if configuration.verifiesChecksums {
            let end = min(place &+ carried, bytes.byteCount)
            verifyTransport(&packet, bytes.extracting(place..<end), length: carried, &tally)
        }
    }

    @inline(__always) private func parseUDP(
        _ packet: inout Packet,
        _ ip: inout IPv4Packet,
        carried: Int,
        _ tally: inout Tally
    ) throws(Malformed) {
        guard carried >= UDPDatagram.headerLength else { throw .shortTransport }
        // The length of a fragmented datagram is that of the whole, which is not here.
        let limit = packet.fragment.isFragment ? Int(UInt16.max) : carried
        read(&packet, try UDPDatagram(validating: ip.payload(), wireLength: limit), &tally)
    }

    @inline(__always) private func read(
        _ packet: inout Packet,
        _ datagram: borrowing UDPDatagram,
        _ tally: inout Tally
    ) {
        packet.tuple.sourcePort = datagram.sourcePort
        packet.tuple.destinationPort = datagram.destinationPort
        packet.hasPorts = true
        // A source port of zero means that no reply is expected (RFC 768).
        if packet.tuple.destinationPort == 0 {
            packet.defect = .malformedPortZero
        } else if datagram.checksum != 0, configuration.verifiesChecksums {
            verifyTransport(&packet, datagram.bytes.bytes, length: datagram.length, &tally)
        }
    }

    private func parseICMP(
        _ packet: inout Packet,
        _ ip: inout IPv4Packet,
        carried: Int,
        _ tally: inout Tally
    ) throws(Malformed) {
        guard carried >= ICMPv4Message.headerLength else { throw .shortTransport }
        read(&packet, try ICMPv4Message(validating: ip.payload()), carried: carried, &tally)
    }

    private func read(
        _ packet: inout Packet,
        _ message: borrowing ICMPv4Message,
        carried: Int,
        _ tally: inout Tally
    ) {
        packet.icmpType = message.type
        if message.type.isQuery || message.type.isQueryReply {
            packet.tuple.setIdentifier(message.identifier, isReply: message.type.isQueryReply)
            packet.hasPorts = true
        }
        // Always, as in the kernel (nf_conntrack_icmp_error): what a damaged error quotes means nothing (RFC 5508 REQ-3), and
        // nobody leaves the checksums of ICMP to a device.
        verifyTransport(&packet, message.bytes.bytes, length: carried, &tally)
    }

    /// Counts a checksum that is wrong; a packet that a capture cut, or a fragment, cannot be judged.
    @inline(__always) private func verifyTransport(
        _ packet: inout Packet,
        _ bytes: RawSpan,
        length: Int,
        _ tally: inout Tally
    ) {
        guard !packet.fragment.isFragment, bytes.byteCount >= length, !packet.marks.contains(.partialChecksum) else {
            return
        }
        var sum = Checksum.sum(bytes, 0..<length)
        if packet.transport != .icmp {
            let pseudo = Checksum.pseudoHeader(
                source: packet.tuple.source,
                destination: packet.tuple.destination,
                transport: packet.transport.rawValue,
                length: length
            )
            sum = Checksum.add(sum, pseudo)
        }
        if sum != 0xffff {
            packet.marks.insert(.badChecksum)
            tally.badChecksums &+= 1
        }
    }

    /// What is wrong with a fragment by itself (RFC 791 section 3.2, RFC 1858, RFC 3128).
    private static func fragmentDefect(_ packet: Packet) -> DropReason {
        let carried = Int(packet.totalLength) - Int(packet.headerLength)
        if carried == 0 { return .fragmentEmpty }
        if packet.fragment.moreFragments && carried % 8 != 0 { return .fragmentMisaligned }
        if packet.fragment.offset + carried + Int(packet.headerLength) > 65535 { return .fragmentOverflow }
        guard packet.transport == .tcp else {
            let needed = packet.transport == .udp || packet.transport == .icmp ? 8 : 0
            return packet.fragment.offset == 0 && carried < needed ? .fragmentTiny : .none
        }
        // The ports and flags must not be spread over fragments, nor be written over by the second one.
        if packet.fragment.offset == 0 && carried < TCPSegment.minimumHeaderLength { return .fragmentTiny }
        if packet.fragment.offset > 0 && packet.fragment.offset < TCPSegment.minimumHeaderLength {
            return .fragmentTiny
        }
        return .none
    }

    private static func reason(of malformed: Malformed, version: UInt8, marks: PacketMarks) -> DropReason {
        switch malformed {
        case .shortIP: marks.contains(.truncated) ? .traceTruncated : .shortIP
        case .version: version == 6 ? .unsupportedIPv6 : .malformedVersion
        case .headerLength: .malformedIHL
        case .totalLength: .malformedTotalLength
        case .option: .malformedIPOption
        case .shortTransport: marks.contains(.truncated) ? .traceTruncated : .shortL4
        case .tcpDataOffset: .malformedTCP
        case .udpLength: .malformedUDP
        }
    }
}

/// Copies all bytes of `source` to the beginning of `target`, which is at least as long.
@inline(__always) func copyBytes(_ source: RawSpan, into target: inout MutableRawSpan, at offset: Int = 0) {
    let count = source.byteCount
    var at = 0
    while count &- at >= 8 {
        target.storeBytes(of: source.loadNative64(at), toByteOffset: offset &+ at, as: UInt64.self)
        at &+= 8
    }
    while at < count {
        target.store8(source.load8(at), at: offset &+ at)
        at &+= 1
    }
}
