import Datapath
import Dispatch

/// ns of processor time per packet of workers that use one pipeline at the same time, filling subtracted.
///
/// Each has flows of its own, or all use all flows, each in an order of its own. Every worker measures itself; waiting for another one
/// costs processor time too. What the workers do together in a second follows from it.
func measureWorkers(_ options: Options) {
    let measurement = Measurement(options)
    let (pipeline, tuples) = measurement.share(workers: options.workers)
    let results = Results(count: options.workers)
    DispatchQueue.concurrentPerform(iterations: options.workers) { worker in
        let share = tuples.count / options.workers
        let own = options.sharesFlows ? tuples : Array(tuples[worker * share..<(worker + 1) * share])
        var feeder = Feeder(own)
        feeder.shuffle(seed: UInt64(worker) &* 0x1234_5677)
        let template = Measurement.template(options.scenario)
        let batches = options.packets / Batch.maximumCount + 1
        for _ in 0..<options.rounds {
            let begin = nanoseconds()
            for _ in 0..<batches { feeder.fillAround(template, options.scenario.ingress) }
            let middle = nanoseconds()
            for _ in 0..<batches {
                feeder.fillAround(template, options.scenario.ingress)
                pipeline.process(&feeder.batch, worker: worker)
            }
            let packets = Double(batches * Batch.maximumCount)
            let alone = Double(middle - begin) / packets
            results.add(worker, Double(nanoseconds() - middle) / packets - alone)
        }
    }
    let sound = pipeline.exclusively { $0.counters[options.scenario.verdict] == $0.counters.received }
    precondition(sound, "a packet had another verdict")
    print("{\"workers\":\(options.workers),\"net\":\(results.rounds)}")
}

/// What the workers have measured, each in a place of its own.
private final class Results: @unchecked Sendable {
    // Safe: a worker writes to its own array only, under the lock; they are read when all workers are done.
    private(set) var rounds: [[Double]]
    private let lock = DispatchSemaphore(value: 1)

    init(count: Int) { rounds = [[Double]](repeating: [], count: count) }

    func add(_ worker: Int, _ round: Double) {
        lock.wait()
        rounds[worker].append(round)
        lock.signal()
    }
}
