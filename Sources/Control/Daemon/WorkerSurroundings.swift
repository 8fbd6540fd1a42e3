internal import Datapath
package import Devices
internal import Logging
internal import Synchronization

/// What all workers of a daemon have in common.
struct WorkerSurroundings: Sendable {
    let shared: SharedPipeline
    /// The trace's recorder; nil without a trace.
    let recorder: SharedRecorder?
    let mailbox: Mailbox
    let requests: WorkerRequests
    let stop: StopSignal
    let polling: Configuration.Polling
    let logger: Logger
    let numbers = PacketNumbers()
}

/// Asks workers to end; from any thread.
package final class StopSignal: Sendable {
    let event: EventFD
    private let flag = Atomic<Bool>(false)

    /// A signal that is not raised.
    package init() throws(SystemError) { event = try EventFD() }

    var isRaised: Bool { flag.load(ordering: .acquiring) }

    /// Asks them.
    package func raise() {
        flag.store(true, ordering: .releasing)
        // Nobody takes the event away, so that every worker sees it.
        try? event.signal()
    }
}
