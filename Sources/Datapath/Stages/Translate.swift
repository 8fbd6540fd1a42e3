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
        let identification = freshIdentification(&packet, reference)
        var frame = batch.frames.frame(number, length: Int(packet.length))
        flows.flows[reference.number].rewrite(
            &frame,
            at: packet.transportPlace,
            reference.direction,
            isPartial: packet.marks.contains(.partialChecksum)
        )
        if let identification { Self.replaceIdentification(&frame, by: identification) }
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

    /// The identification for a packet of a masqueraded flow that leaves in fragments: that of its datagram, which no
    /// other one has at that time (RFC 6864 section 5.3.1); nil where the packet keeps its own.
    ///
    /// What leaves whole is not put together by anybody, and keeps its own; and so does a reply that replay made from
    /// what its client saw.
    mutating func freshIdentification(_ packet: inout Packet, _ reference: FlowReference) -> UInt16? {
        guard flows.flows[reference.number].flags.contains(.masquerade), !packet.marks.contains(.reconstructed) else {
            return nil
        }
        let sent = flows.flows[reference.number].translated(reference.direction)
        guard packet.fragment.isFragment else {
            let mtu = Int(interfaces.facts[Int(packet.egress)].mtu)
            guard packet.longestLength > mtu, packet.length == Int32(packet.totalLength) else { return nil }
            return identifications.next(sent.source, sent.destination, packet.transport)
        }
        let entry = packet.datagram
        guard entry != 0, !fragments.datagrams[entry].isReconstructed else { return nil }
        if !fragments.datagrams[entry].hasSentIdentification {
            fragments.datagrams[entry].hasSentIdentification = true
            fragments.datagrams[entry].sentIdentification = identifications.next(
                sent.source,
                sent.destination,
                packet.transport
            )
        }
        return fragments.datagrams[entry].sentIdentification
    }

    static func replaceIdentification(_ frame: inout MutableRawSpan, by identification: UInt16) {
        let field = IPv4Packet.Field.self
        let delta = Checksum.delta(from: frame.loadBE16(field.identification), to: identification)
        frame.storeBE(identification, at: field.identification)
        frame.storeBE(Checksum.update(frame.loadBE16(field.checksum), by: delta), at: field.checksum)
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
        packet.egress = egress(direction)
        packet.translated = translated(direction)
        packet.flow = identifier
        packet.service = service
        packet.frontend = frontend
        packet.masquerade = flags.contains(.masquerade)
        if service != 0 { packet.backend = backend }
        packet.conntrack = direction == .original ? (flags.contains(.seenReply) ? .established : .new) : .reply
    }

    /// Rewrites a packet that the parser found whole: addresses and ports of the direction, TTL, checksums.
    ///
    /// `place` is where the transport header begins; nil where there is none, as in all fragments but the first. `isPartial`
    /// says that its checksum is: see `PartialChecksum`.
    @inline(__always) mutating func rewrite(
        _ frame: inout MutableRawSpan,
        at place: Int?,
        _ direction: FlowDirection,
        isPartial: Bool = false
    ) {
        let field = IPv4Packet.Field.self
        let side = sideInPlace(direction)
        frame.store8(frame.load8(field.timeToLive) &- 1, at: field.timeToLive)
        frame.storeBE(Checksum.update(frame.loadBE16(field.checksum), by: side.headerDelta), at: field.checksum)
        guard isTranslated else { return }
        let sent = sideInPlace(direction.opposite).tuple.reversed
        frame.storeBytes(of: sent.addresses.littleEndian, toByteOffset: field.source, as: UInt64.self)
        guard let place else { return }
        if isPartial {
            rewritePartial(&frame, at: place, side, sent)
            return
        }
        switch transport {
        case .tcp:
            frame.storeBytes(of: sent.ports.littleEndian, toByteOffset: place, as: UInt32.self)
            let check = place &+ TCPSegment.checksumOffset
            frame.storeBE(Checksum.update(frame.loadBE16(check), by: side.transportDelta), at: check)
        case .udp:
            frame.storeBytes(of: sent.ports.littleEndian, toByteOffset: place, as: UInt32.self)
            let check = place &+ UDPDatagram.checksumOffset
            frame.storeBE(UDPDatagram.update(frame.loadBE16(check), by: side.transportDelta), at: check)
        default:
            let identifier = direction == .original ? sent.sourcePort : sent.destinationPort
            frame.storeBE(identifier, at: place &+ ICMPv4Message.Field.identifier)
            let check = place &+ ICMPv4Message.checksumOffset
            frame.storeBE(Checksum.update(frame.loadBE16(check), by: side.transportDelta), at: check)
        }
    }

    /// The same for ports and checksum of TCP or UDP whose checksum is partial: it takes up what the addresses add, as a sum.
    @inline(__always) private func rewritePartial(
        _ frame: inout MutableRawSpan,
        at place: Int,
        _ side: FlowSide,
        _ sent: FlowTuple
    ) {
        frame.storeBytes(of: sent.ports.littleEndian, toByteOffset: place, as: UInt32.self)
        let check = place &+ (transport == .tcp ? TCPSegment.checksumOffset : UDPDatagram.checksumOffset)
        // What the addresses add to the IP header's sum, they add to the pseudo-header's; the TTL is not in there.
        let addresses = Checksum.add(side.headerDelta, FlowSide.timeToLiveIncrement)
        frame.storeBE(Checksum.add(frame.loadBE16(check), addresses), at: check)
    }
}
