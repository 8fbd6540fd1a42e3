internal import Tables
internal import Wire

// Stage "commit" (hook egress): the flow of a packet that is going to be sent enters the table, or nothing does. What
// begins no flow is sent on without one.

extension Pipeline {
    /// Enters the flow of a new packet, and sends the packet.
    mutating func commit(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome {
        programs.add(.commit)
        guard Self.beginsFlow(&packet) else {
            packet.conntrack = .untracked
            return sendUntracked(&packet, number, &batch)
        }
        expire(now: packet.now, budget: 64)
        guard let flow = enter(&packet) else { return .drop(.conntrackTableFull) }
        counters.flowsCreated &+= 1
        let returns = interfaces.egress(to: packet.tuple.source) ?? packet.ingress
        flows.flows[flow].setEgress(original: packet.egress, reply: returns)
        flows.flows[flow].service = packet.service
        flows.flows[flow].frontend = packet.frontend
        if packet.masquerade { flows.flows[flow].flags.insert(.masquerade) }
        // From its state on the record counts, also for a later process.
        storeFence()
        tracker.begin(&flows.flows[flow], &packet, batch.frames.bytes(number, length: Int(packet.length)))
        flows.arm(flow)
        flows.flows[flow].counts.count(.original, length: Int(packet.totalLength))
        if packet.affinitySeconds > 0 {
            affinity.remember(
                packet.tuple.source,
                service: packet.service,
                backend: packet.backend,
                seconds: packet.affinitySeconds,
                now: packet.now
            )
        }
        packet.marks.insert(.opensFlow)
        packet.flow = flows.flows[flow].identifier
        packet.conntrack = .new
        return send(&packet, along: FlowReference(flow, .original), number, &batch)
    }

    /// Whether a packet without a flow begins one: what has ports does, but for a RST, which only ends connections.
    ///
    /// Such a RST is INVALID to nf_conntrack too, and goes on as it is. In a table it would be in the way of a connection
    /// that the other side begins. Towards a Service that takes TCP in its middle it is what says where the RST goes.
    static func beginsFlow(_ packet: inout Packet) -> Bool {
        packet.hasPorts
            && (packet.transport != .tcp || !packet.flags.contains(.rst) || packet.frontend != .none)
    }

    /// A record for a new flow; a full table clears away what is over, then gives up what matters less.
    private mutating func enter(_ packet: inout Packet) -> UInt32? {
        if packet.transport == .tcp && packet.flags.contains(.syn) && hasEnoughHalfOpen(&packet) {
            counters.halfOpenRefused &+= 1
            return nil
        }
        if packet.replaces != 0 {
            flows.remove(packet.replaces)
            counters.flowsReplaced &+= 1
        }
        if flows.count == flows.capacity { expire(now: packet.now, budget: .max) }
        if flows.count == flows.capacity, let given = flows.evict() { counters.evictions[given] &+= 1 }
        let flow = flows.insert(
            original: packet.tuple,
            reply: packet.translated.reversed,
            transport: packet.transport,
            now: packet.now
        )
        if flow == nil { counters.insertionsFailed &+= 1 }
        return flow
    }

    /// Whether a source has all the half-open connections that it may have.
    private mutating func hasEnoughHalfOpen(_ packet: inout Packet) -> Bool {
        guard flows.halfOpenCount(packet.tuple.source) >= configuration.halfOpenLimit else { return false }
        expire(now: packet.now, budget: .max)
        return flows.halfOpenCount(packet.tuple.source) >= configuration.halfOpenLimit
    }
}
