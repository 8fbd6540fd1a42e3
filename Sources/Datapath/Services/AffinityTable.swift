internal import Tables
internal import Wire

/// Which backend a client had last, for Services with `sessionAffinity: ClientIP`.
///
/// Theory of operation: an entry is kept under (client address, ServicePort), whatever address of the Service was used, for
/// the affinity's timeout from the last *new* connection (pkg/proxy/nftables writeServiceToEndpointJumps). It is written
/// when a flow enters the conntrack table, so that a packet that was not sent leaves none. The deadline is exact for whoever
/// looks; a timer wheel clears entries away.
/// Limits: `capacity` entries; where there is no room a client is simply not remembered, and counted.
struct AffinityTable: ~Copyable {
    /// One client's backend.
    struct Entry: TimerElement {
        var key: UInt64
        var backend: FlowEndpoint
        /// 0 in an entry that is not in use, or not whole: it is written last.
        var deadline: UInt64
        var nextTimer: UInt32
        var previousTimer: UInt32
        var timerSlot: UInt16

        var link: UInt32 {
            get { nextTimer }
            set { nextTimer = newValue }
        }
    }

    /// As many as Cilium's affinity map has.
    static let capacity = 65536
    /// The longest that a client may be remembered, in nanoseconds: a day is the most that `timeoutSeconds` allows.
    static let longest = 86_400 * Timeouts.second

    var entries: Slab<Entry>
    private var index = BucketIndex(capacity: AffinityTable.capacity)
    var wheel = TimerWheel()
    private let hash: SeededHash
    /// Clients that found no room.
    private(set) var refused: UInt64 = 0

    /// A table whose entries are in a region, if one is given, as `PinnedMaps` describes it.
    init(seed: UInt64, pinned region: consuming Region? = nil) {
        hash = SeededHash(seed: seed)
        if let region {
            entries = Slab(capacity: Self.capacity, in: region, from: PinnedMaps.recordOffset)
        } else {
            entries = Slab(capacity: Self.capacity)
        }
    }

    /// How many clients are remembered, those included whose time is over but which were not cleared away yet.
    var count: Int { entries.count }

    private static func key(_ client: IPv4Address, _ service: UInt32) -> UInt64 {
        UInt64(service) << 32 | UInt64(client.bits)
    }

    private func find(_ key: UInt64) -> UInt32? { index.find(hash(key, 0)) { entries[$0].key == key } }

    /// The backend that a client had last, if that is still remembered.
    func backend(of client: IPv4Address, service: UInt32, now: UInt64) -> FlowEndpoint? {
        guard let number = find(Self.key(client, service)), entries[number].deadline > now else { return nil }
        return entries[number].backend
    }

    /// Remembers a client's backend for `seconds` from now.
    mutating func remember(
        _ client: IPv4Address,
        service: UInt32,
        backend: FlowEndpoint,
        seconds: UInt32,
        now: UInt64
    ) {
        expire(now: now, budget: 16)
        let deadline = now &+ UInt64(seconds) * Timeouts.second
        remember(client, service: service, backend: backend, until: deadline, now: now)
    }

    /// Remembers a client's backend until a deadline.
    mutating func remember(
        _ client: IPv4Address,
        service: UInt32,
        backend: FlowEndpoint,
        until deadline: UInt64,
        now: UInt64
    ) {
        let key = Self.key(client, service)
        if let number = find(key) {
            let isSooner = deadline < entries[number].deadline
            entries[number].deadline = 0
            storeFence()
            entries[number].backend = backend
            storeFence()
            entries[number].deadline = deadline
            // The wheel finds a later deadline by itself; an earlier one (a reload changed the timeout) it must be told.
            if isSooner {
                wheel.remove(number, in: &entries)
                wheel.insert(number, in: &entries)
            }
            return
        }
        if entries.count == entries.capacity { expire(now: now, budget: .max) }
        guard let number = entries.allocate() else {
            refused &+= 1
            return
        }
        entries[number] = Entry(
            key: key,
            backend: backend,
            deadline: 0,
            nextTimer: 0,
            previousTimer: 0,
            timerSlot: 0
        )
        storeFence()
        entries[number].deadline = deadline
        let entered = index.insert(hash(key, 0), number)
        precondition(entered, "the index has room for every entry")
        wheel.start(at: now)
        wheel.insert(number, in: &entries)
    }

    /// Enters an entry that is in no slot of the wheel; false when its client is remembered, or there is no room.
    mutating func enter(_ key: UInt64, _ backend: FlowEndpoint, until deadline: UInt64) -> Bool {
        guard find(key) == nil, let number = entries.allocate() else { return false }
        entries[number] = Entry(
            key: key,
            backend: backend,
            deadline: deadline,
            nextTimer: 0,
            previousTimer: 0,
            timerSlot: 0
        )
        return index.insert(hash(key, 0), number)
    }

    /// One past the largest number of an entry that was ever used.
    var highWater: UInt32 { entries.highWater }

    /// Forgets an entry, by its number, whose backend the rules do not give to new flows any more.
    ///
    /// Returns whether it went; numbers that are not in use stay as they are.
    mutating func reconcile(_ number: UInt32, with services: ServiceTable) -> Bool {
        guard entries[number].timerSlot != 0 else { return false }
        let key = entries[number].key
        if let port = services.servicePort(numbered: UInt32(truncatingIfNeeded: key >> 32)),
            services.servicePorts[port].affinitySeconds > 0,
            services.known.condition(entries[number].backend, ofPort: port).contains(.chosen)
        {
            return false
        }
        wheel.remove(number, in: &entries)
        release(number)
        return true
    }

    /// Clears away entries past their deadline, looking at `budget` of them at most.
    mutating func expire(now: UInt64, budget: Int) {
        guard wheel.isDue(now) else { return }
        var left = budget
        while let number = wheel.nextExpired(now, in: &entries, budget: &left) {
            release(number)
        }
    }

    private mutating func release(_ number: UInt32) {
        entries[number].deadline = 0
        storeFence()
        _ = index.remove(hash(entries[number].key, 0), number)
        entries.release(number)
    }
}
