package import Datapath
internal import Tables
package import Wire

/// A packet that left the datapath.
package struct SentPacket: Sendable, Equatable {
    package var bytes: [UInt8]
    package var egress: UInt16
    package var isGenerated: Bool
    package var isReleased: Bool
    /// What is left to the kernel.
    package var header: VirtioNetHeader
    /// The number of the input packet that it belongs to.
    package var number: UInt64
}

/// What became of one input packet: all that events say of it, and what left because of it.
package struct Treatment: Sendable {
    package var packet: Packet
    package var sent: [SentPacket]

    package var verdict: Verdict { packet.verdict }
    package var reason: DropReason { packet.reason }
    package var conntrack: ConntrackState { packet.conntrack }
    /// The only packet that left; nil for none and for several.
    package var only: SentPacket? { sent.count == 1 ? sent[0] : nil }

    /// Verdict, reason and conntrack state in one word each, for tables of expectations.
    package var summary: String { "\(verdict.word) \(reason.id.isEmpty ? "-" : reason.id) \(conntrack.word)" }

    /// Whether another run agrees on everything: verdict, all fields of the event, the bytes.
    package func agrees(with other: Treatment) -> Bool {
        let (mine, theirs) = (packet, other.packet)
        return mine.number == theirs.number && mine.verdict == theirs.verdict && mine.reason == theirs.reason
            && mine.conntrack == theirs.conntrack && mine.frontend == theirs.frontend && mine.flow == theirs.flow
            && mine.service == theirs.service && mine.backend == theirs.backend && mine.marks == theirs.marks
            && mine.masquerade == theirs.masquerade && mine.egress == theirs.egress && mine.tuple == theirs.tuple
            && mine.translated == theirs.translated && sent == other.sent
    }

    /// All of that in words.
    package var details: String {
        "\(packet.number) \(summary) \(packet.frontend.word) \(packet.service) \(packet.backend) \(packet.masquerade) "
            + "\(packet.flow) \(packet.egress) \(packet.tuple) \(packet.translated) \(sent)"
    }
}

/// A packet to be fed: its bytes, its time, and the interface it comes from.
package struct Feed: Sendable {
    package var bytes: [UInt8]
    /// In nanoseconds.
    package var now: UInt64
    /// Where the source is routed when nil.
    package var ingress: UInt16?
    package var marks: PacketMarks = []
    /// The length before a capture cut the packet.
    package var wireLength: Int?
    /// What the kernel left undone in it.
    package var header = VirtioNetHeader.plain
    package var linkReason: DropReason = .none

    package init(_ bytes: [UInt8], at seconds: Double = 0, from ingress: UInt16? = nil) {
        self.bytes = bytes
        now = DatapathHarness.epoch + UInt64(seconds * 1e9)
        self.ingress = ingress
    }
}

