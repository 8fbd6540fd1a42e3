internal import Datapath
internal import Devices
internal import Synchronization

/// Hands compiled service tables from the control side to the first worker.
///
/// Theory of operation: the newest table stands under a lock, and its generation in an atomic beside it. A worker
/// compares the generation once per batch, which costs a load, and takes the lock only when it has changed; an event wakes
/// one that waits for packets. A table that was replaced before a worker came is never seen by it. The worker leaves the
/// table that it had, for taking a large table apart takes longer than a batch may.
final class Mailbox: Sendable {
    private struct Contents {
        var table: ServiceTable?
        /// What the worker had before, to be let go on another thread than its own.
        var retired: [ServiceTable] = []
    }

    /// Raised when a table was left.
    let event: EventFD
    private let generation = Atomic<UInt64>(0)
    private let contents = Mutex(Contents())

    init() throws(SystemError) { event = try EventFD() }

    /// Leaves a table for the worker; takes apart what the worker has left.
    func post(_ table: ServiceTable) {
        collect()
        contents.withLock { $0.table = table }
        generation.wrappingAdd(1, ordering: .releasing)
        // An event that cannot be raised means a later swap only: with the next packet, or within a second.
        try? event.signal()
    }

    /// Takes apart what the worker has left, on the caller's thread.
    func collect() {
        _ = contents.withLock { contents in
            defer { contents.retired = [] }
            return contents.retired
        }
    }

    /// Whether a table came since the generation that the worker has seen.
    func hasMail(since seen: UInt64) -> Bool { generation.load(ordering: .acquiring) != seen }

    /// The newest table in exchange for the present one, if one came since the generation that the worker has seen.
    func exchange(_ present: ServiceTable, since seen: inout UInt64) -> ServiceTable? {
        let current = generation.load(ordering: .acquiring)
        if current == seen { return nil }
        seen = current
        return contents.withLock { contents in
            contents.retired.append(present)
            return contents.table
        }
    }
}
