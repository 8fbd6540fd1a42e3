package import Datapath
internal import Synchronization

/// The newest table of names, for the server: a reload replaces it, queries that come afterwards see the new one.
package final class NameSource: Sendable {
    private let table: Mutex<NameTable>

    /// A source with a first table.
    package init(_ table: NameTable) { self.table = Mutex(table) }

    /// The newest table.
    package var current: NameTable { table.withLock { $0 } }

    /// Takes a new table.
    package func replace(_ table: NameTable) { self.table.withLock { $0 = table } }
}
