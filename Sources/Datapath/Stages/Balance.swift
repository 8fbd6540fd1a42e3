internal import Tables
internal import Wire

// Stage "balance" (hook ingress): what the service rules say of a new flow, in the order of kube-proxy's nftables mode
// (docs/service-rules.md): source ranges, lookup, endpoint sets, policies, choice. What is no Service's is for the node,
// for nobody, or passes.

extension Pipeline {
    /// Finds the backend of a new flow; ends the way of what belongs to no flow and no Service.
    mutating func balance(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        programs.add(.balance)
        packet.conntrack = packet.hasPorts || packet.fragment.isFragment ? .new : .untracked
        let destination = packet.tuple.destination
        if packet.hasPorts && packet.transport != .icmp,
            let frontend = services.frontend(
                destination,
                packet.tuple.destinationPort,
                packet.transport,
                likely: packet.frontendHint
            )
        {
            return balance(&packet, frontend, number, &batch)
        }
        if isNameServer(destination) { return serveNames(&packet, number, &batch) }
        if let outcome = refuseUnknown(&packet, number, &batch) { return outcome }
        if isNodeAddress(destination) { return deliverLocally(&packet, number, &batch) }
        return nil
    }

    private mutating func balance(
        _ packet: inout Packet,
        _ frontendNumber: UInt32,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome? {
        let frontend = services.frontends[frontendNumber]
        let port = frontend.port
        packet.frontend = frontend.kind
        packet.service = port.identifier
        guard services.admits(packet.tuple.source, to: frontend) else { return .drop(.sourceRange) }
        let set = endpoints(of: frontend, for: packet.tuple.source)
        guard set.count > 0 else {
            if port.hasAny { return .drop(.noLocalEndpoints) }
            return reject(&packet, .noEndpoints, .portUnreachable, number, &batch)
        }
        if packet.transport == .tcp && packet.flags.intersection([.syn, .ack, .rst]) != .syn
            && configuration.midstream == .refuse
        {
            packet.conntrack = .invalid
            return .drop(.conntrackNoState)
        }
        let backend = chooseBackend(&packet, set, port)
        guard !isOthersAddress(backend.address) else { return .drop(.noService) }
        packet.backend = FlowEndpoint(address: backend.address, port: backend.port)
        packet.masquerade = needsMasquerade(packet.tuple.source, frontend, backend)
        return nil
    }

    /// Whether an address is a Service's and not the node's.
    ///
    /// What is sent there comes back, or goes round for as long as its TTL lasts (cilium#20436). ClusterIPs are refused as
    /// endpoints; external addresses are only warned of.
    private func isOthersAddress(_ address: IPv4Address) -> Bool {
        !services.kind(of: address).isEmpty && !isNodeAddress(address)
    }

    /// The endpoint for a new flow: the one that its client had last, where the Service wants that and the set still has
    /// it; else one by the algorithm (service-rules 7).
    private mutating func chooseBackend(
        _ packet: inout Packet,
        _ set: ServiceTable.EndpointSet,
        _ port: ServiceTable.ServicePort
    ) -> Backend {
        if port.affinitySeconds > 0 {
            packet.affinitySeconds = port.affinitySeconds
            if let last = affinity.backend(of: packet.tuple.source, service: port.identifier, now: packet.now) {
                for number in set.first..<set.first &+ set.count {
                    let backend = services.backends[number]
                    if backend.address == last.address && backend.port == last.port { return backend }
                }
            }
        }
        return services.backends[set.first &+ choice(&packet, set, port)]
    }

    /// The index of a backend in its set, by the algorithm of the table.
    private mutating func choice(
        _ packet: inout Packet,
        _ set: ServiceTable.EndpointSet,
        _ port: ServiceTable.ServicePort
    ) -> UInt32 {
        switch services.algorithm {
        case .roundRobin:
            let place = Int(port.identifier) % turns.count
            turns[place] &+= 1
            return (turns[place] &- 1) % set.count
        case .maglev where set.table != ServiceTable.EndpointSet.noTable:
            let hash = maglevHash(packet.tuple, packet.transport, affinity: port.affinitySeconds)
            return services.maglev.choice(table: set.table, hash: hash)
        case .random, .maglev:
            return generator.next(below: set.count)
        }
    }

    /// The hash that a Maglev table is asked with; a client that is bound to its backend is so from all its ports.
    func maglevHash(_ tuple: FlowTuple, _ transport: TransportProtocol, affinity seconds: UInt32) -> UInt32 {
        var tuple = tuple
        if seconds > 0 { tuple.sourcePort = 0 }
        return MaglevHash.hash(tuple, transport)
    }

    /// The set that a destination uses for a source (service-rules 5).
    func endpoints(
        of frontend: ServiceTable.Frontend,
        for source: IPv4Address
    ) -> ServiceTable.EndpointSet {
        usesLocalEndpoints(frontend, for: source) ? frontend.port.local : frontend.port.cluster
    }

    /// Whether a source may use the endpoints on this node only.
    func usesLocalEndpoints(_ frontend: ServiceTable.Frontend, for source: IPv4Address) -> Bool {
        guard frontend.isLocalPolicy else { return false }
        // The short-circuits of externalTrafficPolicy Local: pods and the node itself reach all endpoints.
        return frontend.kind == .clusterIP || !(isLocalPod(source) || isNodeAddress(source))
    }

    /// Whether the source must be replaced by an address of the node (service-rules 8).
    private func needsMasquerade(
        _ source: IPv4Address,
        _ frontend: ServiceTable.Frontend,
        _ backend: Backend
    ) -> Bool {
        if backend.address == source && backend.isLocal { return true }  // hairpin: a pod that is its own backend
        switch frontend.kind {
        case .clusterIP:
            return configuration.masqueradeAll || (configuration.podCIDR != nil && !isLocalPod(source))
        case .nodePort, .loadBalancer, .externalIP:
            return frontend.isLocalPolicy ? isNodeAddress(source) : true
        case .hostPort, .none:
            return false
        }
    }

    private func isLocalPod(_ source: IPv4Address) -> Bool { configuration.podCIDR?.contains(source) ?? false }

    /// What becomes of a packet to a Service's address that is no port of it (service-rules 9).
    private mutating func refuseUnknown(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        let destination = packet.tuple.destination
        let kind = services.kind(of: destination)
        let isKnownProtocol = packet.transport == .tcp || packet.transport == .udp || packet.transport == .icmp
        if kind.contains(.clusterIP) {
            guard isKnownProtocol else { return .drop(.unsupportedL4) }
            return reject(&packet, .noService, .portUnreachable, number, &batch)
        }
        if kind.contains(.external) && !isNodeAddress(destination) {
            guard isKnownProtocol else { return .drop(.unsupportedL4) }
            return configuration.unknownPorts == .drop ? .drop(.noService) : nil
        }
        if isAmongClusterIPs(destination), !isNodeAddress(destination) {
            return .drop(isKnownProtocol ? .noService : .unsupportedL4)
        }
        return nil
    }

    /// Leaves a packet to the node's own stack.
    mutating func deliverLocally(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        if packet.transport == .icmp && packet.icmpType == .echoRequest && !packet.fragment.isFragment,
            let outcome = answerEcho(&packet, number, &batch)
        {
            return outcome
        }
        guard let host = interfaces.host else {
            return reject(&packet, .noService, .portUnreachable, number, &batch)
        }
        packet.egress = host
        return leaveToNode(&packet, number, &batch)
    }

    /// Sends a packet to the host interface as it came in: whoever delivers a packet does not route it (RFC 1812 section 5.2.3).
    func leaveToNode(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome {
        packet.translated = packet.tuple
        batch.emit(packet.emission(number))
        return .sent(.local)
    }
}
