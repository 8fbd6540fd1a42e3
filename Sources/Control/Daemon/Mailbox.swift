internal import Datapath
internal import Synchronization

/// Hands compiled service tables from the control side to a worker.
///
/// Theory of operation: the newest table stands under a lock, and its generation in an atomic beside it. A worker
/// compares the generation once per batch, which costs a load, and takes the lock only when it has changed. A table that
/// was replaced before a worker came is never seen by it.
final class Mailbox: Sendable {
    private let generation = Atomic<UInt64>(0)
    private let table = Mutex<ServiceTable?>(nil)

    /// Leaves a table for the worker.
    func post(_ table: ServiceTable) {
        self.table.withLock { $0 = table }
        generation.wrappingAdd(1, ordering: .releasing)
    }

    /// The newest table, if one came since the generation that the worker has seen.
    func take(since seen: inout UInt64) -> ServiceTable? {
        let current = generation.load(ordering: .acquiring)
        if current == seen { return nil }
        seen = current
        return table.withLock { $0 }
    }
}
