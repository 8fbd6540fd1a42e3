internal import Tables

/// A pipeline that several workers use at the same time.
///
/// Theory of operation: nearly every packet takes the short way, which changes nothing but the record of its flow (`FlowLock`)
/// and otherwise only reads. So workers go the short way side by side. A packet that wants more (a new flow, a
/// change of state, a refusal, a fragment) needs the maps alone: its worker waits until the others are at the end of their
/// batches, and then decides about the rest of its batch with all the others out (`WorkerGate`). So the stages, and whoever
/// inspects or reloads, know nothing of other workers. What the short way counts each worker keeps by itself, until
/// somebody has the pipeline alone. With one worker there is no gate, and no lock.
///
/// Packets of one flow keep their order only within one worker: who feeds several sees to it that a flow stays with one.
@safe package final class SharedPipeline: Sendable {
    // Safe: allocated in init, given back in deinit. Only who is alone in the gate changes the pipeline; who is in it reads,
    // and changes records of flows under their locks.
    private nonisolated(unsafe) let pipeline: UnsafeMutablePointer<Pipeline>
    // Safe: each worker changes its own tally, while it is in the gate; who is alone changes all.
    private nonisolated(unsafe) let tallies: UnsafeMutablePointer<PaddedTally>
    private let gate: WorkerGate

    /// Two cache lines, so that no two workers write to one.
    private struct PaddedTally: BitwiseCopyable {
        var tally = Tally()
        var padding = [10 of UInt64](repeating: 0)
    }

    /// A pipeline for so many workers, which are numbered from 0.
    package init(_ pipeline: consuming Pipeline, workers: Int = 1) {
        gate = WorkerGate(count: workers)
        unsafe self.pipeline = UnsafeMutablePointer<Pipeline>.allocate(capacity: 1)
        unsafe self.pipeline.initialize(to: pipeline)
        unsafe tallies = UnsafeMutablePointer<PaddedTally>.allocate(capacity: gate.count)
        unsafe tallies.initialize(repeating: PaddedTally(), count: gate.count)
    }

    deinit {
        unsafe pipeline.deinitialize(count: 1)
        unsafe pipeline.deallocate()
        unsafe tallies.deallocate()
    }

    /// How many workers there are.
    package var workers: Int { gate.count }

    /// Decides about all packets of a worker's batch; see `Pipeline.process`.
    package func process(_ batch: inout Batch, worker: Int) {
        guard workers > 1 else { return unsafe pipeline.pointee.process(&batch) }
        gate.enter(worker)
        let rest = unsafe pipeline.pointee.processEstablished(&batch, &tallies[worker].tally)
        gate.leave(worker)
        if rest < batch.count {
            exclusively { pipeline in
                var tally = Tally()
                pipeline.process(&batch, from: rest, &tally)
                tally.add(to: &pipeline.counters, &pipeline.programs)
            }
        }
    }

    /// Lends the pipeline to its only user for the moment; for everything but packets.
    ///
    /// From any thread, which is not in `process` or in here; with a single worker, from its thread or while it does not run.
    package func exclusively<Result: ~Copyable, Failure: Error>(
        _ body: (inout Pipeline) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard workers > 1 else { return try unsafe body(&pipeline.pointee) }
        gate.lock()
        defer { gate.unlock() }
        for worker in 0..<workers {
            unsafe tallies[worker].tally.add(to: &pipeline.pointee.counters, &pipeline.pointee.programs)
            unsafe tallies[worker].tally = Tally()
        }
        return try unsafe body(&pipeline.pointee)
    }
}

extension Pipeline {
    /// Sends a worker's packets the short way until one of them wants more; the number of that one.
    fileprivate func processEstablished(_ batch: inout Batch, _ tally: inout Tally) -> Int {
        prepare(&batch, &tally)
        for number in 0..<batch.count {
            guard translateEstablished(number, &batch, &tally, shared: true) == .sent else { return number }
            batch.emitFrame(number)
        }
        return batch.count
    }
}
