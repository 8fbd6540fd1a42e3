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
        guard packet.hasPorts else { return nil }
        if packet.masquerade {
            // Without an address there are no ports either.
            guard primaryAddress != .any else { return .drop(.snatPortsExhausted) }
            sent.source = primaryAddress
            if !isAllowedPort(sent.sourcePort) {
                guard let port = freePort(for: sent, packet) else { return .drop(.snatPortsExhausted) }
                sent.sourcePort = port
            }
        }
        if isTaken(sent, packet) {
            guard let port = freePort(for: sent, packet) else { return .drop(.snatPortsExhausted) }
            sent.sourcePort = port
        }
        if packet.transport == .icmp { sent.destinationPort = sent.sourcePort &+ 1 }
        packet.translated = sent
        return nil
    }

    /// Whether a reply to what would be sent belongs to another flow already.
    private func isTaken(_ sent: FlowTuple, _ packet: Packet) -> Bool {
        flows.isTaken(sent.reversed, packet.transport, now: packet.now, replaced: packet.replaces)
    }

    /// Whether a port may be used for masquerading: not a system port, no NodePort, no host port.
    private func isAllowedPort(_ port: UInt16) -> Bool {
        port >= PortPermutation.first && !configuration.nodePortRange.contains(port) && !services.isHostPort(port)
    }

    /// A free source port for an outer tuple: all of 1024 to 65535 are tried, in an order drawn for this search.
    private mutating func freePort(for sent: FlowTuple, _ packet: Packet) -> UInt16? {
        var candidate = sent
        var ports = PortPermutation(&generator)
        while let port = ports.next() {
            guard isAllowedPort(port) else { continue }
            candidate.sourcePort = port
            if packet.transport == .icmp { candidate.destinationPort = port &+ 1 }
            if !isTaken(candidate, packet) { return port }
        }
        return nil
    }
}
