internal import Tables
internal import Wire

// Stage "masquerade" (hook egress): the reply tuple of a new flow. A reply tuple belongs to one flow; where it is taken
// the source port is changed, for a masqueraded flow as for one that keeps its address (as the kernel does).

extension Pipeline {
    /// Decides what the packet is sent as, and so what its replies will carry.
    mutating func masquerade(_ packet: inout Packet) -> Outcome? {
        programs.add(.masquerade)
        var sent = packet.tuple
        if packet.frontend != .none {
            sent.destination = packet.backend.address
            sent.destinationPort = packet.backend.port
        }
        packet.translated = sent
        guard Self.beginsFlow(&packet) else { return nil }
        let address = masqueradeAddress(&packet)
        packet.masquerade = address != nil
        if let address {
            // Without an address there are no ports either.
            guard address != .any else { return .drop(.snatPortsExhausted) }
            sent.source = address
        }
        if (packet.masquerade && !usablePorts.contains(sent.sourcePort)) || isTaken(sent, &packet) {
            guard let port = freePort(for: sent, &packet) else { return .drop(.snatPortsExhausted) }
            sent.sourcePort = port
            counters.portsChanged &+= 1
        }
        if packet.transport == .icmp { sent.destinationPort = sent.sourcePort &+ 1 }
        packet.translated = sent
        return nil
    }

    /// The address that replaces the source; nil where that stays.
    ///
    /// Towards the node itself, live, nothing is masqueraded: the node answers any source through its routes. Only
    /// its own address would never come back out of it, nor be taken in from an interface; it becomes the loop
    /// address, which the host interface routes back.
    private func masqueradeAddress(_ packet: inout Packet) -> IPv4Address? {
        if packet.frontend != .none && packet.egress == interfaces.liveHost {
            return isNodeAddress(packet.tuple.source) ? configuration.loopAddress : nil
        }
        return packet.masquerade ? primaryAddress : nil
    }
}