/// A pipeline with its batch, fed with byte arrays.
///
/// Time is virtual: it begins at `epoch` and is what the packets say. The batch size is a parameter, because nothing
/// may depend on it.
package final class DatapathHarness {
    package var pipeline: Pipeline
    private var batch: Batch
    private let interfaces: InterfaceTable
    private let batchSize: Int
    private var number: UInt64 = 0
    /// What every step must keep, checked after each batch: see `accountingIssue`.
    package private(set) var accountingIssues: [String] = []

    /// The time of second 0.
    package static let epoch: UInt64 = 1_000_000_000_000

    /// A pipeline without flows; its records are in `pinned` maps, where there are some.
    package init(
        _ world: World = World(),
        batchSize: Int = 1,
        frameCapacity: Int = 65535,
        describesFlows: Bool = true,
        pinned maps: consuming PinnedMaps = PinnedMaps()
    ) {
        interfaces = InterfaceTable(world.interfaces)
        pipeline = Pipeline(
            world.configuration,
            interfaces: interfaces,
            services: world.services,
            pinned: maps
        )
        batch = Batch(frameCapacity: frameCapacity, describesFlows: describesFlows)
        self.batchSize = batchSize
    }

    /// Begins anew with a pipeline without flows, and with packet 1; the interfaces stay.
    package func begin(
        _ configuration: DatapathConfiguration,
        services: ServiceTable,
        pinned maps: consuming PinnedMaps = PinnedMaps()
    ) {
        pipeline = Pipeline(configuration, interfaces: interfaces, services: services, pinned: maps)
        number = 0
        accountingIssues = []
    }

    /// Feeds one packet in a batch of its own.
    @discardableResult
    package func send(_ bytes: [UInt8], at seconds: Double = 0, from ingress: UInt16? = nil) -> Treatment {
        let treatments = send([Feed(bytes, at: seconds, from: ingress)])
        return treatments[0]
    }

    /// Feeds packets in batches, and tells what became of each.
    @discardableResult
    package func send(_ feeds: [Feed]) -> [Treatment] {
        var treatments: [Treatment] = []
        treatments.reserveCapacity(feeds.count)
        var next = 0
        while next < feeds.count {
            let end = min(next + batchSize, feeds.count)
            batch.clear()
            for feed in feeds[next..<end] { append(feed) }
            pipeline.process(&batch)
            collect(into: &treatments)
            if let issue = accountingIssue { accountingIssues.append(issue) }
            next = end
        }
        return treatments
    }

    /// Feeds packets in one batch, and gives what is written then: each emission by itself, and as the daemon writes
    /// them, some together.
    package func write(_ feeds: [Feed], _ kinds: Coalescer.Kinds = [.tcp, .udp]) -> (
        alone: [SentPacket], together: [SentPacket]
    ) {
        batch.clear()
        for feed in feeds { append(feed) }
        pipeline.process(&batch)
        let alone = (0..<batch.emissionCount).map { sent(batch.emissions[$0]) }
        var together: [SentPacket] = []
        var coalescer = Coalescer([Coalescer.Kinds](repeating: kinds, count: interfaces.interfaces.count))
        coalescer.plan(batch)
        for group in 0..<coalescer.groupCount {
            let first = coalescer.first(group)
            var one = alone[first]
            if coalescer.count(group) > 1 {
                coalescer.makeHeaders(group, batch)
                let headers = Self.copy(coalescer.headerBytes())
                one.header = withBytes(of: headers) { VirtioNetHeader($0) }
                one.bytes = Array(headers[VirtioNetHeader.length...])
                var next: Int? = first
                while let number = next {
                    one.bytes += Self.copy(batch.payload(of: batch.emissions[number], behind: coalescer.headerLength))
                    next = coalescer.next(number)
                }
            }
            together.append(one)
        }
        return (alone, together)
    }

    /// The state of the pipeline, as it is saved.
    package var savedState: [UInt8] {
        var encoder = StateEncoder()
        pipeline.save(to: &encoder)
        return encoder.bytes
    }

    /// Goes on from a state that was saved at a time, after `count` packets; false when it was refused.
    package func resume(
        _ state: [UInt8],
        after count: Int = 0,
        servicePorts: Int = 1000,
        now: UInt64 = 1 << 62
    ) -> Bool {
        var decoder = StateDecoder(state)
        pipeline.restore(from: &decoder, servicePorts: servicePorts, now: now)
        number = UInt64(count)
        return decoder.isWhole && decoder.isAtEnd
    }

    /// Takes over other rules, and holds all flows against them, `slice` at a time.
    package func reload(_ rules: ServiceSpecification, slice: Int = .max) {
        pipeline.replaceServices(ServiceTable(rules, seed: pipeline.configuration.seed))
        while pipeline.isReconciling { pipeline.reconcile(budget: slice) }
    }

    /// Lets time pass without packets, as an idle worker does.
    package func idle(until seconds: Double) {
        pipeline.expire(now: Self.epoch + UInt64(seconds * 1e9), budget: .max)
    }

    /// A pipeline that packets went through, to be handed on; their ingress must be given, or follow from the source.
    package static func pipeline(_ pipeline: consuming Pipeline, after feeds: [Feed]) -> Pipeline {
        var pipeline = pipeline
        var batch = Batch(frameCapacity: 2048)
        for feed in feeds {
            batch.clear()
            var packet = Packet()
            packet.now = feed.now
            packet.length = Int32(feed.bytes.count)
            packet.wireLength = packet.length
            packet.ingress = feed.ingress ?? 0
            append(packet, feed.bytes, to: &batch)
            pipeline.process(&batch)
        }
        return pipeline
    }

    private func append(_ feed: Feed) {
        number += 1
        var packet = Packet()
        packet.number = number
        packet.now = feed.now
        packet.length = Int32(feed.bytes.count)
        packet.wireLength = Int32(feed.wireLength ?? feed.bytes.count)
        packet.marks = feed.marks
        packet.linkReason = feed.linkReason
        packet.ingress = feed.ingress ?? routed(feed.bytes)
        Self.append(packet, feed.bytes, feed.header, to: &batch)
    }

    private static func append(
        _ packet: Packet,
        _ bytes: [UInt8],
        _ header: VirtioNetHeader = .plain,
        to batch: inout Batch
    ) {
        var packet = packet
        do {
            var frame = batch.frames.frame(batch.count, length: bytes.count)
            for (offset, byte) in bytes.enumerated() { frame.store8(byte, at: offset) }
            packet.accept(header, &frame)
        }
        _ = batch.append(packet)
    }

    /// The interface that leads to a packet's source; the uplink when there is none to be read.
    private func routed(_ bytes: [UInt8]) -> UInt16 {
        guard bytes.count >= 16 else { return World.uplink }
        let source = IPv4Address(bytes[12], bytes[13], bytes[14], bytes[15])
        return interfaces.egress(to: source) ?? World.uplink
    }

    private func collect(into treatments: inout [Treatment]) {
        for place in 0..<batch.count {
            let packet = batch.packets[place]
            var sent: [SentPacket] = []
            for number in Int(packet.firstEmission)..<Int(packet.firstEmission) + Int(packet.emissions) {
                sent.append(self.sent(batch.emissions[number]))
            }
            treatments.append(Treatment(packet: packet, sent: sent))
        }
    }

    private func sent(_ emission: Emission) -> SentPacket {
        let (header, bytes) = Self.bytes(of: emission, in: &batch)
        return SentPacket(
            bytes: bytes,
            egress: emission.egress,
            isGenerated: emission.isGenerated,
            isReleased: emission.isReleased,
            header: header,
            number: emission.packetNumber
        )
    }

    private static func bytes(of emission: Emission, in batch: inout Batch) -> (VirtioNetHeader, [UInt8]) {
        let view = batch.framedBytes(of: emission)
        return (VirtioNetHeader(view.bytes), copy(view.bytes.extracting(VirtioNetHeader.length..<view.byteCount)))
    }

    private static func copy(_ view: RawSpan) -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(view.byteCount)
        for offset in 0..<view.byteCount { copy.append(view.load8(offset)) }
        return copy
    }

    /// What is wrong with the counts of the packets: `in = forward + pass + local + reject + drop + answer + held`.
    private var accountingIssue: String? {
        let done = [Verdict.forward, .pass, .local, .reject, .drop, .answer].reduce(0) { $0 + pipeline.counters[$1] }
        let held = UInt64(pipeline.heldPackets)
        let received = pipeline.counters.received
        if received != done + held { return "packet \(number): in \(received), done \(done), held \(held)" }
        if pipeline.counters[.undecided] + pipeline.counters[.hold] != 0 { return "packet \(number): no final verdict" }
        return nil
    }

    /// The flows in the table, the expired ones that were not cleared away yet included.
    package var flows: [Flow] {
        var found: [Flow] = []
        var number: UInt32 = 1
        while number < pipeline.flows.flows.highWater {
            let flow = pipeline.flows.flows[number]
            if flow.transport.rawValue != 0 { found.append(flow) }
            number += 1
        }
        return found
    }

    /// Tuples that two flows share, which none may: the walk that the invariant "one tuple, one flow" asks for.
    package var sharedTuples: [FlowTuple] {
        struct Key: Hashable {
            var tuple: FlowTuple
            var transport: TransportProtocol
        }
        var seen = Set<Key>()
        var shared: [FlowTuple] = []
        for flow in flows {
            for tuple in [flow.original, flow.reply] {
                if !seen.insert(Key(tuple: tuple, transport: flow.transport)).inserted { shared.append(tuple) }
            }
        }
        return shared
    }

    /// Whether the maps of used ports say what the conntrack table says.
    package var isPortMapRight: Bool { pipeline.flows.arePortMapsRight }

    /// Whether every flow is in the list and the count of its class, and no flow was lost or made up.
    package var areClassesRight: Bool {
        let counters = pipeline.counterSnapshot
        let gone =
            counters.expirations.total + counters.evictions.total + counters.flowsReplaced + counters.flowsFlushed
            + counters.flowsReconciled
        let come = counters.flowsCreated + counters.flowsRestored
        return pipeline.flows.areClassesRight && come == gone + UInt64(counters.flows.count)
    }

    /// How many destinations have a map of used ports.
    package var portMapCount: Int { pipeline.maps.first { $0.name == "nat" }?.entries ?? 0 }

    /// Takes all flows out of the table, as a command may.
    package func removeFlows() {
        var number: UInt32 = 1
        while number < pipeline.flows.flows.highWater {
            if pipeline.flows.flows[number].transport.rawValue != 0 { pipeline.flows.remove(number) }
            number += 1
        }
    }
}
