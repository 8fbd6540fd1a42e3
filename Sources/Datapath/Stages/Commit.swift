internal import Tables
internal import Wire

// Stage "commit" (hook egress): the flow of a packet that is going to be sent enters the table, or nothing does. What has
// no ports is sent on without one.

extension Pipeline {
    /// Enters the flow of a new packet, and sends the packet.
    mutating func commit(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome {
        programs.add(.commit)
        guard packet.hasPorts else { return sendUntracked(&packet, number, &batch) }
        expire(now: packet.now, budget: 64)
        var reply = packet.translated.reversed
        if packet.transport == .icmp { reply.sourcePort = reply.destinationPort }
        guard let flow = enter(packet, reply) else { return .drop(.conntrackTableFull) }
        counters.flowsCreated &+= 1
        let returns = interfaces.egress(to: packet.tuple.source) ?? packet.ingress
        flows.flows[flow].originalEgress = packet.egress
        flows.flows[flow].replyEgress = returns
        flows.flows[flow].service = packet.service
        flows.flows[flow].frontend = packet.frontend
        if packet.masquerade { flows.flows[flow].flags.insert(.masquerade) }
        tracker.begin(&flows.flows[flow], flags: packet.flags, now: packet.now)
        flows.arm(flow)
        flows.flows[flow].count(.original, length: Int(packet.totalLength))
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

    /// A record for a new flow; a full table gives up what is over before it refuses.
    private mutating func enter(_ packet: Packet, _ reply: FlowTuple) -> UInt32? {
        if packet.replaces != 0 { flows.remove(packet.replaces) }
        if flows.count == flows.capacity { expire(now: packet.now, budget: .max) }
        return flows.insert(original: packet.tuple, reply: reply, transport: packet.transport, now: packet.now)
    }
}
