package import Datapath
package import Devices
internal import Foundation
package import Logging
internal import Synchronization
internal import Tables
internal import Wire

/// The loop that moves packets: reads batches from the ports, lets the pipeline decide, writes what leaves.
///
/// Theory of operation: one thread owns the ports, the pipeline and the recorder. It reads all ports that are ready until
/// the batch is full or nothing is left, processes, writes, and only then waits again. All frames of a batch share one
/// reading of each clock. With flows in the table it wakes once a second to clear away what is over; an idle daemon
/// without flows sleeps.
package struct Worker: ~Copyable {
    var pipeline: Pipeline
    var batch: Batch
    let ports: [Port]
    var recorder: TraceRecorder?
    private let mailbox: Mailbox
    let requests: WorkerRequests
    private var seenGeneration: UInt64 = 0
    /// The number of the next packet; each segment of a super-packet has one of its own.
    var nextNumber: UInt64 = 1
    private let stop: StopSignal
    let logger: Logger

    var coalescer: Coalescer
    /// The parts of what is written together: headers, then payloads.
    var parts = GatherList(capacity: Coalescer.limit + 1)
    private var polling: Polling

    private static let stopToken = UInt64.max
    private static let mailToken = UInt64.max - 1
    private static let requestToken = UInt64.max - 2
    /// How many flows are held against new rules between two batches: some tens of microseconds.
    private static let reconcileSlice = 1024

    init(
        _ pipeline: consuming Pipeline,
        ports: [Port],
        recorder: consuming TraceRecorder?,
        mailbox: Mailbox,
        requests: WorkerRequests,
        stop: StopSignal,
        polling: Configuration.Polling = .adaptive,
        logger: Logger
    ) {
        self.polling = Polling(polling)
        coalescer = Coalescer(ports.map(\.coalescing))
        batch = Batch(keepsPreimages: recorder != nil)
        self.pipeline = pipeline
        self.ports = ports
        self.recorder = recorder
        self.mailbox = mailbox
        self.requests = requests
        self.logger = logger
        self.stop = stop
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

    private mutating func loop() throws(SystemError) {
        var epoll = try Epoll(capacity: ports.count + 3)
        for (number, port) in ports.enumerated() { try epoll.add(port.queue.pollDescriptor, token: UInt64(number)) }
        try epoll.add(stop.event.descriptor.number, token: Self.stopToken)
        try epoll.add(mailbox.event.descriptor.number, token: Self.mailToken)
        try epoll.add(requests.event.descriptor.number, token: Self.requestToken)
        var turn = 0
        var isBusy = false
        while !stop.isRaised && (ports.isEmpty || !ports.allSatisfy(\.isGone)) {
            // While there is work the ports are asked again after each batch, so that none waits for another.
            let rest: Int32? = pipeline.isReconciling ? 0 : pipeline.flows.count > 0 ? 1000 : nil
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
            if let table = mailbox.exchange(pipeline.services, since: &seenGeneration) {
                pipeline.replaceServices(table)
            }
            let now = UInt64(monotonicNanoseconds())
            if isBusy { try processBatch(now: now) }
            pipeline.reconcile(budget: Self.reconcileSlice)
            pipeline.expire(now: now)
            if let question = requests.next() { question(&self) }
        }
    }

    /// Gives up the recorder, so that its trace can be finished; call it after `run`.
    mutating func endRecording() { recorder = nil }

    /// Lets the interfaces go with this process, for an orderly end; call it after `run`.
    func releaseInterfaces() {
        for port in ports { port.release() }
    }

    /// What became of the packets, in a line for the log.
    var summary: String {
        var parts = ["\(pipeline.counters.received) packets"]
        for verdict in Verdict.allCases where pipeline.counters[verdict] > 0 {
            parts.append("\(verdict.word) \(pipeline.counters[verdict])")
        }
        for reason in DropReason.allCases where pipeline.counters[reason] > 0 {
            parts.append("\(reason.id) \(pipeline.counters[reason])")
        }
        for port in ports where port.framesLost > 0 { parts.append("\(port.label) lost \(port.framesLost) on writing") }
        return parts.joined(separator: ", ")
    }
}

/// Asks a worker to end; from any thread.
package final class StopSignal: Sendable {
    let event: EventFD
    private let flag = Atomic<Bool>(false)

    /// A signal that is not raised.
    package init() throws(SystemError) { event = try EventFD() }

    var isRaised: Bool { flag.load(ordering: .acquiring) }

    /// Asks it.
    package func raise() {
        flag.store(true, ordering: .releasing)
        try? event.signal()
    }
}

/// A worker and the thread it runs on.
package final class WorkerThread {
    private var worker: Worker

    init(_ worker: consuming Worker) { self.worker = worker }

    /// A worker without interfaces, which moves nothing and answers questions until it is told to end.
    package convenience init(
        _ pipeline: consuming Pipeline,
        requests: WorkerRequests,
        stop: StopSignal,
        logger: Logger
    ) throws(SystemError) {
        self.init(
            Worker(
                pipeline,
                ports: [],
                recorder: nil,
                mailbox: try Mailbox(),
                requests: requests,
                stop: stop,
                logger: logger
            )
        )
    }

    /// Runs the worker on a thread of its own, and gives what the log says of it at the end.
    ///
    /// When this returns, or throws what ended the worker, its recorder is gone, so that the trace can be finished.
    package func run() async throws(DaemonError) -> String {
        let failure: DaemonError? = await withCheckedContinuation { continuation in
            let thread = Thread { [self] in
                do throws(DaemonError) {
                    try worker.run()
                    continuation.resume(returning: nil)
                } catch {
                    continuation.resume(returning: error)
                }
            }
            thread.name = "culvert-worker"
            thread.start()
        }
        worker.requests.close()
        worker.endRecording()
        worker.releaseInterfaces()
        if let failure { throw failure }
        return worker.summary
    }
}

// Safe: only `run` touches the worker: on its thread, and, after that has ended, on the caller's.
extension WorkerThread: @unchecked Sendable {}
