package import Tables
internal import Wire

/// The conntrack table: all tracked flows, found by the tuple of either direction.
///
/// Theory of operation: records are in a slab, 128 bytes each, and stay where they are for their life. A bucketed
/// index has two references to each, one under the hash of either tuple; a packet touches one line of the index and
/// one or two of the record, and the pipeline asks for both a batch ahead. A record past its deadline counts as gone
/// for whoever looks it up; the timer wheel clears it away later. Everything is numbered, nothing points, so that
/// slab and index can be mapped files as they are.
/// Limits: `capacity` flows, never more. A full table gives up the flow that matters least (`EvictionClass`), and refuses
/// (`ct.table_full`) when all are established. One source has at most `halfOpenLimit` half-open connections.
package struct FlowTable: ~Copyable {
    /// The records, by number; the index and the timer wheel refer to them.
    package var flows: Slab<Flow>
    var index: BucketIndex
    var wheel = TimerWheel()
    private var lists: EvictionLists
    /// How many half-open connections each source has.
    private var halfOpen = CountMinSketch()
    let hash: SeededHash
    /// The number of the last flow that was entered.
    package var lastIdentifier: UInt64 = 0

    /// Room for `capacity` flows; `seed` keeps the hash secret from whoever chooses tuples.
    package init(capacity: Int, seed: UInt64) {
        flows = Slab(capacity: capacity)
        index = BucketIndex(capacity: capacity * 2)
        lists = EvictionLists(capacity: capacity)
        hash = SeededHash(seed: seed)
    }

    /// Flows in the table, those included whose time is over but which were not cleared away yet.
    package var count: Int { flows.count }
    /// How many flows the table can have.
    package var capacity: Int { flows.capacity }
    /// The memory that a full table takes, in bytes.
    package var byteCount: Int { flows.byteCount + index.byteCount + lists.byteCount }
    /// How many flows are in each class, those included whose time is over but which were not cleared away yet.
    package var classes: EvictionCounts { lists.counts }

    /// The flow that a tuple belongs to at a time, and in which direction.
    @inline(__always) func find(
        _ tuple: FlowTuple,
        _ transport: TransportProtocol,
        hash: UInt64,
        now: UInt64
    ) -> FlowReference {
        let found = index.find(hash) { bits in
            let reference = FlowReference(bits: bits)
            return matches(reference, tuple, transport) && flows[reference.number].deadline > now
        }
        return FlowReference(bits: found ?? 0)
    }

    /// Whether a reference is to a flow with this tuple in its direction.
    @inline(__always) func matches(
        _ reference: FlowReference,
        _ tuple: FlowTuple,
        _ transport: TransportProtocol
    ) -> Bool {
        flows[reference.number].transport == transport
            && flows[reference.number].tuple(reference.direction) == tuple
    }

    /// Whether a tuple is taken by a flow that is still alive, other than the record `replaced`.
    func isTaken(_ tuple: FlowTuple, _ transport: TransportProtocol, now: UInt64, replaced: UInt32 = 0) -> Bool {
        let reference = find(tuple, transport, hash: tuple.hash(transport, hash), now: now)
        return !reference.isNone && reference.number != replaced
    }

    /// Enters a flow with both its tuples; nil when the table is full.
    ///
    /// The caller has made sure that neither is taken.
    mutating func insert(original: FlowTuple, reply: FlowTuple, transport: TransportProtocol, now: UInt64) -> UInt32? {
        clear(original, transport, now: now)
        clear(reply, transport, now: now)
        guard let number = flows.allocate() else { return nil }
        lastIdentifier &+= 1
        flows[number] = Flow(
            original: original,
            reply: reply,
            transport: transport,
            identifier: lastIdentifier
        )
        let entered =
            index.insert(original.hash(transport, hash), FlowReference(number, .original).bits)
            && index.insert(reply.hash(transport, hash), FlowReference(number, .reply).bits)
        precondition(entered, "the index has room for every flow of the slab")
        wheel.start(at: now)
        return number
    }

    /// Puts a flow whose state and deadline are set into the timer wheel and its class.
    mutating func arm(_ number: UInt32) {
        wheel.insert(number, in: &flows)
        enterClass(number)
    }

    /// Follows a flow whose state was `old`, and which until now was to end at `deadline`.
    mutating func follow(_ number: UInt32, from old: FlowState, deadline: UInt64) {
        // A later deadline needs nothing: the wheel looks at it when the earlier one comes.
        if flows[number].deadline < deadline {
            wheel.remove(number, in: &flows)
            wheel.insert(number, in: &flows)
        }
        if flows[number].state.evictionClass != old.evictionClass {
            leaveClass(number, old.evictionClass)
            enterClass(number)
        }
    }

    private mutating func enterClass(_ number: UInt32) {
        let eviction = flows[number].state.evictionClass
        lists.enter(number, eviction)
        if eviction == .halfOpen { halfOpen.add(hash(flows[number].original.source)) }
    }

    private mutating func leaveClass(_ number: UInt32, _ eviction: EvictionClass) {
        lists.leave(number, eviction)
        if eviction == .halfOpen { halfOpen.remove(hash(flows[number].original.source)) }
    }

    private func hash(_ source: IPv4Address) -> UInt64 { hash(UInt64(source.bits), 0) }

    /// How many half-open connections a source has; now and then a little more than that (`CountMinSketch`).
    func halfOpenCount(_ source: IPv4Address) -> Int { Int(halfOpen.count(hash(source))) }

    /// Gives up the flow that matters least; nil when all are established.
    mutating func evict() -> EvictionClass? {
        for place in EvictionClass.evictable.indices {
            let eviction = EvictionClass.evictable[place]
            let victim = lists.oldest(eviction)
            if victim != 0 {
                remove(victim)
                return eviction
            }
        }
        return nil
    }

    /// Removes what stands under a tuple past its time, so that the tuple is free.
    private mutating func clear(_ tuple: FlowTuple, _ transport: TransportProtocol, now: UInt64) {
        while let bits = index.find(
            tuple.hash(transport, hash),
            where: { matches(FlowReference(bits: $0), tuple, transport) }
        ) {
            remove(FlowReference(bits: bits).number)
        }
    }

    /// Takes a flow out, both its tuples and its timer.
    package mutating func remove(_ number: UInt32) {
        let transport = flows[number].transport
        let original = flows[number].original
        let reply = flows[number].reply
        _ = index.remove(original.hash(transport, hash), FlowReference(number, .original).bits)
        _ = index.remove(reply.hash(transport, hash), FlowReference(number, .reply).bits)
        wheel.remove(number, in: &flows)
        leaveClass(number, flows[number].state.evictionClass)
        flows[number].transport = TransportProtocol(rawValue: 0)
        flows.release(number)
    }

    /// Clears away flows past their deadline, looking at `budget` of them at most; returns how many went.
    package mutating func expire(now: UInt64, budget: Int) -> Int {
        guard wheel.isDue(now) else { return 0 }
        var left = budget
        var removed = 0
        while let number = wheel.nextExpired(now, in: &flows, budget: &left) {
            remove(number)
            removed &+= 1
        }
        return removed
    }
}
