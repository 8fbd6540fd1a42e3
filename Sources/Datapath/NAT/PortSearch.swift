internal import Tables
internal import Wire

// The search for a free source port (RFC 6056 section 3.3.1: drawn at random, so that the next one cannot be guessed).

extension Pipeline {
    /// How many ports are drawn before a destination counts as crowded: of one with half its ports in use this fails
    /// once in four thousand million times.
    private static var draws: Int { 32 }

    /// A free source port for an outer tuple; nil only when every usable port belongs to another flow.
    mutating func freePort(for sent: FlowTuple, _ packet: inout Packet) -> UInt16? {
        guard usablePorts.count > 0 else { return nil }
        guard let key = OuterDestination(answeredBy: answer(to: sent, packet.transport), packet.transport) else {
            return nil
        }
        if let map = flows.ports.find(key) { return freePort(in: map, sent, &packet) }
        for _ in 0..<Self.draws {
            let port = usablePorts[generator.next(below: usablePorts.count)]
            if !isTaken(port, for: sent, &packet) { return port }
        }
        if let map = flows.openPortMap(key) { return freePort(in: map, sent, &packet) }
        return walkPorts(for: sent, &packet)
    }

    /// The same for a crowded destination, whose map is searched instead of the index.
    private mutating func freePort(in map: UInt32, _ sent: FlowTuple, _ packet: inout Packet) -> UInt16? {
        if let port = flows.ports.choose(from: map, usablePorts, &generator) { return port }
        // What is over may still stand in the map; it is cleared away once for every tick of the wheel.
        if flows.wheel.isDue(packet.now) {
            flows.expire(now: packet.now, budget: .max)
            // The map may have gone with them.
            guard let key = OuterDestination(answeredBy: answer(to: sent, packet.transport), packet.transport),
                let map = flows.ports.find(key)
            else { return freePort(for: sent, &packet) }
            if let port = flows.ports.choose(from: map, usablePorts, &generator) { return port }
        }
        // The flow that this one takes the place of gives its port back.
        guard packet.replaces != 0 else { return nil }
        let port = flows.flows[packet.replaces].reply.destinationPort
        return usablePorts.contains(port) && !isTaken(port, for: sent, &packet) ? port : nil
    }

    /// All usable ports, from a random one on: for the case that no map is left.
    private mutating func walkPorts(for sent: FlowTuple, _ packet: inout Packet) -> UInt16? {
        let start = generator.next(below: usablePorts.count)
        for step in 0..<usablePorts.count {
            let port = usablePorts[(start &+ step) % usablePorts.count]
            if !isTaken(port, for: sent, &packet) { return port }
        }
        return nil
    }

    private func isTaken(_ port: UInt16, for sent: FlowTuple, _ packet: inout Packet) -> Bool {
        var candidate = sent
        candidate.sourcePort = port
        return isTaken(candidate, &packet)
    }

    /// Whether a reply to what would be sent belongs to another flow already.
    func isTaken(_ sent: FlowTuple, _ packet: inout Packet) -> Bool {
        let reply = answer(to: sent, packet.transport)
        return flows.isTaken(reply, packet.transport, now: packet.now, replaced: packet.replaces)
    }

    /// The tuple of the replies to what is sent; an ICMP query is answered with its own identifier.
    func answer(to sent: FlowTuple, _ transport: TransportProtocol) -> FlowTuple {
        var reply = sent.reversed
        if transport == .icmp { reply.sourcePort = reply.destinationPort &+ 1 }
        return reply
    }
}

extension FlowTable {
    /// Gives a destination a map, filled from the index; nil when none is left.
    mutating func openPortMap(_ key: OuterDestination) -> UInt32? {
        guard let map = ports.open(key) else { return nil }
        // What is over but not cleared away counts: the map will be told when it goes.
        for port in UInt16.min...UInt16.max where isIndexed(key.answer(to: port), key.transport) {
            ports.insert(port, into: map)
        }
        ports.settle(map)
        return map
    }

    /// Whether a tuple stands in the index, be its time over or not.
    func isIndexed(_ tuple: FlowTuple, _ transport: TransportProtocol) -> Bool {
        index.find(tuple.hash(transport, hash)) { matches(FlowReference(bits: $0), tuple, transport) } != nil
    }

    /// Whether every map says what the index says; for tests.
    package var arePortMapsRight: Bool {
        var number: UInt32 = 1
        while number < ports.entries.highWater {
            let key = ports.entries[number].key
            if ports.find(key) == number {
                var used: UInt32 = 0
                for port in UInt16.min...UInt16.max {
                    let isUsed = isIndexed(key.answer(to: port), key.transport)
                    if isUsed != ports.contains(port, in: number) { return false }
                    used &+= isUsed ? 1 : 0
                }
                if used != ports.entries[number].used { return false }
            }
            number &+= 1
        }
        return true
    }
}
