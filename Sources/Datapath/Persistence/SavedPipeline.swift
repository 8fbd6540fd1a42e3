package import Tables
internal import Wire

// All that later decisions depend on, so that a replay in two parts is the same as in one. What follows from the
// configuration and its seed is not saved; what was counted for people is not either.

extension Pipeline {
    /// Writes all state.
    ///
    /// The pipeline must be between two batches, and hold no flow against new rules.
    package func save(to encoder: inout StateEncoder) {
        encoder.put(generator.state)
        flows.save(to: &encoder)
        affinity.save(to: &encoder)
        let positions = flows.savedPositions
        fragments.save(to: &encoder) { datagram in
            isAlive(datagram) ? positions[Int(datagram.flow.number)] : nil
        }
        saveTurns(to: &encoder)
        identifications.save(to: &encoder)
        errorRate.save(to: &encoder)
        shortageReports.save(to: &encoder)
    }

    /// Takes over a state that was saved by a pipeline with the same configuration, seed and interfaces.
    ///
    /// For a pipeline that has seen no packet. `servicePorts` is how many ServicePorts have numbers; `now` is the time of the last packet
    /// before, in nanoseconds and at most 2^62: no time in the state may lie further ahead than it could then. The decoder says whether
    /// all was as it must be (`isWhole`); if not, the pipeline is to be thrown away.
    package mutating func restore(from decoder: inout StateDecoder, servicePorts: Int, now: UInt64) {
        generator.state = decoder.get()
        flows.restore(
            from: &decoder,
            servicePorts: servicePorts,
            interfaces: interfaces.interfaces.count,
            configuration.timeouts,
            now: now
        )
        counters.flowsRestored = UInt64(flows.count)
        affinity.restore(from: &decoder, servicePorts: servicePorts, now: now)
        restoreFragments(from: &decoder, now: now)
        Self.restore(&turns, from: &decoder)
        identifications.restore(from: &decoder)
        errorRate.restore(from: &decoder, now: now)
        shortageReports.restore(from: &decoder, now: now)
    }

    private func isAlive(_ datagram: FragmentTable.Datagram) -> Bool {
        let flow = flows.flows[datagram.flow.number]
        return datagram.fate == .flow && flow.identifier == datagram.identifier
            && flow.transport == datagram.key.transport
    }

    private mutating func restoreFragments(from decoder: inout StateDecoder, now: UInt64) {
        var batch = Batch()
        var table = FragmentTable(configuration, seed: fragmentSeed)
        let count = flows.count
        heldPackets = table.restore(from: &decoder, flows: count, now: now) { fragment, key in
            parse(fragment, key, &batch)
        }
        fragments = table
    }

    /// The packet of a fragment that waits for a datagram of this key; nil when it cannot be one.
    private mutating func parse(
        _ fragment: SavedFragment,
        _ key: FragmentTable.Key,
        _ batch: inout Batch
    ) -> Packet? {
        guard fragment.bytes.count <= batch.frames.capacity,
            Int(fragment.packet.ingress) < interfaces.interfaces.count
        else { return nil }
        batch.clear()
        do {
            var frame = batch.frames.frame(0, length: fragment.bytes.count)
            for (offset, byte) in fragment.bytes.enumerated() { frame.store8(byte, at: offset) }
        }
        _ = batch.append(fragment.packet)
        var tally = Tally()
        parse(&batch, &tally)
        var packet = batch.packets[0]
        guard packet.hasAddresses, packet.reason == .none, packet.defect == .none, packet.fragment.offset > 0,
            Int(packet.length) == fragment.bytes.count, packet.transport == key.transport,
            fragment.packet.arrivalSource == key.source, fragment.packet.arrivalDestination == key.destination,
            identification(0, &batch) == key.identification
        else { return nil }
        packet.ingress = fragment.packet.ingress
        packet.arrivalAddresses = fragment.packet.arrivalAddresses
        return packet
    }

    /// Without round-robin nobody has had a turn, and the table, which is large, is not looked through.
    private func saveTurns(to encoder: inout StateEncoder) {
        let used = services.algorithm == .roundRobin ? (0..<turns.count).filter { turns[$0] != 0 } : []
        encoder.putCount(used.count)
        for place in used {
            encoder.putCount(place)
            encoder.put(turns[place])
        }
    }

    private static func restore(_ turns: inout FixedArray<UInt32>, from decoder: inout StateDecoder) {
        for _ in 0..<decoder.getCount(limit: turns.count, size: 8) {
            let place = Int(decoder.get(UInt32.self))
            guard place < turns.count else { return decoder.refuse() }
            turns[place] = decoder.get()
        }
    }
}

extension Identifications {
    fileprivate func save(to encoder: inout StateEncoder) {
        let used = (0..<counters.count).filter { counters[$0] != 0 }
        encoder.putCount(used.count)
        for place in used {
            encoder.putCount(place)
            encoder.put(counters[place])
        }
    }

    fileprivate mutating func restore(from decoder: inout StateDecoder) {
        for _ in 0..<decoder.getCount(limit: counters.count, size: 6) {
            let place = Int(decoder.get(UInt32.self))
            guard place < counters.count else { return decoder.refuse() }
            counters[place] = decoder.get()
        }
    }
}

extension TokenBucket {
    fileprivate func save(to encoder: inout StateEncoder) {
        encoder.put(tokens)
        encoder.put(last)
    }

    fileprivate mutating func restore(from decoder: inout StateDecoder, now: UInt64) {
        tokens = min(decoder.get(), full)
        last = decoder.get()
        decoder.require(last <= now)
    }
}

extension SourceRate {
    fileprivate func save(to encoder: inout StateEncoder) {
        let used = (0..<places.count).filter { places[$0].next != 0 }
        encoder.putCount(used.count)
        for place in used {
            encoder.putCount(place)
            encoder.put(places[place].source.bits)
            encoder.put(places[place].next)
        }
    }

    fileprivate mutating func restore(from decoder: inout StateDecoder, now: UInt64) {
        for _ in 0..<decoder.getCount(limit: places.count, size: 16) {
            let place = Int(decoder.get(UInt32.self))
            guard place < places.count else { return decoder.refuse() }
            places[place] = Place(source: IPv4Address(bits: decoder.get()), next: decoder.get())
            decoder.require(places[place].next <= now &+ Self.interval)
        }
    }
}
