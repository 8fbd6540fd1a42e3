package import Datapath
package import Devices
internal import Synchronization

/// Questions to the pipeline from outside the workers' threads.
///
/// Theory of operation: a question is a closure that gets the pipeline for one turn of the first worker's loop. Whoever asks
/// puts it into the queue and raises an event that the worker waits for beside its interfaces; the worker takes one question a
/// turn, between two batches, and answers it on its own thread, while no other worker is in the pipeline. So packets wait
/// for one answer at most: what is long (a walk over all flows) is asked in slices, each a question of its own. While nobody
/// asks, this costs a load of an atomic per batch.
package final class WorkerRequests: Sendable {
    private struct Request: Sendable {
        var serve: @Sendable (inout Pipeline) -> Void
        var abandon: @Sendable () -> Void
    }

    private struct State {
        var queue: [Request] = []
        var isClosed = false
    }

    /// What the worker waits for.
    let event: EventFD
    private let count = Atomic<Int>(0)
    private let state = Mutex(State())

    /// A queue without questions.
    package init() throws(SystemError) { event = try EventFD() }

    /// Asks the pipeline, and waits for the answer; `question` runs on the worker's thread and must be short.
    ///
    /// Throws when the worker has ended, or ends before it comes to the question.
    package func ask<Answer: Sendable>(
        _ question: @escaping @Sendable (inout Pipeline) -> Answer
    ) async throws(WorkerGone) -> Answer {
        let answer: Answer? = await withCheckedContinuation { continuation in
            post(
                Request(
                    serve: { pipeline in continuation.resume(returning: question(&pipeline)) },
                    abandon: { continuation.resume(returning: nil) }
                )
            )
        }
        guard let answer else { throw WorkerGone() }
        return answer
    }

    private func post(_ request: Request) {
        let isTaken = state.withLock { state in
            if state.isClosed { return false }
            state.queue.append(request)
            count.store(state.queue.count, ordering: .releasing)
            return true
        }
        guard isTaken else { return request.abandon() }
        try? event.signal()
    }

    /// Whether somebody asks.
    var isAsked: Bool { count.load(ordering: .acquiring) != 0 }

    /// The next question, for the worker to answer at once; nil when there is none.
    @inline(__always) func next() -> (@Sendable (inout Pipeline) -> Void)? {
        isAsked ? take() : nil
    }

    private func take() -> (@Sendable (inout Pipeline) -> Void)? {
        // Lowered first: what is asked from here on raises it again.
        _ = try? event.clear()
        let (request, left) = state.withLock { state in
            let request = state.queue.isEmpty ? nil : state.queue.removeFirst()
            count.store(state.queue.count, ordering: .releasing)
            return (request, state.queue.count)
        }
        if left > 0 { try? event.signal() }
        return request?.serve
    }

    /// Ends all that waits and refuses what comes later; for a worker that has ended.
    package func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.queue = [] }
            return state.queue
        }
        for request in waiting { request.abandon() }
    }
}

/// The worker has ended, so that nobody answers any more.
package struct WorkerGone: Error, Sendable {}
