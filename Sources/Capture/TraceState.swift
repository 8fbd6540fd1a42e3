internal import Synchronization

/// What went wrong with a trace, if anything: set once by the writer's thread, read by all.
final class TraceState: Sendable {
    let hasFailed = Atomic<Bool>(false)
    /// Whether nobody wants what was written, whatever the options say.
    let isAbandoned = Atomic<Bool>(false)
    /// Whether the writer's thread has done all it had to do.
    let hasEnded = Atomic<Bool>(false)
    private let first = Mutex<CaptureError?>(nil)

    /// The first error.
    var error: CaptureError? { first.withLock { $0 } }

    func fail(_ error: CaptureError) {
        first.withLock { $0 = $0 ?? error }
        hasFailed.store(true, ordering: .releasing)
    }

    /// Fails, and nothing of the trace is to stay.
    func abandon(_ error: CaptureError) {
        isAbandoned.store(true, ordering: .relaxed)
        fail(error)
    }
}
