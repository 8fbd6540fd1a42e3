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
/// (`ct.table_full`) when none may be given up. One source has at most `halfOpenLimit` half-open connections.
/// Memory: 128 bytes for the record, 8 for the links of its class, 51 at most for the index, 2 for maps of ports, and what
/// does not grow with the flows: 192 bytes a flow from 32,768 flows on. All of it is asked for once, and touched as it
/// is needed.
package struct FlowTable: ~Copyable {
    /// The records, by number; the index and the timer wheel refer to them.
    package var flows: Slab<Flow>
    var index: BucketIndex
    var wheel = TimerWheel()
    /// The ports in use towards crowded destinations.
    var ports: PortMaps
    var lists: EvictionLists
    /// How many half-open connections each source has.
    private var halfOpen: CountMinSketch
    let hash: SeededHash
    /// Flows that were cleared away at the end of their time, by what they were.
    package private(set) var expirations = ClassCounts()
    /// The number of the last flow that was entered.
    package var lastIdentifier: UInt64 = 0

    /// Room for `capacity` flows; `seed` keeps the hash secret from whoever chooses tuples.
    ///
    /// The records are in a region, if one is given, as `PinnedMaps` describes it.
    package init(capacity: Int, seed: UInt64, pinned region: consuming Region? = nil) {
        if let region {
            flows = Slab(capacity: capacity, in: region, from: PinnedMaps.recordOffset)
        } else {
            flows = Slab(capacity: capacity)
        }
        index = BucketIndex(capacity: capacity * 2)
        lists = EvictionLists(capacity: capacity)
        // So wide that a table full of half-open flows adds 32 to each count, half of the least limit.
        halfOpen = CountMinSketch(width: max(capacity / 32, 4096))
        hash = SeededHash(seed: seed)
        ports = PortMaps(capacity: PortMaps.capacity(flows: capacity), seed: seed ^ 0x9047)
    }

    /// Flows in the table, those included whose time is over but which were not cleared away yet.
    package var count: Int { flows.count }
    /// How many flows the table can have.
    package var capacity: Int { flows.capacity }
    /// The memory that a full table takes, in bytes.
    package var byteCount: Int {
        flows.byteCount + index.byteCount + lists.byteCount + halfOpen.byteCount + ports.byteCount
            + wheel.heads.byteCount
    }
    /// How many flows are in each class, those included whose time is over but which were not cleared away yet.
    package var classes: ClassCounts { lists.counts }

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
        let originalHash = original.hash(transport, hash)
        let replyHash = reply.hash(transport, hash)
        clear(original, transport, hash: originalHash)
        clear(reply, transport, hash: replyHash)
        guard let number = flows.allocate() else { return nil }
        lastIdentifier &+= 1
        flows[number] = Flow(
            original: original,
            reply: reply,
            transport: transport,
            identifier: lastIdentifier
        )
        let entered =
            index.insert(originalHash, FlowReference(number, .original).bits)
            && index.insert(replyHash, FlowReference(number, .reply).bits)
        precondition(entered, "the index has room for every flow of the slab")
        ports.insert(original, transport)
        ports.insert(reply, transport)
        wheel.start(at: now)
        return number
    }

    /// Puts a flow whose state and deadline are set into the timer wheel and its class.
    mutating func arm(_ number: UInt32) {
        wheel.insert(number, in: &flows)
        enterClass(number)
    }

    /// Follows a flow that was in class `old`, and which until now was to end at `deadline`.
    mutating func follow(_ number: UInt32, from old: EvictionClass, deadline: UInt64) {
        // A later deadline needs nothing: the wheel looks at it when the earlier one comes.
        if flows[number].deadline < deadline {
            wheel.remove(number, in: &flows)
            wheel.insert(number, in: &flows)
        }
        if flows[number].evictionClass != old {
            leaveClass(number, old)
            enterClass(number)
        }
    }

    mutating func enterClass(_ number: UInt32) {
        let eviction = flows[number].evictionClass
        lists.enter(number, eviction)
        if eviction == .halfOpen { halfOpen.add(hash(flows[number].original.source)) }
    }

    private mutating func leaveClass(_ number: UInt32, _ eviction: EvictionClass) {
        lists.leave(number, eviction)
        if eviction == .halfOpen { halfOpen.remove(hash(flows[number].original.source)) }
    }

    /// Whether the lists and counts of the classes say what the records say; for tests.
    package var areClassesRight: Bool {
        var found = ClassCounts()
        var halfOpenSources = 0
        var number: UInt32 = 1
        while number < flows.highWater {
            if flows[number].transport.rawValue != 0 {
                let eviction = flows[number].evictionClass
                found[eviction] &+= 1
                if eviction == .halfOpen && halfOpenCount(flows[number].original.source) == 0 { halfOpenSources += 1 }
            }
            number &+= 1
        }
        for eviction in EvictionClass.allCases where eviction.isEvictable {
            var listed: UInt64 = 0
            var next = lists.oldest(eviction)
            while next != 0 && listed <= found[eviction] {
                guard flows[next].evictionClass == eviction else { return false }
                listed &+= 1
                next = lists.following(next)
            }
            if listed != found[eviction] { return false }
        }
        return found == lists.counts && halfOpenSources == 0
    }

    private func hash(_ source: IPv4Address) -> UInt64 { hash(UInt64(source.bits), 0) }

    /// How many half-open connections a source has; now and then a little more than that (`CountMinSketch`).
    func halfOpenCount(_ source: IPv4Address) -> Int { Int(halfOpen.count(hash(source))) }

    /// Gives up the flow that matters least and says what it was; nil when none may be given up.
    ///
    /// Half-open connections go first while they fill an eighth of the table, as in a flood of SYNs. Fewer go last: in a
    /// table full of connections that are over the next SYN would take them before they can be answered.
    mutating func evict() -> EvictionClass? {
        let isFlooded = lists.counts[.halfOpen] >= UInt64(capacity / 8)
        let order = isFlooded ? EvictionClass.evictable : EvictionClass.evictableUnlessFlooded
        for place in order.indices {
            let eviction = order[place]
            let victim = lists.oldest(eviction)
            if victim != 0 {
                remove(victim)
                return eviction
            }
        }
        return nil
    }

    /// Removes what stands under a tuple past its time, so that the tuple is free.
    @inline(__always) private mutating func clear(
        _ tuple: FlowTuple,
        _ transport: TransportProtocol,
        hash: UInt64
    ) {
        while let bits = index.find(hash, where: { matches(FlowReference(bits: $0), tuple, transport) }) {
            expire(FlowReference(bits: bits).number)
        }
    }

    /// Takes a flow out whose time is over.
    private mutating func expire(_ number: UInt32) {
        expirations[flows[number].evictionClass] &+= 1
        remove(number)
    }

    /// Takes a flow out, both its tuples and its timer.
    package mutating func remove(_ number: UInt32) {
        let transport = flows[number].transport
        let original = flows[number].original
        let reply = flows[number].reply
        _ = index.remove(original.hash(transport, hash), FlowReference(number, .original).bits)
        _ = index.remove(reply.hash(transport, hash), FlowReference(number, .reply).bits)
        ports.remove(original, transport)
        ports.remove(reply, transport)
        wheel.remove(number, in: &flows)
        leaveClass(number, flows[number].evictionClass)
        flows[number].transport = TransportProtocol(rawValue: 0)
        flows[number].state = .none
        storeFence()
        flows.release(number)
    }

    /// Clears away flows past their deadline, looking at `budget` of them at most.
    package mutating func expire(now: UInt64, budget: Int) {
        guard wheel.isDue(now) else { return }
        var left = budget
        while let number = wheel.nextExpired(now, in: &flows, budget: &left) { expire(number) }
    }
}
