internal import Capture
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

    /// Records all packets of a batch; gives, once, why the trace cannot be written any more, which it is not from then on.
    func record(_ batch: borrowing Batch) -> CaptureError? {
        lock.withLock { _ in
            unsafe recorder?.record(batch)
            guard let failure = unsafe recorder?.failure else { return nil }
            unsafe recorder = nil
            return failure
        }
    }

    /// Gives the recorder up, so that its trace can be finished.
    func end() { lock.withLock { _ in unsafe recorder = nil } }
}
