internal import Tables
internal import Wire

// Stage "track" (hook ingress): the flow that a packet belongs to, found by either of its tuples.

extension Pipeline {
    /// Finds the record that a packet probably belongs to, and asks for its lines; the tuple is compared later.
    @inline(__always) func lookUpCandidate(_ packet: inout Packet) {
        guard packet.hasPorts, let bits = flows.index.candidate(packet.hash) else { return }
        packet.candidate = FlowReference(bits: bits)
        flows.flows.prefetch(packet.candidate.number)
    }

    /// The short way: updates the flow and rewrites the packet, when it is simply the next one of a known flow.
    ///
    /// Returns false, having changed nothing, in every other case, and when anything about it needs a second look.
    @inline(__always) mutating func translateEstablished(_ number: Int, _ batch: inout Batch) -> Bool {
        let reference = batch.packets[number].candidate
        guard !reference.isNone else { return false }
        let result = Self.translateEstablished(
            &batch.packets[number],
            &batch.frames,
            number,
            &flows.flows[reference.number],
            reference.direction,
            tracker,
            interfaces,
            &counters
        )
        if result == .endsSooner { flows.rearm(reference.number) }
        return result != .refused
    }

    /// What came of the short way.
    private enum ShortWay {
        case refused, sent
        /// Sent, and the flow now ends sooner than the timer wheel expects.
        case endsSooner
    }

    @inline(__always) private static func translateEstablished(
        _ packet: inout Packet,
        _ frames: inout FramePool,
        _ number: Int,
        _ flow: inout Flow,
        _ direction: FlowDirection,
        _ tracker: borrowing FlowTracker,
        _ interfaces: InterfaceTable,
        _ counters: inout Counters
    ) -> ShortWay {
        guard flow.transport == packet.transport, flow.tuple(direction) == packet.tuple, flow.deadline > packet.now,
            packet.reason == .none, packet.defect == .none, packet.timeToLive > 1, !packet.fragment.isFragment
        else { return .refused }
        let isOriginal = direction == .original
        let egress = isOriginal ? flow.originalEgress : flow.replyEgress
        // A packet that comes in where answers to it go out has the source that the flow began with.
        guard packet.ingress == flow.ingress(direction),
            Int32(truncatingIfNeeded: packet.totalLength) <= interfaces.facts[Int(egress)].mtu,
            !(flow.state.isReusable && packet.flags.contains(.syn)), !flow.flags.contains(.orphaned),
            flow.isTranslated || egress != interfaces.host
        else { return .refused }

        flow.describe(&packet, direction)
        let deadline = flow.deadline
        if !tracker.update(&flow, direction, flags: packet.flags, now: packet.now) { packet.conntrack = .invalid }
        flow.count(direction, length: Int(packet.totalLength))
        var frame = frames.frame(number, length: Int(packet.length))
        flow.rewrite(&frame, packet, direction)
        packet.verdict = flow.isTranslated ? .forward : .pass
        counters.count(packet.verdict, .none, length: Int(packet.totalLength))
        return flow.deadline < deadline ? .endsSooner : .sent
    }

    /// Sends the packet on along its flow; nil when it belongs to none yet.
    mutating func track(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        programs.add(.track)
        if packet.transport == .icmp && packet.icmpType.isError { return related(&packet, number, &batch) }
        guard packet.hasPorts else { return nil }
        let reference = flows.find(packet.tuple, packet.transport, hash: packet.hash, now: packet.now)
        guard !reference.isNone else { return nil }
        if isReuse(packet, reference) {
            // It goes when the new one is entered: a packet that is not sent changes nothing.
            packet.replaces = reference.number
            return nil
        }
        if isOffInterface(packet.tuple.source, ingress: packet.ingress) { return .drop(.martianSource) }
        if let outcome = reset(&packet, reference, number, &batch) { return outcome }
        return follow(&packet, reference, number, &batch)
    }

    /// Whether a SYN begins a new connection on the tuple of one that has ended (RFC 9293 section 3.6.1).
    private func isReuse(_ packet: Packet, _ reference: FlowReference) -> Bool {
        packet.transport == .tcp && reference.direction == .original && TCPEvent(packet.flags) == .syn
            && flows.flows[reference.number].state.isReusable
    }

    /// Sends a packet on along its flow.
    mutating func follow(
        _ packet: inout Packet,
        _ reference: FlowReference,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome {
        let direction = reference.direction
        flows.flows[reference.number].describe(&packet, direction)
        // What the node itself has begun comes back to it, and is routed no further.
        let isLocal = !flows.flows[reference.number].isTranslated && packet.egress == interfaces.host
        if !isLocal, let outcome = checkForwarding(&packet, number, &batch) { return outcome }
        let deadline = flows.flows[reference.number].deadline
        if !tracker.update(&flows.flows[reference.number], direction, flags: packet.flags, now: packet.now) {
            packet.conntrack = .invalid
        }
        if flows.flows[reference.number].deadline < deadline { flows.rearm(reference.number) }
        flows.flows[reference.number].count(direction, length: Int(packet.totalLength))
        if isLocal { return leaveToNode(&packet, number, &batch) }
        return send(&packet, along: reference, number, &batch)
    }
}
