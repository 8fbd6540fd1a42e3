internal import Tables
internal import Wire

// Stage "reject" (hook egress): ICMP errors back to the sender, built from zero, by the rules of RFC 1812 section 4.3:
// never about an ICMP error, a fragment other than the first, a packet that was not to one host, or from no one host;
// nor about a RST (RFC 1122 section 4.2.3.9 would make nothing of it); such a packet is dropped under the same
// reason. The packet is quoted as it came in.

/// The ICMP errors that the datapath sends.
enum RejectMessage {
    case portUnreachable
    case timeExceeded
    case fragmentationNeeded(mtu: Int)
    case administrativelyProhibited

    var type: ICMPv4Type {
        switch self {
        case .portUnreachable, .fragmentationNeeded, .administrativelyProhibited: .destinationUnreachable
        case .timeExceeded: .timeExceeded
        }
    }

    var code: UInt8 {
        switch self {
        case .portUnreachable: UnreachableCode.port
        case .timeExceeded: 0
        case .fragmentationNeeded: UnreachableCode.fragmentationNeeded
        case .administrativelyProhibited: UnreachableCode.administrativelyProhibited
        }
    }

    /// The second word of the header: the next hop's MTU (RFC 1191 section 4), else zero.
    var rest: UInt32 {
        if case .fragmentationNeeded(let mtu) = self { return UInt32(truncatingIfNeeded: min(mtu, 0xffff)) }
        return 0
    }
}

extension Pipeline {
    /// How much of a packet an error quotes at most, so that the error has 576 bytes (RFC 1812 section 4.3.2.3).
    private static var quoteLimit: Int { 548 }

