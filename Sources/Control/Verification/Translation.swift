internal import Datapath
internal import Wire

/// Something that does not hold, before it has a place.
struct Objection: Equatable {
    var check: VerificationCheck
    var message: String
}

/// Compares a packet as it was sent with what it was when received.
///
/// Theory of operation: what translation may change is copied over from the one to the other; then both must be equal
/// byte by byte. What may change is held to its own rules: the TTL is one less, the header checksum is right, and the
/// sum over addresses, ports, checksum and payload is what it was, which is exactly what an incremental update keeps:
/// a good checksum stays good, a bad one stays as bad as it was. That also holds for packets that a capture cut, and
/// for the first fragment of a datagram.
struct Translation {
    let received: SightedPacket
    let sent: SightedPacket

    /// All that is wrong; empty for a packet that was translated as it should be.
    var objections: [Objection] {
        var found: [Objection] = []
        if !sent.isHeaderChecksumValid {
            found.append(Objection(check: .checksumIP, message: "was sent with a wrong IPv4 checksum"))
        }
        if let message = unchangedObjection { found.append(Objection(check: .unchanged, message: message)) }
        if received.timeToLive == 0 || sent.timeToLive != received.timeToLive - 1 {
            let message = "has a TTL of \(sent.timeToLive), received with \(received.timeToLive)"
            found.append(Objection(check: .timeToLive, message: message))
        }
        if let message = Self.checksumObjection(received, sent) {
            found.append(Objection(check: .checksumTransport, message: message))
        }
        found += quoteObjections
        return found
    }

    /// Whether addresses, ports or what is quoted differ.
    var changesTuple: Bool {
        if received.source != sent.source || received.destination != sent.destination { return true }
        if received.tuple() != sent.tuple() { return true }
        guard let before = received.quote, let after = sent.quote else { return false }
        return before.bytes != after.bytes
    }

    private var unchangedObjection: String? {
        if received.bytes.count != sent.bytes.count {
            return "has \(sent.bytes.count) bytes, received with \(received.bytes.count)"
        }
        var allowed = [8..<9, 10..<20] + Self.transportRanges(received, at: 0)
        // Who shares an address with others must not use their identifications (RFC 6864 section 5.3.1).
        if sent.fragment.isFragment && received.source != sent.source { allowed.append(4..<6) }
        if let quote = received.quote {
            let start = received.headerLength + ICMPv4Message.headerLength
            allowed += [start + 10..<start + 20] + Self.transportRanges(quote, at: start)
        }
        var masked = sent.bytes
        for range in allowed where range.lowerBound < masked.count {
            let range = range.clamped(to: 0..<masked.count)
            masked.replaceSubrange(range, with: received.bytes[range])
        }
        guard masked != received.bytes, let place = masked.indices.first(where: { masked[$0] != received.bytes[$0] })
        else { return nil }
        return "changed at \(Self.name(of: place, received)): "
            + "received \(Self.hexadecimal(received.bytes[place])), sent \(Self.hexadecimal(sent.bytes[place]))"
    }

    /// What translation may change behind the IPv4 header of a packet that begins at an offset.
    private static func transportRanges(_ packet: SightedPacket, at offset: Int) -> [Range<Int>] {
        guard packet.fragment.offset == 0 else { return [] }
        let start = offset + packet.headerLength
        switch packet.transport {
        case .tcp: return [start..<start + 4, start + 16..<start + 18]
        case .udp: return [start..<start + 4, start + 6..<start + 8]
        case .icmp:
            guard let type = packet.icmpType else { return [] }
            if type.isError { return [start + 2..<start + 4] }
            return type.isQuery || type.isQueryReply ? [start + 2..<start + 6] : []
        default: return []
        }
    }

    /// Why the checksum of a TCP segment, UDP datagram or ICMP message is not what translation makes of it.
    static func checksumObjection(_ received: SightedPacket, _ sent: SightedPacket) -> String? {
        let name = received.transport.description.uppercased()
        if received.hasNoChecksum != sent.hasNoChecksum {
            return received.hasNoChecksum ? "had no UDP checksum and was given one" : "lost its UDP checksum"
        }
        if received.hasNoChecksum || received.transportResidue == sent.transportResidue { return nil }
        return switch (received.isTransportChecksumValid, sent.isTransportChecksumValid) {
        case (true, false): "the \(name) checksum was right as received and is wrong as sent"
        case (false, true): "the \(name) checksum was wrong as received and is right as sent: laundered"
        default: "the \(name) checksum does not follow from the one received"
        }
    }

    /// The packet that an ICMP error quotes is translated as well.
    private var quoteObjections: [Objection] {
        guard let before = received.quote, let after = sent.quote else { return [] }
        var found: [Objection] = []
        if before.isHeaderChecksumValid != after.isHeaderChecksumValid {
            found.append(Objection(check: .checksumIP, message: "the quoted IPv4 checksum does not follow"))
        }
        if let message = Self.checksumObjection(before, after) {
            found.append(Objection(check: .checksumTransport, message: "quoted: \(message)"))
        }
        return found
    }

    private static func name(of place: Int, _ packet: SightedPacket) -> String {
        switch place {
        case 0: return "version and header length"
        case 1: return "type of service"
        case 2, 3: return "total length"
        case 4, 5: return "identification"
        case 6, 7: return "flags and fragment offset"
        case 9: return "protocol"
        case ..<packet.headerLength: return "IPv4 options"
        default: break
        }
        let offset = place - packet.headerLength
        if packet.transport == .tcp && packet.fragment.offset == 0 {
            switch offset {
            case 4..<8: return "TCP sequence number"
            case 8..<12: return "TCP acknowledgment number"
            case 12, 13: return "TCP header length and flags"
            case 14, 15: return "TCP window"
            default: break
            }
        }
        return "byte \(offset) behind the IPv4 header"
    }

    private static func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0x0" : "0x") + String(byte, radix: 16) }
}
