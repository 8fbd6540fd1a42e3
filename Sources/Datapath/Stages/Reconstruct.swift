internal import Tables
internal import Wire

// Stage "reconstruct" (hook ingress, replay only): a capture taken at a client has replies as the client saw them,
// from a Service's address. Such a packet of a known flow is turned back into what the backend must have sent, with
// the TTL raised by one, and then takes the way of a reply: what leaves equals the capture, and the trace shows all
// four legs.
//
// Limit: a later fragment that comes before the first one of its datagram cannot be told to be a reply.

extension Pipeline {
    /// Turns a reply that a client saw into the one that was sent to it.
    mutating func reconstruct(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) {
        guard configuration.reconstructsReplies, packet.hasAddresses, packet.defect == .none else { return }
        let reference: FlowReference
        if packet.fragment.offset > 0 {
            guard let entry = fragments.find(packet.fragmentKey(identification(number, &batch))),
                fragments.datagrams[entry].isReconstructed, let found = liveFlow(of: entry)
            else { return }
            reference = found
            packet.datagram = entry
        } else if packet.hasPorts {
            reference = clientsFlow(packet)
        } else {
            if packet.transport == .icmp && packet.icmpType.isError { reconstructError(&packet, number, &batch) }
            return
        }
        guard !reference.isNone else { return }
        programs.add(.reconstruct)
        let flow = flows.flows[reference.number]
        var frame = batch.frames.frame(number, length: Int(packet.length))
        flow.restoreReply(&frame, packet)
        packet.timeToLive = packet.timeToLive == 255 ? 255 : packet.timeToLive &+ 1
        let ports = packet.tuple
        packet.tuple = flow.reply
        if packet.fragment.offset > 0 {
            packet.tuple.sourcePort = ports.sourcePort
            packet.tuple.destinationPort = ports.destinationPort
        } else {
            packet.hash = packet.tuple.hash(packet.transport, flows.hash)
        }
        finishReconstruction(&packet, ingress: flow.egress(.original), number, &batch)
    }

    /// The flow of which a packet is the answer that its client saw, if it is one and nothing else.
    private func clientsFlow(_ packet: Packet) -> FlowReference {
        let seen = packet.tuple.reversed
        let reference = flows.find(
            seen,
            packet.transport,
            hash: seen.hash(packet.transport, flows.hash),
            now: packet.now
        )
        guard reference.direction == .original, !reference.isNone, flows.flows[reference.number].isTranslated,
            flows.find(packet.tuple, packet.transport, hash: packet.hash, now: packet.now).isNone
        else { return .none }
        return reference
    }

    /// The same for an ICMP error: it quotes what the client had sent, not what became of it.
    private mutating func reconstructError(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) {
        guard case .success(let quote) = readQuote(packet, number, &batch) else { return }
        let reference = flows.find(
            quote.tuple,
            quote.transport,
            hash: quote.tuple.hash(quote.transport, flows.hash),
            now: packet.now
        )
        guard !reference.isNone, reference.direction == .original, flows.flows[reference.number].isTranslated else {
            return
        }
        programs.add(.reconstruct)
        let flow = flows.flows[reference.number]
        let sent = flow.reply.reversed
        var restored = packet.tuple
        restored.destination = sent.source
        if packet.tuple.source == quote.tuple.destination { restored.source = sent.destination }
        let raised = packet.timeToLive == 255 ? 255 : packet.timeToLive &+ 1
        rewrite(packet, quote, as: sent, outer: restored, timeToLive: raised, number, &batch)
        packet.tuple = restored
        packet.timeToLive = raised
        let ingress = interfaces.egress(to: restored.source) ?? packet.ingress
        finishReconstruction(&packet, ingress: ingress, number, &batch)
    }

    private func finishReconstruction(_ packet: inout Packet, ingress: UInt16, _ number: Int, _ batch: inout Batch) {
        packet.marks.insert(.reconstructed)
        packet.ingress = ingress
        if batch.keepsPreimages {
            let kept = min(Int(packet.length), Batch.preimageLength)
            batch.preimages.copy(from: batch.frames, number, 0..<kept, to: number, at: 0)
        }
    }
}

extension Flow {
    /// Undoes the translation of a reply in place: the inverse of `rewrite` in the reply's direction.
    fileprivate func restoreReply(_ frame: inout MutableRawSpan, _ packet: Packet) {
        let field = IPv4Packet.Field.self
        let seen = original.reversed
        var header = Checksum.add(
            Checksum.delta(from: seen.source.bits, to: reply.source.bits),
            Checksum.delta(from: seen.destination.bits, to: reply.destination.bits)
        )
        if packet.timeToLive < 255 {
            frame.store8(packet.timeToLive &+ 1, at: field.timeToLive)
            header = Checksum.add(header, Checksum.delta(from: UInt16(0), to: UInt16(0x0100)))
        }
        frame.storeBE(reply.source.bits, at: field.source)
        frame.storeBE(reply.destination.bits, at: field.destination)
        frame.storeBE(Checksum.update(frame.loadBE16(field.checksum), by: header), at: field.checksum)
        guard packet.hasPorts else { return }
        // In ones' complement the inverse of a delta is its complement.
        let delta = ~side(.reply).transportDelta
        let place = Int(packet.headerLength)
        switch transport {
        case .tcp:
            frame.storeBE(UInt32(reply.sourcePort) << 16 | UInt32(reply.destinationPort), at: place)
            let check = place &+ TCPSegment.checksumOffset
            frame.storeBE(Checksum.update(frame.loadBE16(check), by: delta), at: check)
        case .udp:
            frame.storeBE(UInt32(reply.sourcePort) << 16 | UInt32(reply.destinationPort), at: place)
            let check = place &+ UDPDatagram.checksumOffset
            frame.storeBE(UDPDatagram.update(frame.loadBE16(check), by: delta), at: check)
        default:
            frame.storeBE(reply.destinationPort, at: place &+ ICMPv4Message.Field.identifier)
            let check = place &+ ICMPv4Message.checksumOffset
            frame.storeBE(Checksum.update(frame.loadBE16(check), by: delta), at: check)
        }
    }
}
