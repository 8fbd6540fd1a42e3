internal import Tables
internal import Wire

// Stage "screen" (hook ingress): addresses that no packet may have (RFC 1812 section 5.3.7, RFC 1122 section 3.2.1.3),
// and sources that cannot have come from where the packet came from. An address goes before what "parse" noted.

extension Pipeline {
    /// Drops what must not be looked at any further.
    mutating func screen(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        programs.add(.screen)
        let source = packet.tuple.source
        let destination = packet.tuple.destination
        if isMartianSource(source) { return .drop(.martianSource) }
        if isMartianDestination(destination), !isLoopBack(&packet, number, &batch) { return .drop(.martianDestination) }
        if destination.isMulticast { return .drop(.multicastDestination) }
        if source == destination { return .drop(.land) }
        if let reason = spoofedSource(source, ingress: packet.ingress), !isExpected(&packet, number, &batch),
            !mayBeExpected(&packet)
        {
            return .drop(reason)
        }
        if packet.defect != .none { return .drop(packet.defect) }
        return nil
    }

    /// RFC 1812 section 5.3.7; a router does not forward link-local addresses either (RFC 3927 section 7).
    private func isMartianDestination(_ destination: IPv4Address) -> Bool {
        destination.isThisNetwork || destination.isLoopback || destination.isLinkLocal || destination.isReserved
    }

    /// Whether a packet belongs to a flow that came this way before, or is an ICMP error about one.
    ///
    /// Such are the answers of a load-balancer address to which an unknown port was passed, or of a far end that a
    /// reload has made a Service's address. The short way of an established packet does not ask for the source, so
    /// neither may this one.
    private func isExpected(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Bool {
        let reference: FlowReference
        if packet.fragment.offset > 0 {
            guard packet.hasAddresses, let entry = fragments.find(packet.fragmentKey(identification(number, &batch))),
                let flow = liveFlow(of: entry)
            else { return false }
            reference = flow
        } else if packet.hasPorts {
            reference = flows.find(packet.tuple, packet.transport, hash: packet.hash, now: packet.now)
        } else {
            guard packet.transport == .icmp, packet.icmpType.isError, packet.defect == .none,
                case .success(let quote) = readQuote(packet, number, &batch)
            else { return false }
            let tuple = quote.tuple.reversed
            let hash = tuple.hash(quote.transport, flows.hash)
            reference = flows.find(tuple, quote.transport, hash: hash, now: packet.now)
        }
        guard !reference.isNone else { return false }
        return packet.ingress == flows.flows[reference.number].ingress(reference.direction)
    }

    /// Whether a later fragment may turn out to be an answer of an external address to which an unknown port was
    /// passed: then it waits for the first one, which is judged.
    private func mayBeExpected(_ packet: inout Packet) -> Bool {
        packet.fragment.offset > 0 && configuration.unknownPorts == .pass
            && services.kind(of: packet.tuple.source) == .external
            && !isAmongClusterIPs(packet.tuple.source)
            && !isOffInterface(packet.tuple.source, ingress: packet.ingress)
    }

    /// Whether the node answers itself, at the address that it saw instead of its own.
    private func isLoopBack(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Bool {
        guard packet.tuple.destination == configuration.loopAddress, packet.ingress == interfaces.liveHost else {
            return false
        }
        return packet.fragment.offset > 0 || isExpected(&packet, number, &batch)
    }

    func isMartianSource(_ source: IPv4Address) -> Bool {
        source.isThisNetwork || source.isLoopback || source.isLinkLocal || source.isMulticast || source.isReserved
    }

    /// The reason why a source cannot be right on an interface.
    private func spoofedSource(_ source: IPv4Address, ingress: UInt16) -> DropReason? {
        let isNode = isNodeAddress(source)
        if isNameServer(source) {
            // The node's own stack speaks for it where the datapath does not.
            if interfaces.host != ingress { return .spoofVIP }
        } else if !isNode {
            if isAmongClusterIPs(source) { return .spoofVIP }
            if !services.kind(of: source).isEmpty { return .spoofVIP }
        } else if !interfaces.isNotional && interfaces.host != ingress {
            return .spoofNode
        }
        if isOffInterface(source, ingress: ingress) { return .martianSource }
        return nil
    }

    /// Whether a source does not belong to what its interface leads to, where that is checked.
    @inline(__always) func isOffInterface(_ source: IPv4Address, ingress: UInt16) -> Bool {
        interfaces.facts[Int(ingress)].antiSpoof && interfaces.egress(to: source) != ingress
    }

    /// Whether an address lies in a block of ClusterIPs, be it a Service's or nobody's.
    func isAmongClusterIPs(_ address: IPv4Address) -> Bool {
        if let serviceCIDR = configuration.serviceCIDR, serviceCIDR.contains(address) { return true }
        return services.hasServiceBlock(of: address)
    }

    /// Whether an address is one of the node's own.
    @inline(__always) func isNodeAddress(_ address: IPv4Address) -> Bool {
        nodeAddresses.lookup(UInt64(address.bits)) != nil
    }
}
