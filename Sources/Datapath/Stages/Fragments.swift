internal import Tables
internal import Wire

// Stage "fragments" (hook ingress): finds the way of fragments, of which only the first one has ports.

extension Pipeline {
    /// Ends the way of a fragment that is not the first of its datagram: it follows the first one, or waits for it.
    mutating func followFirst(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        guard packet.fragment.isFragment else { return nil }
        programs.add(.fragments)
        dropExpired(now: packet.now)
        let key = packet.fragmentKey(identification(number, &batch))
        let piece = piece(packet, number, &batch)
        guard let entry = fragments.entry(key, piece, now: packet.now) else { return .drop(.fragmentTableFull) }
        packet.datagram = entry
        if packet.marks.contains(.reconstructed) { fragments.datagrams[entry].isReconstructed = true }
        if fragments.datagrams[entry].fate == .refused {
            return .drop(fragments.datagrams[entry].reason)
        }
        switch fragments.insert(piece, into: entry) {
        case .new, .repetition: break
        case .overlap:
            refuse(entry, .fragmentOverlap)
            return .drop(.fragmentOverlap)
        case .full:
            return .drop(.fragmentTableFull)
        }
        if packet.fragment.offset == 0 { return nil }
        if fragments.datagrams[entry].fate == .waiting {
            packet.conntrack = .untracked
            let frame = batch.frames.bytes(number, length: Int(packet.length))
            guard fragments.hold(packet, frame, in: entry) else { return .drop(.fragmentTableFull) }
            heldPackets &+= 1
            return .sent(.hold)
        }
        let outcome = continueDatagram(&packet, entry, number, &batch)
        fragments.settle(entry)
        return outcome
    }

    /// Remembers what became of a first fragment, and sends those after it that were waiting.
    mutating func settleDatagram(_ packet: inout Packet, _ outcome: Outcome, _ number: Int, _ batch: inout Batch) {
        let entry = packet.datagram
        // One that overlaps has ended its datagram already.
        guard packet.fragment.isFragment, packet.fragment.offset == 0,
            fragments.datagrams[entry].fate != .refused
        else { return }
        switch outcome.verdict {
        case .forward, .pass:
            let reference =
                packet.hasPorts
                ? flows.find(packet.tuple, packet.transport, hash: packet.hash, now: packet.now) : .none
            fragments.datagrams[entry].fate = reference.isNone ? .untracked : .flow
            fragments.datagrams[entry].flow = reference
            fragments.datagrams[entry].identifier = packet.flow
        case .local:
            fragments.datagrams[entry].fate = .local
        default:
            refuse(entry, outcome.reason == .none ? .fragmentNoFirst : outcome.reason)
            return
        }
        while let place = fragments.firstHeld(entry) {
            heldPackets &-= 1
            release(place, entry, now: packet.now, number, &batch)
            fragments.removeFirstHeld(entry)
        }
        fragments.settle(entry)
    }

