internal import Tables
internal import Wire

// What comes before "balance" for a batch: the lines of the service table that its new flows will read are asked for, all
// of one kind before any of the next, so that their latencies overlap. Nothing is decided here, and nothing depends on it:
// what is found is a hint that "balance" confirms.

extension Pipeline {
    /// Asks for the place of the frontend of a packet that no flow was found for.
    @inline(__always) func prefetchFrontend(_ packet: Packet) {
        services.frontendIndex.prefetch(
            ServiceTable.key(packet.tuple.destination, packet.tuple.destinationPort, packet.transport)
        )
    }

    /// Whether a packet will ask for a frontend, as far as it can be known by now.
    @inline(__always) static func asksForFrontend(_ packet: Packet) -> Bool {
        packet.candidate.isNone && packet.hasPorts && packet.transport != .icmp
    }

    /// Finds the frontends of a batch's new flows, and asks for them, then for the endpoints they lead to.
    @inline(never) func anticipate(_ batch: inout Batch) {
        for number in 0..<batch.count where Self.asksForFrontend(batch.packets[number]) {
            let tuple = batch.packets[number].tuple
            guard
                let frontend = services.frontend(
                    tuple.destination,
                    tuple.destinationPort,
                    batch.packets[number].transport
                )
            else { continue }
            batch.packets[number].frontendHint = FrontendHint(frontend)
            services.frontends.prefetch(Int(frontend))
        }
        for number in 0..<batch.count {
            guard let frontend = batch.packets[number].frontendHint.number else { continue }
            prefetchEndpoints(of: services.frontends[frontend], batch.packets[number])
        }
    }

    /// How many endpoints of a set are asked for: which one is chosen is not known yet.
    private static var endpointsAhead: UInt32 { 32 }

    @inline(__always) private func prefetchEndpoints(of frontend: ServiceTable.Frontend, _ packet: Packet) {
        let set = endpoints(of: frontend, for: packet.tuple.source)
        if case .maglev = services.algorithm, set.table != ServiceTable.EndpointSet.noTable {
            let hash = maglevHash(packet.tuple, packet.transport, affinity: frontend.port.affinitySeconds)
            services.maglev.prefetch(table: set.table, hash: hash)
        }
        guard set.count <= Self.endpointsAhead else { return }
        var place = set.first
        while place < set.first &+ set.count {
            services.backends.prefetch(Int(place))
            place &+= 8
        }
        if set.count > 0 { services.backends.prefetch(Int(set.first &+ set.count &- 1)) }
    }
}
