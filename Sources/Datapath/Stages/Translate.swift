internal import Tables
internal import Wire

// Stage "translate" (hook egress): addresses, ports and checksums, in place. The checksums are updated by what the flow
// adds to them (RFC 1624), never computed anew: a bad one stays bad.

extension Pipeline {
    /// Rewrites a packet along its flow and emits it.
    mutating func send(
        _ packet: inout Packet,
        along reference: FlowReference,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome {
        programs.add(.translate)
        var frame = batch.frames.frame(number, length: Int(packet.length))
        flows.flows[reference.number].rewrite(&frame, packet, reference.direction)
        let isTranslated = flows.flows[reference.number].isTranslated
        guard emitWithinMTU(&packet, number, &batch) else { return .drop(.oversize) }
        return .sent(isTranslated ? .forward : .pass)
    }

    /// Sends on a packet that no flow is kept for: only its TTL changes.
    mutating func sendUntracked(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome {
        var frame = batch.frames.frame(number, length: Int(packet.length))
        Self.decrementTimeToLive(&frame)
        packet.translated = packet.tuple
        guard emitWithinMTU(&packet, number, &batch) else { return .drop(.oversize) }
        return .sent(.pass)
    }

    static func decrementTimeToLive(_ frame: inout MutableRawSpan) {
        let field = IPv4Packet.Field.self
        frame.store8(frame.load8(field.timeToLive) &- 1, at: field.timeToLive)
        let delta = Checksum.delta(from: UInt16(0x0100), to: UInt16(0))
        frame.storeBE(Checksum.update(frame.loadBE16(field.checksum), by: delta), at: field.checksum)
    }
}

extension Flow {
    /// Fills in what events and traces say of a packet of this flow.
    @inline(__always) func describe(_ packet: inout Packet, _ direction: FlowDirection) {
        let isOriginal = direction == .original
        packet.egress = isOriginal ? originalEgress : replyEgress
        packet.translated = translated(direction)
        packet.flow = identifier
        packet.service = service
        packet.frontend = frontend
        packet.masquerade = flags.contains(.masquerade)
        if service != 0 { packet.backend = backend }
        packet.conntrack = isOriginal ? (flags.contains(.seenReply) ? .established : .new) : .reply
    }

    /// Rewrites a packet that the parser found whole: addresses and ports of the direction, TTL, checksums.
    @inline(__always) func rewrite(_ frame: inout MutableRawSpan, _ packet: Packet, _ direction: FlowDirection) {
        let isOriginal = direction == .original
        let field = IPv4Packet.Field.self
        frame.store8(frame.load8(field.timeToLive) &- 1, at: field.timeToLive)
        let check = frame.loadBE16(field.checksum)
        frame.storeBE(
            Checksum.update(check, by: isOriginal ? originalHeaderDelta : replyHeaderDelta),
            at: field.checksum
        )
        guard isTranslated else { return }
        let sent = translated(direction)
        frame.storeBE(sent.source.bits, at: field.source)
        frame.storeBE(sent.destination.bits, at: field.destination)
        guard packet.hasPorts else { return }
        let delta = isOriginal ? originalTransportDelta : replyTransportDelta
        let header = Int(packet.headerLength)
        switch transport {
        case .tcp:
            frame.storeBE(UInt32(sent.sourcePort) << 16 | UInt32(sent.destinationPort), at: header)
            let place = header &+ TCPSegment.checksumOffset
            frame.storeBE(Checksum.update(frame.loadBE16(place), by: delta), at: place)
        case .udp:
            frame.storeBE(UInt32(sent.sourcePort) << 16 | UInt32(sent.destinationPort), at: header)
            let place = header &+ UDPDatagram.checksumOffset
            frame.storeBE(UDPDatagram.update(frame.loadBE16(place), by: delta), at: place)
        default:
            let identifier = isOriginal ? sent.sourcePort : sent.destinationPort
            frame.storeBE(identifier, at: header &+ ICMPv4Message.Field.identifier)
            let place = header &+ ICMPv4Message.checksumOffset
            frame.storeBE(Checksum.update(frame.loadBE16(place), by: delta), at: place)
        }
    }
}