    /// Sends a fragment after its first one, in the frame it came in.
    private mutating func continueDatagram(
        _ packet: inout Packet,
        _ entry: UInt32,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome {
        if let reason = direct(&packet, entry) { return .drop(reason) }
        if fragments.datagrams[entry].fate == .local {
            batch.emit(packet.emission(number))
            return .sent(.local)
        }
        if let outcome = checkForwarding(&packet, number, &batch) { return outcome }
        let reference = fragments.datagrams[entry].flow
        if reference.isNone { return sendUntracked(&packet, number, &batch) }
        flows.flows[reference.number].counts.count(reference.direction, length: Int(packet.totalLength))
        return send(&packet, along: reference, number, &batch)
    }

    /// Ends the way of a fragment that was held, because of the first fragment `number`: as it would have ended had it
    /// come after that one.
    private mutating func release(
        _ place: UInt32,
        _ entry: UInt32,
        now: UInt64,
        _ number: Int,
        _ batch: inout Batch
    ) {
        var packet = fragments.held.packet(place)
        packet.now = now
        let outcome = sendReleased(&packet, place, entry, number, &batch)
        counters.count(outcome.verdict, outcome.reason, length: Int(packet.totalLength))
    }

    private mutating func sendReleased(
        _ packet: inout Packet,
        _ place: UInt32,
        _ entry: UInt32,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome {
        if let reason = direct(&packet, entry) { return .drop(reason) }
        let isLocal = fragments.datagrams[entry].fate == .local
        if !isLocal, let outcome = checkForwarding(&packet, number, &batch) { return outcome }
        guard let buffer = batch.takeScratch(Int(packet.length)) else { return .drop(.oversize) }
        fragments.held.copy(place, into: &batch.scratch, buffer)
        if isLocal {
            _ = emit(&packet, from: .released(buffer), mtu: .max, number, &batch)
            return .sent(.local)
        }
        let reference = fragments.datagrams[entry].flow
        var isTranslated = false
        if reference.isNone {
            var frame = batch.scratch.frame(buffer, length: Int(packet.length))
            Self.decrementTimeToLive(&frame)
        } else {
            flows.flows[reference.number].counts.count(reference.direction, length: Int(packet.totalLength))
            let identification = freshIdentification(&packet, reference)
            isTranslated = flows.flows[reference.number].isTranslated
            var frame = batch.scratch.frame(buffer, length: Int(packet.length))
            flows.flows[reference.number].rewrite(&frame, at: packet.transportPlace, reference.direction)
            if let identification { Self.replaceIdentification(&frame, by: identification) }
        }
        let mtu = Int(interfaces.facts[Int(packet.egress)].mtu)
        guard emit(&packet, from: .released(buffer), mtu: mtu, number, &batch) else { return .drop(.oversize) }
        return .sent(isTranslated ? .forward : .pass)
    }

    /// Fills in where a later fragment goes; the reason when its flow is gone.
    private func direct(_ packet: inout Packet, _ entry: UInt32) -> DropReason? {
        switch fragments.datagrams[entry].fate {
        case .flow:
            guard let reference = liveFlow(of: entry) else { return .fragmentNoFirst }
            flows.flows[reference.number].describe(&packet, reference.direction)
            packet.translated.sourcePort = 0
            packet.translated.destinationPort = 0
        case .local:
            guard let host = interfaces.host else { return .noRoute }
            packet.egress = host
            packet.translated = packet.tuple
        default:
            guard let egress = interfaces.egress(to: packet.tuple.destination) else { return .noRoute }
            packet.egress = egress
            packet.translated = packet.tuple
        }
        return nil
    }

    /// The flow of a datagram's first fragment; nil when it has none, or the record is another flow's by now.
    func liveFlow(of entry: UInt32) -> FlowReference? {
        let datagram = fragments.datagrams[entry]
        guard datagram.fate == .flow else { return nil }
        let flow = flows.flows[datagram.flow.number]
        guard flow.identifier == datagram.identifier, flow.transport == datagram.key.transport else { return nil }
        return datagram.flow
    }

    /// Ends a datagram: what waits for it is dropped, and so is what still comes.
    private mutating func refuse(_ entry: UInt32, _ reason: DropReason) {
        fragments.datagrams[entry].fate = .refused
        fragments.datagrams[entry].reason = reason
        dropHeld(entry, reason)
        fragments.settle(entry)
    }

    private mutating func dropHeld(_ entry: UInt32, _ reason: DropReason) {
        while let place = fragments.firstHeld(entry) {
            heldPackets &-= 1
            counters.count(.drop, reason, length: Int(fragments.held.packet(place).totalLength))
            fragments.removeFirstHeld(entry)
        }
    }

    /// Forgets datagrams whose time is over, and drops what still waited for their first fragment.
    mutating func dropExpired(now: UInt64) {
        while let entry = fragments.expired(now: now) {
            dropHeld(entry, .fragmentTimeout)
            fragments.remove(entry)
        }
    }

    /// What a fragment is of its datagram.
    private func piece(_ packet: Packet, _ number: Int, _ batch: inout Batch) -> FragmentPiece {
        let header = Int(packet.headerLength)
        let carried = Int(packet.totalLength) - header
        let bytes = batch.frames.bytes(number, length: Int(packet.length))
        return FragmentPiece(
            first: UInt32(truncatingIfNeeded: packet.fragment.offset / 8),
            count: UInt32(truncatingIfNeeded: (carried + 7) / 8),
            moreFragments: packet.fragment.moreFragments,
            digest: fragments.digest(bytes.extracting(min(header, bytes.byteCount)..<bytes.byteCount))
        )
    }

    func identification(_ number: Int, _ batch: inout Batch) -> UInt16 {
        batch.frames.bytes(number, length: IPv4Packet.minimumHeaderLength).loadBE16(IPv4Packet.Field.identification)
    }
}

extension Packet {
    /// What the packet has in common with the other fragments of its datagram, as they came in.
    func fragmentKey(_ identification: UInt16) -> FragmentTable.Key {
        FragmentTable.Key(
            source: arrivalSource,
            destination: arrivalDestination,
            identification: identification,
            transport: transport
        )
    }
}
