internal import Datapath
internal import Devices
internal import Logging
internal import Tables
internal import Wire

/// The loop that moves packets: reads batches from the ports, lets the pipeline decide, writes what leaves.
///
/// Theory of operation: a thread owns a queue of every interface and a batch. It reads all ports that are ready until
/// the batch is full or nothing is left, has the pipeline process it, writes, and only then waits again. All frames of a batch
/// share one reading of each clock. Several workers share the pipeline (`SharedPipeline`), the numbers of packets and the
/// recorder, and nothing else. The first one has the upkeep as well: new rules, the questions of the control side, and
/// what is over. With flows in the table it wakes once a second for that; an idle daemon without flows sleeps.
struct Worker: ~Copyable {
    let shared: SharedPipeline
    /// The worker's number, from 0.
    let number: Int
    var batch: Batch
    let ports: [Port]
    let recorder: SharedRecorder?
    let numbers: PacketNumbers
    private let mailbox: Mailbox
    private let requests: WorkerRequests
    private var seenGeneration: UInt64 = 0
    private let stop: StopSignal
    let logger: Logger

    var coalescer: Coalescer
    /// The parts of what is written together: headers, then payloads.
    var parts = GatherList(capacity: Coalescer.limit + 1)
    private var polling: Polling
    private var gathering = Gathering()
    /// What the last upkeep left to do: flows to hold against new rules, and whether there are flows at all.
    private var isReconciling = false
    private var hasFlows = true
    /// When the next upkeep is due, where others are kept waiting for it.
    private var nextUpkeep: UInt64 = 0

    private static let stopToken = UInt64.max
    private static let mailToken = UInt64.max - 1
    private static let requestToken = UInt64.max - 2
    /// How many flows are held against new rules between two batches: some tens of microseconds.
    private static let reconcileSlice = 1024
    /// How long several workers go on without upkeep, in nanoseconds: a fraction of a tick of the timers.
    private static let upkeepInterval: UInt64 = 1_000_000

    init(_ surroundings: WorkerSurroundings, number: Int, ports: [Port]) {
        shared = surroundings.shared
        self.number = number
        self.ports = ports
        polling = Polling(surroundings.polling)
        coalescer = Coalescer(ports.map(\.coalescing))
        let isRecorded = surroundings.recorder != nil
        batch = Batch(keepsPreimages: isRecorded, describesFlows: isRecorded)
        recorder = surroundings.recorder
        numbers = surroundings.numbers
        mailbox = surroundings.mailbox
        requests = surroundings.requests
        stop = surroundings.stop
        logger = surroundings.logger
    }

    /// Runs until it is told to stop; ends with an error when the system fails or no port is left.
    mutating func run() throws(DaemonError) {
        do throws(SystemError) {
            try loop()
        } catch {
            throw DaemonError(error)
        }
        if !stop.isRaised { throw DaemonError("interfaces: all of them were deleted") }
    }

    /// Whether the upkeep is this one's.
    var isFirst: Bool { number == 0 }

    private mutating func loop() throws(SystemError) {
        var epoll = try Epoll(capacity: ports.count + 3)
        for (number, port) in ports.enumerated() { try epoll.add(port.queue.pollDescriptor, token: UInt64(number)) }
        try epoll.add(stop.event.descriptor.number, token: Self.stopToken)
        if isFirst {
            try epoll.add(mailbox.event.descriptor.number, token: Self.mailToken)
            try epoll.add(requests.event.descriptor.number, token: Self.requestToken)
        }
        var turn = 0
        var isBusy = false
        while !stop.isRaised && (ports.isEmpty || !ports.allSatisfy(\.isGone)) {
            // While there is work the ports are asked again after each batch, so that none waits for another.
            let events = try polling.wait(&epoll, atMost: rest, afterWork: isBusy)
            batch.clear()
            turn &+= 1
            let share = max(Batch.maximumCount / max(events, 1), 1)
            for step in 0..<events {
                let token = epoll[(turn &+ step) % events].token
                if token == Self.mailToken { try mailbox.event.clear() }
                if token >= Self.requestToken { continue }
                let port = ports[Int(token)]
                try read(port, Int(token), atMost: share)
                if port.isGone { try? epoll.remove(port.queue.pollDescriptor) }
            }
            isBusy = batch.count > 0
            if isFirst && mailbox.hasMail(since: seenGeneration) { takeMail() }
            let now = UInt64(monotonicNanoseconds())
            if isBusy { try processBatch(now: now) }
            if isFirst && isUpkeepDue(now) { upkeep(now) }
            if polling.isPatient, gathering.isWorthwhile(source: batch.onlySource, count: batch.count, now: now) {
                gathering.rest()
            }
        }
    }

    /// How long to wait for packets, in milliseconds; nil for ever.
    private var rest: Int32? {
        guard isFirst else { return nil }
        return isReconciling ? 0 : hasFlows || shared.workers > 1 ? 1000 : nil
    }

    /// Gives the pipeline new rules.
    private mutating func takeMail() {
        let (mailbox, seen) = (mailbox, seenGeneration)
        seenGeneration = shared.exclusively { pipeline in
            var generation = seen
            if let table = mailbox.exchange(pipeline.services, since: &generation) { pipeline.replaceServices(table) }
            return generation
        }
        isReconciling = true
    }

    /// Whether the pipeline is to be looked after now: always, where nobody has to wait for it.
    private func isUpkeepDue(_ now: UInt64) -> Bool {
        shared.workers == 1 || now >= nextUpkeep || isReconciling || requests.isAsked
    }

    /// Holds flows against new rules, clears away what is over, and answers a question.
    private mutating func upkeep(_ now: UInt64) {
        nextUpkeep = now &+ Self.upkeepInterval
        let requests = requests
        (isReconciling, hasFlows) = shared.exclusively { pipeline in
            pipeline.reconcile(budget: Self.reconcileSlice)
            pipeline.expire(now: now)
            if let question = requests.next() { question(&pipeline) }
            return (pipeline.isReconciling, pipeline.flows.count > 0)
        }
    }
}