    /// Ends the way of a packet with a refusal, and sends the error; a drop where the rules allow none.
    mutating func reject(
        _ packet: inout Packet,
        _ reason: DropReason,
        _ message: RejectMessage,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome {
        programs.add(.reject)
        if packet.marks.contains(.badChecksum) { return .drop(.checksumL4) }
        guard mayAnswer(packet), let egress = interfaces.egress(to: packet.tuple.source) else { return .drop(reason) }
        packet.egress = egress
        sendError(packet, message, number, &batch)
        return Outcome(verdict: .reject, reason: reason)
    }

    /// Tells a sender that its packet was dropped for want of a resource, where that is wanted, at most once a second
    /// (RFC 5508 section 4.2, REQ-8).
    mutating func reportShortage(
        _ outcome: Outcome,
        _ packet: inout Packet,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome {
        guard configuration.resourceErrors == .icmp, outcome.verdict == .drop, outcome.reason.isShortage else {
            return outcome
        }
        guard mayAnswer(packet) else { return outcome }
        guard shortageReports.take(packet.tuple.source, now: packet.now) else {
            counters.errorsSuppressed &+= 1
            return Outcome(verdict: .reject, reason: outcome.reason)
        }
        return reject(&packet, outcome.reason, .administrativelyProhibited, number, &batch)
    }

    private mutating func sendError(
        _ packet: Packet,
        _ message: RejectMessage,
        _ number: Int,
        _ batch: inout Batch
    ) {
        guard errorRate.take(now: packet.now), let buffer = batch.takeScratch(Self.quoteLimit + 28),
            let quoted = quote(packet, number, in: buffer, &batch)
        else {
            counters.errorsSuppressed &+= 1
            return
        }
        let length = Self.quotePlace + quoted
        var error = batch.scratch.frame(buffer, length: length)
        let icmp = IPv4Packet.minimumHeaderLength
        error.store8(message.type.rawValue, at: icmp)
        error.store8(message.code, at: icmp + 1)
        error.storeBE(UInt16(0), at: icmp + 2)
        error.storeBE(message.rest, at: icmp + 4)
        error.storeBE(~Checksum.sum(error.bytes, icmp..<length), at: icmp + 2)
        // Precedence 6, "internetwork control" (RFC 1812 section 4.3.2.5).
        writeHeader(
            &error,
            typeOfService: 0xc0,
            transport: .icmp,
            from: errorSource(packet),
            to: packet.tuple.source,
            length: length
        )
        batch.emit(packet.generated(buffer, length: length, number))
    }

    /// Where the quoted packet begins in an error.
    private static var quotePlace: Int { IPv4Packet.minimumHeaderLength + ICMPv4Message.headerLength }

    /// Puts what an error quotes of a packet into its buffer and returns the length; nil without room.
    ///
    /// The packet is quoted as it would be on a wire: with a full checksum, and of a super-packet its first segment.
    private func quote(_ packet: Packet, _ number: Int, in buffer: Int, _ batch: inout Batch) -> Int? {
        if let segmentation = Segmentation(packet) {
            guard let first = Self.cut(0, of: segmentation, number, &batch) else { return nil }
            let quoted = min(segmentation.length(0), Self.quoteLimit)
            batch.scratch.copyWithin(first, 0..<quoted, to: buffer, at: Self.quotePlace)
            return quoted
        }
        Self.completeChecksum(packet.marks, length: Int(packet.length), number, &batch)
        let quoted = min(Int(packet.length), Self.quoteLimit)
        batch.scratch.copy(from: batch.frames, number, 0..<quoted, to: buffer, at: Self.quotePlace)
        return quoted
    }

    /// The address that an error comes from: the node's, or for the node itself the one that it can take in.
    private func errorSource(_ packet: Packet) -> IPv4Address {
        packet.egress == interfaces.liveHost && isNodeAddress(packet.tuple.source)
            ? configuration.loopAddress : primaryAddress
    }

    /// Whether the rules allow an error about a packet.
    private func mayAnswer(_ packet: Packet) -> Bool {
        if primaryAddress == .any || packet.fragment.offset > 0 { return false }
        if packet.transport == .icmp && packet.icmpType.isError { return false }
        if packet.transport == .tcp && packet.flags.contains(.rst) { return false }
        return !isMartianSource(packet.tuple.source)
    }

    /// Writes the IPv4 header of a packet that the datapath makes.
    func writeHeader(
        _ bytes: inout MutableRawSpan,
        typeOfService: UInt8,
        transport: TransportProtocol,
        from source: IPv4Address,
        to destination: IPv4Address,
        length: Int
    ) {
        let field = IPv4Packet.Field.self
        bytes.store8(0x45, at: field.versionAndLength)
        bytes.store8(typeOfService, at: field.typeOfService)
        bytes.storeBE(UInt16(truncatingIfNeeded: length), at: field.totalLength)
        bytes.storeBE(UInt16(0), at: field.identification)
        bytes.storeBE(FragmentField.doNotFragmentBit, at: field.fragment)
        bytes.store8(64, at: field.timeToLive)
        bytes.store8(transport.rawValue, at: field.transport)
        bytes.storeBE(UInt16(0), at: field.checksum)
        bytes.storeBE(source.bits, at: field.source)
        bytes.storeBE(destination.bits, at: field.destination)
        bytes.storeBE(~Checksum.sum(bytes.bytes, 0..<IPv4Packet.minimumHeaderLength), at: field.checksum)
    }
}

extension Packet {
    /// The packet itself, sent from its frame.
    func emission(_ number: Int) -> Emission {
        Emission(
            buffer: UInt32(truncatingIfNeeded: number),
            length: length,
            egress: egress,
            isScratch: false,
            isGenerated: false,
            cause: UInt32(truncatingIfNeeded: number),
            packetNumber: self.number
        )
    }

    /// A packet that was made because of this one.
    func generated(_ buffer: Int, length: Int, _ number: Int) -> Emission {
        Emission(
            buffer: UInt32(truncatingIfNeeded: buffer),
            length: Int32(truncatingIfNeeded: length),
            egress: egress,
            isScratch: true,
            isGenerated: true,
            cause: UInt32(truncatingIfNeeded: number),
            packetNumber: self.number
        )
    }
}
