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
        guard let entry = fragments.entry(key, now: packet.now) else { return .drop(.fragmentTableFull) }
        packet.datagram = entry
        if packet.marks.contains(.reconstructed) { fragments.datagrams[entry].isReconstructed = true }
        let carried = Int(packet.totalLength) - Int(packet.headerLength)
        if fragments.datagrams[entry].fate == .refused {
            return .drop(fragments.datagrams[entry].reason)
        }
        guard fragments.cover(entry, offset: packet.fragment.offset, length: carried) else {
            refuse(entry, .fragmentOverlap)
            return .drop(.fragmentOverlap)
        }
        if !packet.fragment.moreFragments {
            fragments.datagrams[entry].unitsInAll = UInt32((packet.fragment.offset + carried + 7) / 8)
        }
        if packet.fragment.offset == 0 { return nil }
        switch fragments.datagrams[entry].fate {
        case .waiting:
            packet.conntrack = .untracked
            let frame = batch.frames.bytes(number, length: Int(packet.length))
            guard fragments.hold(packet, frame, in: entry) else { return .drop(.fragmentTableFull) }
            heldPackets &+= 1
            return .sent(.hold)
        case .flow, .untracked, .local:
            let outcome = continueDatagram(&packet, entry, number, &batch)
            if fragments.isComplete(entry) { fragments.remove(entry) }
            return outcome
        case .refused:
            return .drop(fragments.datagrams[entry].reason)
        }
    }

    /// Remembers what became of a first fragment, and sends those after it that were waiting.
    mutating func settleDatagram(_ packet: Packet, _ outcome: Outcome, _ number: Int, _ batch: inout Batch) {
        let entry = packet.datagram
        guard entry != 0, packet.fragment.isFragment, packet.fragment.offset == 0 else { return }
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
        while let place = fragments.popHeld(entry) {
            heldPackets &-= 1
            release(place, entry, now: packet.now, number, &batch)
        }
        if fragments.isComplete(entry) { fragments.remove(entry) }
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
        var packet = fragments.held[place].packet
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
        let reference = fragments.datagrams[entry].flow
        if fragments.datagrams[entry].fate == .local {
            return emit(packet, from: .held(place), mtu: .max, number, &batch) ? .sent(.local) : .drop(.oversize)
        }
        if let outcome = checkForwarding(&packet, number, &batch) { return outcome }
        if !reference.isNone {
            flows.flows[reference.number].counts.count(reference.direction, length: Int(packet.totalLength))
        }
        let flow = flows.flows[reference.number]
        var frame = fragments.bytes.frame(Int(place), length: Int(packet.length))
        if reference.isNone {
            Self.decrementTimeToLive(&frame)
        } else {
            flow.rewrite(&frame, packet, reference.direction)
        }
        let mtu = Int(interfaces.facts[Int(packet.egress)].mtu)
        guard emit(packet, from: .held(place), mtu: mtu, number, &batch) else { return .drop(.oversize) }
        return .sent(!reference.isNone && flow.isTranslated ? .forward : .pass)
    }

    /// Fills in where a later fragment goes; the reason when its flow is gone.
    private func direct(_ packet: inout Packet, _ entry: UInt32) -> DropReason? {
        let datagram = fragments.datagrams[entry]
        switch datagram.fate {
        case .flow:
            let flow = flows.flows[datagram.flow.number]
            guard flow.identifier == datagram.identifier, flow.transport == packet.transport else {
                return .fragmentNoFirst
            }
            flow.describe(&packet, datagram.flow.direction)
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

    /// Ends a datagram: what waits for it is dropped, and so is what still comes.
    private mutating func refuse(_ entry: UInt32, _ reason: DropReason) {
        fragments.datagrams[entry].fate = .refused
        fragments.datagrams[entry].reason = reason
        dropHeld(entry, reason)
    }

    private mutating func dropHeld(_ entry: UInt32, _ reason: DropReason) {
        while let place = fragments.popHeld(entry) {
            heldPackets &-= 1
            counters.count(.drop, reason, length: Int(fragments.held[place].packet.length))
        }
    }

    /// Forgets datagrams whose time is over, and drops what still waited for their first fragment.
    mutating func dropExpired(now: UInt64) {
        while let entry = fragments.expired(now: now) {
            dropHeld(entry, .fragmentTimeout)
            fragments.remove(entry)
        }
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
