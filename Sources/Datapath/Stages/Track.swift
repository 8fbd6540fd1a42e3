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
    /// In every other case nothing was changed. Where the maps are `shared` with other workers the record is locked meanwhile.
    @inline(__always) func translateEstablished(
        _ number: Int,
        _ batch: inout Batch,
        _ tally: inout Tally,
        shared: Bool = false
    ) -> ShortWay {
        let reference = batch.packets[number].candidate
        guard !reference.isNone, batch.packets[number].isPlain else { return .refused }
        // Safe: the address of a record of the slab, of which nobody else holds more than the lock allows.
        let flow = unsafe flows.flows.address(of: reference.number)
        guard unsafe Flow.tuple(of: flow, reference.direction) == batch.packets[number].tuple,
            unsafe flow.pointee.transport == batch.packets[number].transport
        else { return .refused }
        let deadline = shared ? unsafe FlowLock.acquire(flow) : unsafe flow.pointee.deadline
        var next = deadline
        var result = ShortWay.refused
        if deadline > batch.packets[number].now {
            result = unsafe Self.translateEstablished(
                &batch.packets[number],
                &batch.frames,
                number,
                &flow.pointee,
                reference.direction,
                tracker.steady,
                interfaces,
                &tally,
                describes: batch.describesFlows,
                deadline: &next
            )
        }
        if shared { unsafe FlowLock.release(flow, deadline: next) } else { unsafe flow.pointee.deadline = next }
        return result
    }

    /// What came of the short way.
    enum ShortWay {
        case refused, sent
        /// Nothing was changed yet: the packet may do more to its flow than move numbers on.
        case notPlain
    }

    @inline(__always) private static func translateEstablished(
        _ packet: inout Packet,
        _ frames: inout FramePool,
        _ number: Int,
        _ flow: inout Flow,
        _ direction: FlowDirection,
        _ durations: FlowTracker.SteadyDurations,
        _ interfaces: InterfaceTable,
        _ tally: inout Tally,
        describes: Bool,
        deadline: inout UInt64
    ) -> ShortWay {
        let egress = flow.egressInPlace(direction)
        // A packet that comes in where answers to it go out has the source that the flow began with.
        guard packet.ingress == flow.egressInPlace(direction.opposite),
            Int32(truncatingIfNeeded: packet.totalLength) <= interfaces.facts[Int(egress)].mtu
                || packet.segmentSize > 0 && packet.longestLength <= Int(interfaces.facts[Int(egress)].mtu),
            flow.isTranslated || egress != interfaces.host
        else { return .refused }
        let isPlain = FlowTracker.advance(
            &flow,
            direction,
            frames.bytes(number, length: Int(packet.length)),
            at: IPv4Packet.minimumHeaderLength,
            length: Int(packet.totalLength) &- IPv4Packet.minimumHeaderLength,
            flags: packet.flags,
            now: packet.now,
            durations,
            deadline: &deadline
        )
        if !isPlain { return .notPlain }
        packet.egress = egress
        packet.flow = flow.identifier
        if describes { flow.describe(&packet, direction) }
        finish(&packet, &frames, number, &flow, direction, &tally)
        return .sent
    }

    /// The short way of a packet that does more to its flow than move numbers on.
    @inline(never) mutating func updateEstablished(
        _ number: Int,
        _ batch: inout Batch,
        _ tally: inout Tally
    ) -> Bool {
        let reference = batch.packets[number].candidate
        if batch.packets[number].flags.contains(.syn) && isReuse(batch.packets[number], reference) { return false }
        if flows.flows[reference.number].flags.contains(.orphaned) { return false }
        let eviction = flows.flows[reference.number].evictionClass
        let deadline = flows.flows[reference.number].deadline
        let judgment = judge(&batch.packets[number], reference, number, &batch.frames)
        if judgment == .invalid {
            if configuration.strict { return false }
            tally.invalidSegments &+= 1
        }
        flows.flows[reference.number].describe(&batch.packets[number], reference.direction)
        Self.finish(
            &batch.packets[number],
            &batch.frames,
            number,
            &flows.flows[reference.number],
            reference.direction,
            &tally
        )
        if judgment == .invalid { batch.packets[number].conntrack = .invalid }
        flows.follow(reference.number, from: eviction, deadline: deadline)
        return true
    }

    /// Counts and rewrites a packet that took the short way.
    @inline(__always) private static func finish(
        _ packet: inout Packet,
        _ frames: inout FramePool,
        _ number: Int,
        _ flow: inout Flow,
        _ direction: FlowDirection,
        _ tally: inout Tally
    ) {
        flow.counts.count(direction, length: Int(packet.totalLength))
        // Both headers of a plain segment: every place in them is known to lie within.
        var headers = frames.frame(number, length: IPv4Packet.minimumHeaderLength + TCPSegment.minimumHeaderLength)
        let isPartial = packet.marks.contains(.partialChecksum)
        flow.rewrite(&headers, at: IPv4Packet.minimumHeaderLength, direction, isPartial: isPartial)
        packet.verdict = flow.isTranslated ? .forward : .pass
        tally.count(isTranslated: flow.isTranslated, length: Int(packet.totalLength))
    }

    /// Enters a packet into its flow, and says what it is to it.
    private mutating func judge(
        _ packet: inout Packet,
        _ reference: FlowReference,
        _ number: Int,
        _ frames: inout FramePool
    ) -> FlowTracker.Judgment {
        tracker.update(
            &flows.flows[reference.number],
            reference.direction,
            frames.bytes(number, length: Int(packet.length)),
            at: Int(packet.headerLength),
            length: packet.carriedLength,
            flags: packet.flags,
            now: packet.now
        )
    }

    /// Sends the packet on along its flow; nil when it belongs to none yet.
    mutating func track(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        programs.add(.track)
        if packet.transport == .icmp && packet.icmpType.isError { return related(&packet, number, &batch) }
        guard packet.hasPorts else { return nil }
        let reference = flows.find(packet.tuple, packet.transport, hash: packet.hash, now: packet.now)
        guard !reference.isNone else {
            // An answer that nobody has asked for is no flow.
            if packet.transport == .icmp && packet.icmpType.isQueryReply { packet.hasPorts = false }
            return nil
        }
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
    ///
    /// The other side may do so in TIME_WAIT, as in the kernel; then it is a flow of its own. And it may do so on a flow that was picked
    /// up from what only its peer has sent, perhaps long ago: there is no connection that it could disturb.
    private func isReuse(_ packet: Packet, _ reference: FlowReference) -> Bool {
        guard packet.transport == .tcp, TCPEvent(packet.flags) == .syn else { return false }
        let state = flows.flows[reference.number].state
        if reference.direction == .original { return state.isReusable }
        return state == .timeWait || flows.flows[reference.number].isOneSided
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
        let eviction = flows.flows[reference.number].evictionClass
        let deadline = flows.flows[reference.number].deadline
        let judgment = judge(&packet, reference, number, &batch.frames)
        if judgment == .invalid {
            packet.conntrack = .invalid
            counters.invalidSegments &+= 1
            if configuration.strict { return .drop(.conntrackInvalid) }
        }
        flows.follow(reference.number, from: eviction, deadline: deadline)
        flows.flows[reference.number].counts.count(direction, length: Int(packet.totalLength))
        if isLocal { return leaveToNode(&packet, number, &batch) }
        return send(&packet, along: reference, number, &batch)
    }
}
