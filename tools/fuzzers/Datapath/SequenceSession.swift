import Datapath
import FuzzSupport
import TestSupport
import Wire

/// A datapath and its model, taken through a sequence.
struct SequenceSession {
    private static let world = makeWorld()
    private static let mapSize = PinnedMaps.conntrackByteCount(capacity: world.configuration.conntrackCapacity)
    /// Conntrack maps, which outlive a datapath: each restart takes the other one.
    private static let maps = [MemoryFile(byteCount: mapSize), MemoryFile(byteCount: mapSize)]
    // Safe: libFuzzer has one thread. Each sequence, and each restart, begins with a pipeline of its own.
    nonisolated(unsafe) private static let sharedHarness = DatapathHarness(world, frameCapacity: 2048)

    let harness: DatapathHarness
    /// Which map the datapath has.
    private var map = 0
    private(set) var cluster: SequenceCluster
    private var model = SequenceModel()
    /// In seconds.
    private var now = 0.0
    /// The last tuples that were sent on, so that answers and repetitions come about.
    private var recent: [(tuple: FlowTuple, transport: TransportProtocol)] = []

    private static func makeWorld() -> World {
        var world = World()
        world.configuration.conntrackCapacity = 24
        world.configuration.fragmentCapacity = 8
        world.configuration.dnsAddress = nil
        world.names = .empty
        return world
    }

    init(cluster: SequenceCluster) {
        self.cluster = cluster
        harness = unsafe Self.sharedHarness
        begin()
    }

    /// A datapath with an empty map.
    private func begin() {
        let file = Self.maps[map]
        file.clear()
        let maps = PinnedMaps(conntrack: file.region(byteCount: Self.mapSize), affinity: nil)
        harness.begin(Self.world.configuration, services: cluster.table, pinned: maps)
    }

    /// Ends the datapath where it stands, and begins another one that finds its flows: in the map, or in a saved state.
    private mutating func restart() {
        let region = Self.maps[map].region(byteCount: Self.mapSize, isPrivate: true)
        let isSaved = !harness.pipeline.isReconciling && harness.pipeline.flows.count % 2 == 1
        let state = isSaved ? harness.savedState : []
        map = 1 - map
        begin()
        if isSaved {
            let isWhole = harness.resume(state, servicePorts: 3)
            precondition(isWhole, "a state that was saved is refused")
        } else {
            let result = harness.pipeline.restore(conntrack: region, servicePorts: 3, now: Feed([], at: now).now)
            precondition(result.refused == 0, "a flow is lost")
            while harness.pipeline.isReconciling { harness.pipeline.reconcile() }
        }
    }

    /// Takes the next operation.
    mutating func step(_ input: inout FuzzInput) {
        switch input.byte() & 15 {
        case 0...6: send(packet(&input))
        case 7...9: send(related(&input))
        case 10: restart()
        case 11: reload(.of(shape: input.word()), isWhole: true)
        case 12: reload(.of(shape: input.word()), isWhole: false)
        case 13:
            // From a quarter of a second to six hours.
            let shift = input.byte()
            now += 0.25 * Double(1 << Int(shift & 15)) + Double(shift >> 4)
        case 14: harness.idle(until: now)
        default:
            flush()
            model.forgetAll()
        }
        precondition(harness.accountingIssues.isEmpty, "packets are not accounted for")
        precondition(harness.areClassesRight, "flows are not accounted for")
        checkTuples()
        if !harness.pipeline.isReconciling { checkAgreement() }
    }

    /// Removes all flows, as somebody may ask for.
    private func flush() {
        var slice = FlowSlice()
        slice.advance(over: harness.pipeline.flows, now: Feed([], at: now).now)
        _ = harness.pipeline.flush(slice.records.map { FlowIdentity($0) }[...])
    }

    private static let clients = [
        World.client, IPv4Address(10, 244, 2, 6), SequenceCluster.pods[0], World.outside, IPv4Address(203, 0, 113, 3),
        World.node,
    ]
    private static let targets: [(IPv4Address, UInt16)] = [
        (SequenceCluster.web, 80), (SequenceCluster.dns, 53), (SequenceCluster.twin, 80), (SequenceCluster.web, 81),
        (SequenceCluster.balancer, 80), (World.node, 30080), (World.node, 30053), (SequenceCluster.pods[0], 8080),
        (SequenceCluster.pods[1], 53), (World.outside, 443), (IPv4Address(10, 96, 0, 99), 80), (World.node, 22),
    ]
    private static let flags: [TCPFlags] = [
        .syn, .syn, .ack, [.psh, .ack], [.syn, .ack], [.fin, .ack], .rst, [.rst, .ack],
    ]

