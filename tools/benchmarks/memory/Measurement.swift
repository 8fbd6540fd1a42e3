import Datapath
import Wire

/// Runs one scenario: opens its flows, then measures rounds of batches.
///
/// A round makes every packet from a template and a tuple, as a read() would put it there, and hands batches of 64 to
/// `Pipeline.process`. The same without the pipeline is measured next to it and subtracted.
struct Measurement: ~Copyable {
    private let options: Options
    private var pipeline: Pipeline
    private var batch = Batch(frameCapacity: 2048)
    private var tuples: [Tuple]
    private var now: UInt64 = 1_000_000_000
    private var position = 0
    private(set) var gross: [Double] = []
    private(set) var filling: [Double] = []

    init(_ options: Options) {
        self.options = options
        pipeline = Network.makePipeline(options)
        tuples = options.scenario.tuples(options)
        if options.scenario != .new && options.scenario != .malformed { open() }
        shuffle()
    }

    /// How many flows the table has room for.
    var capacity: Int { pipeline.flows.capacity }

    /// Opens all flows with a handshake; for the scenario of replies, turns the tuples around.
    private mutating func open() {
        let scenario = options.scenario
        let opening = Template(.syn)
        var replies: [Tuple] = []
        replies.reserveCapacity(tuples.count)
        for first in stride(from: 0, to: tuples.count, by: Batch.maximumCount) {
            fill(opening, first, min(first + Batch.maximumCount, tuples.count), scenario.clientIngress)
            pipeline.process(&batch)
            for number in 0..<batch.count { replies.append(answered(number)) }
        }
        precondition(pipeline.flows.count == options.flows, "not every flow was opened")
        let requests = tuples
        tuples = replies
        // Both SYNs carry the 24 bytes that every template has, so that each side goes on with number 26.
        send(Template([.syn, .ack], acknowledgment: 26), scenario.serverIngress)
        tuples = requests
        send(Template(.ack, sequence: 26, acknowledgment: 26), scenario.clientIngress)
        if scenario == .reply { tuples = replies }
        precondition(pipeline.counters[scenario.verdict] == pipeline.counters.received, "a packet had another verdict")
    }

    /// The tuple of the answer to a packet of the batch as it leaves.
    private mutating func answered(_ number: Int) -> Tuple {
        let bytes = batch.frames.bytes(number, length: 40)
        return Tuple(
            source: IPv4Address(bits: bytes.loadBE32(16)),
            destination: IPv4Address(bits: bytes.loadBE32(12)),
            sourcePort: bytes.loadBE16(22),
            destinationPort: bytes.loadBE16(20)
        )
    }

    private mutating func send(_ template: borrowing Template, _ ingress: UInt16) {
        for first in stride(from: 0, to: tuples.count, by: Batch.maximumCount) {
            fill(template, first, min(first + Batch.maximumCount, tuples.count), ingress)
            pipeline.process(&batch)
        }
    }

    /// Flows in the order of their opening would be records in the order of memory, which no network sends.
    private mutating func shuffle() {
        var generator = FlowOrder()
        tuples.shuffle(using: &generator)
    }

    mutating func run() {
        let template = measuredTemplate()
        // The first round is not counted: it touches memory that was never touched.
        for round in 0...options.rounds {
            let (alone, all) = options.scenario == .new ? newFlows(template) : steady(template)
            if round > 0 {
                filling.append(alone)
                gross.append(all)
            }
        }
        precondition(
            pipeline.counters[options.scenario.verdict] == pipeline.counters.received,
            "a packet had another verdict"
        )
        precondition(pipeline.counters.invalidSegments == 0, "a segment did not fit its connection")
    }

    private func measuredTemplate() -> Template {
        switch options.scenario {
        case .new: Template(.syn)
        case .malformed: Template(.ack, acknowledgment: 2, cut: 32)
        default: Template(.ack, sequence: 26, acknowledgment: 26)
        }
    }

    /// ns per packet of filling alone, and with the pipeline.
    private mutating func steady(_ template: borrowing Template) -> (alone: Double, all: Double) {
        let batches = options.packets / Batch.maximumCount + 1
        let alone = timed(template, batches, processing: false)
        let all = timed(template, batches, processing: true)
        let packets = Double(batches * Batch.maximumCount)
        return (alone: Double(alone) / packets, all: Double(all) / packets)
    }

    private mutating func timed(_ template: borrowing Template, _ batches: Int, processing: Bool) -> UInt64 {
        let ingress = options.scenario.ingress
        // Goes on where the round before has ended, so that short rounds reach all flows too.
        var next = position
        defer { position = next }
        let begin = nanoseconds()
        for _ in 0..<batches {
            fillAround(template, &next, ingress)
            if processing { pipeline.process(&batch) }
        }
        return nanoseconds() - begin
    }

    /// All flows are opened, and then expire outside of the clock; again until there were enough packets.
    private mutating func newFlows(_ template: borrowing Template) -> (alone: Double, all: Double) {
        let sweeps = max(1, options.packets / tuples.count)
        var alone: UInt64 = 0
        var all: UInt64 = 0
        for _ in 0..<sweeps {
            alone += sweep(template, processing: false)
            all += sweep(template, processing: true)
            precondition(pipeline.flows.count == tuples.count, "not every flow was opened")
            now += 3_600_000_000_000
            var turns = 0
            while pipeline.flows.count > 0 && turns < 100_000 {
                pipeline.expire(now: now, budget: 1 << 20)
                turns += 1
            }
            precondition(pipeline.flows.count == 0, "not every flow expired")
        }
        let packets = Double(sweeps * tuples.count)
        return (alone: Double(alone) / packets, all: Double(all) / packets)
    }

    private mutating func sweep(_ template: borrowing Template, processing: Bool) -> UInt64 {
        let begin = nanoseconds()
        for first in stride(from: 0, to: tuples.count, by: Batch.maximumCount) {
            fill(template, first, min(first + Batch.maximumCount, tuples.count), options.scenario.ingress)
            if processing { pipeline.process(&batch) }
        }
        return nanoseconds() - begin
    }

    @inline(never) private mutating func fill(
        _ template: borrowing Template,
        _ first: Int,
        _ end: Int,
        _ ingress: UInt16
    ) {
        batch.clear()
        var packet = emptyPacket(template.length, ingress)
        for number in first..<end {
            packet.number &+= 1
            let place = batch.append(packet)
            template.write(tuples[number], to: &batch.frames, place)
        }
    }

    /// A whole batch from `next` on, and from the first tuple again after the last.
    @inline(never) private mutating func fillAround(
        _ template: borrowing Template,
        _ next: inout Int,
        _ ingress: UInt16
    ) {
        batch.clear()
        var packet = emptyPacket(template.length, ingress)
        for _ in 0..<Batch.maximumCount {
            packet.number &+= 1
            let place = batch.append(packet)
            template.write(tuples[next], to: &batch.frames, place)
            next &+= 1
            if next == tuples.count { next = 0 }
        }
    }

    private func emptyPacket(_ length: Int, _ ingress: UInt16) -> Packet {
        var packet = Packet()
        packet.length = Int32(length)
        packet.wireLength = packet.length
        packet.now = now
        packet.ingress = ingress
        return packet
    }
}

/// The order in which flows are used: the same in every run.
struct FlowOrder: RandomNumberGenerator {
    private var state: UInt64 = 0x9e37_79b9_7f4a_7c15
    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
