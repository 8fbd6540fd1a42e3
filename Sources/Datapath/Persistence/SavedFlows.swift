internal import Tables
internal import Wire

// Saved flows are whole records, in the order of their numbers, with the order of the timers and of the classes, and which
// destinations are crowded: all that a later choice depends on. Numbers of records, the index and free lists are not saved:
// nothing depends on them.

extension FlowTable {
    /// Writes all flows.
    func save(to encoder: inout StateEncoder) {
        encoder.put(lastIdentifier)
        let positions = savedPositions
        encoder.putCount(flows.count)
        for number in 1..<max(flows.highWater, 1) where flows[number].transport.rawValue != 0 {
            encoder.put(flows[number])
        }
        wheel.save(flows, to: &encoder) { positions[Int($0)] }
        for eviction in EvictionClass.allCases where eviction.isEvictable {
            var members: [UInt32] = []
            var next = lists.oldest(eviction)
            while next != 0 {
                members.append(next)
                next = lists.following(next)
            }
            encoder.putCount(members.count)
            for member in members { encoder.putCount(positions[Int(member)]) }
        }
        ports.save(to: &encoder)
    }

    /// The places of the records among those that are saved, by their numbers.
    var savedPositions: [Int] {
        var positions = [Int](repeating: 0, count: Int(flows.highWater))
        var count = 0
        var number: UInt32 = 1
        while number < flows.highWater {
            if flows[number].transport.rawValue != 0 {
                positions[Int(number)] = count
                count += 1
            }
            number += 1
        }
        return positions
    }

    /// Enters the flows that were saved at a time, into a table without any; `interfaces` is how many there are.
    ///
    /// None may live longer than a flow that was seen just then.
    mutating func restore(
        from decoder: inout StateDecoder,
        servicePorts: Int,
        interfaces: Int,
        _ timeouts: Timeouts,
        now: UInt64
    ) {
        lastIdentifier = decoder.get()
        decoder.require(lastIdentifier < 1 << 62)
        let count = decoder.getCount(limit: capacity, size: MemoryLayout<Flow>.stride)
        for _ in 0..<count {
            guard let flow = decoder.getFlow(), Int(flow.service) <= servicePorts,
                flow.identifier <= lastIdentifier, flow.deadline <= now &+ timeouts.duration(of: flow.state),
                Int(max(flow.egress(.original), flow.egress(.reply))) < interfaces,
                enter(flow)
            else { return decoder.refuse() }
        }
        wheel.restore(&flows, count: count, from: &decoder, now: now)
        var left = count
        for eviction in EvictionClass.allCases where eviction.isEvictable {
            for _ in 0..<decoder.getCount(limit: left, size: 4) {
                let position = Int(decoder.get(UInt32.self))
                guard decoder.isWhole, position < count else { return decoder.refuse() }
                let number = UInt32(position + 1)
                guard flows[number].evictionClass == eviction, !lists.contains(number, eviction) else {
                    return decoder.refuse()
                }
                enterClass(number)
                left -= 1
            }
        }
        for number in 1..<UInt32(count + 1) where !flows[number].evictionClass.isEvictable {
            enterClass(number)
            left -= 1
        }
        guard decoder.isWhole, left == 0 else { return decoder.refuse() }
        restorePorts(from: &decoder)
    }

    /// Enters the record of a flow, in no slot and no class yet; false when one of its tuples is there already.
    private mutating func enter(_ flow: Flow) -> Bool {
        let original = flow.original.hash(flow.transport, hash)
        let reply = flow.reply.hash(flow.transport, hash)
        guard !isIndexed(flow.original, flow.transport), !isIndexed(flow.reply, flow.transport),
            let number = flows.allocate()
        else { return false }
        flows[number] = flow
        return index.insert(original, FlowReference(number, .original).bits)
            && index.insert(reply, FlowReference(number, .reply).bits)
    }

    private mutating func restorePorts(from decoder: inout StateDecoder) {
        for _ in 0..<decoder.getCount(limit: ports.capacity, size: OuterDestination.savedSize + 4) {
            let key = OuterDestination(from: &decoder)
            let closesBelow: UInt32 = decoder.get()
            guard decoder.isWhole, ports.find(key) == nil, let map = openPortMap(key) else { return decoder.refuse() }
            ports.setCloses(below: closesBelow, map)
        }
    }
}

extension OuterDestination {
    static var savedSize: Int { 11 }

    init(from decoder: inout StateDecoder) {
        source = IPv4Address(bits: decoder.get())
        destination = IPv4Address(bits: decoder.get())
        destinationPort = decoder.get()
        transport = TransportProtocol(rawValue: decoder.get())
    }

    fileprivate func save(to encoder: inout StateEncoder) {
        encoder.put(source.bits)
        encoder.put(destination.bits)
        encoder.put(destinationPort)
        encoder.put(transport.rawValue)
    }
}

extension PortMaps {
    /// Writes which destinations have a map; what is in it follows from the flows.
    fileprivate func save(to encoder: inout StateEncoder) {
        encoder.putCount(count)
        var number: UInt32 = 1
        while number < entries.highWater {
            let entry = entries[number]
            if find(entry.key) == number {
                entry.key.save(to: &encoder)
                encoder.put(entry.closesBelow)
            }
            number += 1
        }
    }
}

extension StateEncoder {
    /// Writes the record of a flow as it stands in memory, without the links of its timer.
    mutating func put(_ flow: Flow) {
        var flow = flow
        flow.timerSlot = 0
        flow.nextTimer = 0
        flow.previousTimer = 0
        // Safe: a record is plain numbers, and all its bytes belong to fields.
        unsafe withUnsafeBytes(of: flow) { bytes in
            for index in bytes.indices { put(unsafe bytes[index]) }
        }
    }
}

extension StateDecoder {
    /// The next record of a flow, with the interfaces that it leaves by; nil when it cannot be one.
    mutating func getFlow() -> Flow? {
        let bytes = getBytes(MemoryLayout<Flow>.stride)
        // Safe: any byte is a byte.
        return Flow(restoring: unsafe bytes.span.bytes)
    }
}
