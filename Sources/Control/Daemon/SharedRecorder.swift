internal import Datapath
internal import Synchronization

/// The trace's recorder, as all workers use it.
///
/// Theory of operation: whoever has decided about a batch records all of it, under a lock; workers seldom meet there, for
/// sending the packets takes longer. They are recorded before they are sent, so that what answers them stands behind them,
/// whoever reads it. Packets have their numbers from one counter, so that they stay distinct; those of two
/// workers stand in the trace batch by batch, with the times at which they were read.
@safe final class SharedRecorder: Sendable {
    private let lock = Mutex(())
    // Safe: touched under the lock only.
    private nonisolated(unsafe) var recorder: TraceRecorder?

    init(_ recorder: consuming TraceRecorder) {
        let recorder: TraceRecorder? = consume recorder
        unsafe self.recorder = consume recorder
    }

    /// Records all packets of a batch; false if the trace has failed, once: it is not written any more.
    func record(_ batch: borrowing Batch) -> Bool {
        lock.withLock { _ in
            unsafe recorder?.record(batch)
            guard unsafe recorder?.hasFailed ?? false else { return true }
            unsafe recorder = nil
            return false
        }
    }

    /// Gives the recorder up, so that its trace can be finished.
    func end() { lock.withLock { _ in unsafe recorder = nil } }
}
