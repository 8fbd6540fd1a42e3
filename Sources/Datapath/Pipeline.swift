internal import Synchronization
internal import Tables
internal import Wire

/// What happens to a packet, from its reading to its verdict.
///
/// Theory of operation: a batch of frames goes through passes that only read (parse all, then ask for all index lines and
/// flow records, and for the frontends of what has no flow, so that their latency is hidden), and then packet by packet
/// through the stages below, so that several packets of one new flow behave as if they came one by one. Every packet carries its own clock; choices
/// come from one seeded generator. So the same input gives the same output, whatever the size of the batches.
/// An established packet of a flow takes the short way: one comparison, one update of its state, one rewrite.
/// Nothing in here allocates, locks or counts references for a packet.
package struct Pipeline: ~Copyable {
    /// The settings that do not change.
    package let configuration: DatapathConfiguration
    /// The interfaces and the routes to them.
    package let interfaces: InterfaceTable
    /// The rules that new flows are decided by.
    package internal(set) var services: ServiceTable
    /// The flows that are tracked.
    package var flows: FlowTable
    /// What was decided, in numbers.
    package var counters = Counters()
    /// How many packets each stage has seen.
    package var programs = ProgramCounters()
    let tracker: FlowTracker
    let fragmentSeed: UInt64
    var fragments: FragmentTable
    var identifications: Identifications
    var affinity: AffinityTable
    /// Round-robin: how many flows each ServicePort had, by its number; numbers beyond share a place.
    var turns = FixedArray<UInt32>(count: 65536)
    var errorRate = TokenBucket(perSecond: 1000, burst: 50)
    var shortageReports: SourceRate
    var generator: SplitMix64
    /// How far flows and remembered clients were held against the service table since it came.
    var flowWalk = CircularWalk()
    var affinityWalk = CircularWalk()
    /// Fragments that wait for the first one of their datagram.
    package internal(set) var heldPackets = 0
    /// The node's addresses: membership by one lookup.
    let nodeAddresses: StaticMap
    /// The ports that flows are given where they cannot keep their own.
    var usablePorts: UsablePorts
    /// The node's primary address, from which masqueraded packets and generated ones come.
    let primaryAddress: IPv4Address
    /// Keeps the pipeline where it is: what holds an atomic word is used in place.
    ///
    /// Without one Swift 6.3 copies all of it, two and a half kilobytes, whenever a mutating method calls one that is not.
    private let staysInPlace = Atomic<Bool>(true)

    /// A pipeline without flows.
    ///
    /// All seeds are drawn from that of the configuration, so that two pipelines with one configuration decide alike.
    /// Records are kept in the `pinned` maps, where there are some; `restore` takes over what an earlier process left.
    package init(
        _ configuration: DatapathConfiguration,
        interfaces: InterfaceTable,
        services: ServiceTable,
        pinned maps: consuming PinnedMaps = PinnedMaps()
    ) {
        self.configuration = configuration
        self.interfaces = interfaces
        self.services = services
        var seeds = SplitMix64(state: configuration.seed)
        flows = FlowTable(capacity: configuration.conntrackCapacity, seed: seeds.next(), pinned: maps.conntrack)
        fragmentSeed = seeds.next()
        fragments = FragmentTable(configuration, seed: fragmentSeed)
        generator = SplitMix64(state: seeds.next())
        identifications = Identifications(seed: configuration.seed ^ 0x1de7)
        affinity = AffinityTable(seed: configuration.seed ^ 0xaff1, pinned: maps.affinity)
        nodeAddresses = StaticMap(
            configuration.nodeAddresses.map { (key: UInt64($0.bits), value: 0) },
            seed: seeds.next()
        )
        usablePorts = UsablePorts(nodePorts: configuration.nodePortRange, services: services)
        primaryAddress = configuration.nodeAddresses.first ?? .any
        tracker = FlowTracker(configuration.timeouts)
        shortageReports = SourceRate(seed: configuration.seed ^ 0x5a7e)
    }

    /// Decides about all packets of a batch and rewrites them in place; what leaves is in `batch.emissions`.
    package mutating func process(_ batch: inout Batch) {
        var tally = Tally()
        prepare(&batch, &tally)
        process(&batch, from: 0, &tally)
        tally.add(to: &counters, &programs)
    }

    /// The passes over a batch that change no map: parses all packets, and asks for what they will look at.
    func prepare(_ batch: inout Batch, _ tally: inout Tally) {
        parse(&batch, &tally)
        for number in 0..<batch.count { flows.index.prefetch(batch.packets[number].hash) }
        var strangers = 0
        for number in 0..<batch.count {
            lookUpCandidate(&batch.packets[number])
            if Self.asksForFrontend(batch.packets[number]) {
                prefetchFrontend(batch.packets[number])
                strangers &+= 1
            }
        }
        if strangers > 0 { anticipate(&batch) }
        tally.received &+= batch.count
    }

    /// Decides about the packets from a number on, one after the other.
    mutating func process(_ batch: inout Batch, from first: Int, _ tally: inout Tally) {
        for number in first..<batch.count {
            let way = translateEstablished(number, &batch, &tally)
            if way == .sent || way == .notPlain && updateEstablished(number, &batch, &tally) {
                batch.emitFrame(number)
            } else {
                decide(number, &batch)
            }
        }
    }

    /// The way of a packet that is not simply the next one of an established flow, stage by stage.
    private mutating func decide(_ number: Int, _ batch: inout Batch) {
        var packet = batch.packets[number]
        let firstEmission = batch.emissionCount
        batch.beginPacket()
        var outcome = itinerary(&packet, number, &batch)
        outcome = reportShortage(outcome, &packet, number, &batch)
        if packet.datagram != 0 { settleDatagram(&packet, outcome, number, &batch) }
        packet.verdict = outcome.verdict
        packet.reason = outcome.reason
        packet.firstEmission = UInt32(truncatingIfNeeded: firstEmission)
        packet.emissions = UInt16(truncatingIfNeeded: batch.emissionCount &- firstEmission)
        if outcome.verdict != .hold {
            let length = packet.hasAddresses ? Int(packet.totalLength) : Int(packet.length)
            counters.count(outcome.verdict, outcome.reason, length: length)
        }
        batch.packets[number] = packet
    }

    /// Each stage either ends the way of the packet, or lets it go on to the next one.
    private mutating func itinerary(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome {
        if packet.reason != .none { return .drop(packet.reason) }
        if let reason = refusalOfAnswer(&packet) { return .drop(reason) }
        reconstruct(&packet, number, &batch)
        if let outcome = screen(&packet, number, &batch) { return outcome }
        if let outcome = followFirst(&packet, number, &batch) { return outcome }
        if packet.timeToLive == 0 { return .drop(.ttlZero) }
        if let outcome = track(&packet, number, &batch) { return outcome }
        if let outcome = balance(&packet, number, &batch) { return outcome }
        if let outcome = route(&packet, number, &batch) { return outcome }
        if let outcome = masquerade(&packet) { return outcome }
        return commit(&packet, number, &batch)
    }

    /// Clears away flows and fragments whose time is over; for a worker that has nothing else to do.
    ///
    /// `now` is in nanoseconds of the packets' clock; at most `budget` flows are looked at.
    package mutating func expire(now: UInt64, budget: Int = 256) {
        flows.expire(now: now, budget: budget)
        dropExpired(now: now)
        affinity.expire(now: now, budget: budget)
    }
}

/// The end of a packet's way: what becomes of it, and why.
struct Outcome {
    var verdict: Verdict
    var reason: DropReason

    static func drop(_ reason: DropReason) -> Outcome { Outcome(verdict: .drop, reason: reason) }
    static func sent(_ verdict: Verdict) -> Outcome { Outcome(verdict: verdict, reason: .none) }
}
