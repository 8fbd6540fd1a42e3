internal import Tables
internal import Wire

// Stage "route" (hook egress): the interface that leads to the translated destination, and whether the packet may go
// there: TTL (RFC 1812 section 5.3.1) and MTU (RFC 1191).

extension Pipeline {
    /// Finds the way of a new flow's packet.
    mutating func route(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        programs.add(.route)
        let destination = packet.frontend == .none ? packet.tuple.destination : packet.backend.address
        guard let egress = interfaces.egress(to: destination) else { return .drop(.noRoute) }
        packet.egress = egress
        return checkForwarding(&packet, number, &batch)
    }

    /// What holds for every packet that is sent on.
    mutating func checkForwarding(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        if packet.timeToLive == 0 { return .drop(.ttlZero) }
        if packet.timeToLive == 1 { return reject(&packet, .ttlExpired, .timeExceeded, number, &batch) }
        let mtu = Int(interfaces.facts[Int(packet.egress)].mtu)
        if packet.longestLength > mtu && packet.fragment.doNotFragment {
            return reject(&packet, .oversize, .fragmentationNeeded(mtu: mtu), number, &batch)
        }
        if fragmentCount(&packet, mtu: mtu) > Self.fragmentLimit { return .drop(.oversize) }
        return nil
    }
}