    /// A packet from somebody to somebody.
    private func packet(_ input: inout FuzzInput) -> [UInt8] {
        let client = Self.clients[input.number(below: Self.clients.count)]
        let (target, targetPort) = Self.targets[input.number(below: Self.targets.count)]
        let detail = input.byte()
        let port = 40000 + UInt16(detail & 3)
        return make(client, port, target, targetPort, detail)
    }

    /// A packet of a flow that was seen, or the answer to it, or an ICMP error about it.
    private func related(_ input: inout FuzzInput) -> [UInt8] {
        let choice = input.byte()
        let detail = input.byte()
        guard !recent.isEmpty else { return [] }
        let found = recent[Int(choice & 7) % recent.count]
        let tuple = choice & 8 == 0 ? found.tuple.reversed : found.tuple
        let isTCP = found.transport == .tcp
        if choice & 0xf0 == 0xf0 {
            let about = make(
                tuple.destination,
                tuple.destinationPort,
                tuple.source,
                tuple.sourcePort,
                isTCP ? detail & 0x7f : detail | 0x80
            )
            return icmpError(World.router, to: tuple.destination, code: 4, rest: 1400, about: about)
        }
        return make(
            tuple.source,
            tuple.sourcePort,
            tuple.destination,
            tuple.destinationPort,
            isTCP ? detail & 0x7f : detail | 0x80
        )
    }

    private func make(_ from: IPv4Address, _ port: UInt16, _ to: IPv4Address, _ toPort: UInt16, _ detail: UInt8)
        -> [UInt8]
    {
        let lifetime: UInt8 = detail >> 5 & 3 == 3 ? 1 : 64
        if detail & 0x80 != 0 {
            return udp(from, port, to: to, toPort, checksum: detail & 4 == 0) { $0.timeToLive = lifetime }
        }
        return tcp(from, port, to: to, toPort, Self.flags[Int(detail >> 2 & 7)]) { $0.timeToLive = lifetime }
    }

    private mutating func send(_ bytes: [UInt8]) {
        if bytes.isEmpty { return }
        let feed = Feed(bytes, at: now)
        let evicted = harness.pipeline.counters.evictions.total
        let treatment = harness.send(bytes, at: now)
        // A full table may give up what matters least; the model does not know which.
        if harness.pipeline.counters.evictions.total != evicted { model.forgetAll() }
        let packet = treatment.packet
        let isSent = treatment.verdict == .forward || treatment.verdict == .pass
        for sent in treatment.sent { checkSound(sent, isSentOn: isSent && !sent.isGenerated) }
        guard packet.hasPorts else { return }
        let expected = model.expectation(packet.tuple, packet.transport, now: feed.now)
        if isSent, let expected, packet.conntrack != .related {
            precondition(packet.translated == expected, "a packet of a live flow is translated in another way")
        }
        if !isSent, expected != nil, packet.transport == .udp, treatment.verdict == .drop {
            precondition(packet.reason != .noService, "a packet of a live flow finds no service")
        }
        guard isSent, packet.conntrack != .related, packet.conntrack != .untracked else { return }
        if packet.marks.contains(.opensFlow) { checkChoice(packet) }
        if packet.conntrack != .invalid { model.note(packet, isService: packet.service != 0) }
        remember(packet)
    }

    /// The flows whose time is not over.
    var liveFlows: [Flow] {
        let time = Feed([], at: now).now
        return harness.flows.filter { $0.deadline > time }
    }

    private mutating func remember(_ packet: Packet) {
        for tuple in [packet.tuple, packet.translated] { recent.append((tuple, packet.transport)) }
        if recent.count > 8 { recent.removeFirst(recent.count - 8) }
    }

    private mutating func reload(_ next: SequenceCluster, isWhole: Bool) {
        cluster = next
        harness.pipeline.replaceServices(next.table)
        harness.pipeline.reconcile(budget: isWhole ? .max : 3)
        model.keep(next)
        if harness.pipeline.isReconciling { model.forgetAll() }
    }
}
