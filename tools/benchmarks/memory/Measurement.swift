import Datapath
import Wire

/// Runs one scenario: opens its flows, then measures rounds of batches.
///
/// A round makes every packet from a template and a tuple, as a read() would put it there, and hands batches of 64 to
/// `Pipeline.process`. The same without the pipeline is measured next to it and subtracted.
struct Measurement: ~Copyable {
    private let options: Options
    private var pipeline: Pipeline
    private var feeder: Feeder
    private(set) var gross: [Double] = []
    private(set) var filling: [Double] = []

    init(_ options: Options) {
        self.options = options
        pipeline = Network.makePipeline(options)
        feeder = Feeder(options.scenario.tuples(options))
        if options.scenario != .new && options.scenario != .malformed { open() }
        feeder.shuffle(seed: 0)
    }

    /// How many flows the table has room for.
    var capacity: Int { pipeline.flows.capacity }

    /// Opens all flows with a handshake; for the scenario of replies, turns the feeder.tuples around.
    private mutating func open() {
        let scenario = options.scenario
        let opening = Template(.syn)
        var replies: [Tuple] = []
        replies.reserveCapacity(feeder.tuples.count)
        for first in stride(from: 0, to: feeder.tuples.count, by: Batch.maximumCount) {
            feeder.fill(opening, first, min(first + Batch.maximumCount, feeder.tuples.count), scenario.clientIngress)
            pipeline.process(&feeder.batch)
            for number in 0..<feeder.batch.count { replies.append(answered(number)) }
        }
        precondition(pipeline.flows.count == options.flows, "not every flow was opened")
        let requests = feeder.tuples
        feeder.tuples = replies
        // Both SYNs carry the 24 bytes that every template has, so that each side goes on with number 26.
        send(Template([.syn, .ack], acknowledgment: 26), scenario.serverIngress)
        feeder.tuples = requests
        send(Template(.ack, sequence: 26, acknowledgment: 26), scenario.clientIngress)
        if scenario == .reply { feeder.tuples = replies }
        precondition(pipeline.counters[scenario.verdict] == pipeline.counters.received, "a packet had another verdict")
    }

    /// The tuple of the answer to a packet of the feeder.batch as it leaves.
    private mutating func answered(_ number: Int) -> Tuple {
        let bytes = feeder.batch.frames.bytes(number, length: 40)
        return Tuple(
            source: IPv4Address(bits: bytes.loadBE32(16)),
            destination: IPv4Address(bits: bytes.loadBE32(12)),
            sourcePort: bytes.loadBE16(22),
            destinationPort: bytes.loadBE16(20)
        )
    }

    private mutating func send(_ template: borrowing Template, _ ingress: UInt16) {
        for first in stride(from: 0, to: feeder.tuples.count, by: Batch.maximumCount) {
            feeder.fill(template, first, min(first + Batch.maximumCount, feeder.tuples.count), ingress)
            pipeline.process(&feeder.batch)
        }
    }

    mutating func run() {
        let template = Self.template(options.scenario)
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

    static func template(_ scenario: Scenario) -> Template {
        switch scenario {
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
        let begin = nanoseconds()
        for _ in 0..<batches {
            feeder.fillAround(template, ingress)
            if processing { pipeline.process(&feeder.batch) }
        }
        return nanoseconds() - begin
    }

    /// All flows are opened, and then expire outside of the clock; again until there were enough packets.
    private mutating func newFlows(_ template: borrowing Template) -> (alone: Double, all: Double) {
        let sweeps = max(1, options.packets / feeder.tuples.count)
        var alone: UInt64 = 0
        var all: UInt64 = 0
        for _ in 0..<sweeps {
            alone += sweep(template, processing: false)
            all += sweep(template, processing: true)
            precondition(pipeline.flows.count == feeder.tuples.count, "not every flow was opened")
            feeder.now += 3_600_000_000_000
            var turns = 0
            while pipeline.flows.count > 0 && turns < 100_000 {
                pipeline.expire(now: feeder.now, budget: 1 << 20)
                turns += 1
            }
            precondition(pipeline.flows.count == 0, "not every flow expired")
        }
        let packets = Double(sweeps * feeder.tuples.count)
        return (alone: Double(alone) / packets, all: Double(all) / packets)
    }

    private mutating func sweep(_ template: borrowing Template, processing: Bool) -> UInt64 {
        let begin = nanoseconds()
        for first in stride(from: 0, to: feeder.tuples.count, by: Batch.maximumCount) {
            feeder.fill(template, first, min(first + Batch.maximumCount, feeder.tuples.count), options.scenario.ingress)
            if processing { pipeline.process(&feeder.batch) }
        }
        return nanoseconds() - begin
    }

    /// Gives the pipeline with its flows to several workers, and the feeder.tuples that belong to them.
    consuming func share(workers: Int) -> (SharedPipeline, [Tuple]) {
        let tuples = feeder.tuples
        return (SharedPipeline(pipeline, workers: workers), tuples)
    }
}
