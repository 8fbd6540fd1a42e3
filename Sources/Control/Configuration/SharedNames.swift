internal import Datapath
internal import Synchronization

/// The names of clusters that follow on each other, compiled once for as long as nothing about them changes.
final class SharedNames: Sendable {
    private struct Made: Sendable {
        var seed: UInt64
        var table: NameTable
    }

    private let made = Mutex<Made?>(nil)

    /// The table under a seed; what `compile` gives is kept.
    func table(seed: UInt64, _ compile: () -> NameTable) -> NameTable {
        made.withLock { made in
            if let made, made.seed == seed { return made.table }
            let table = compile()
            made = Made(seed: seed, table: table)
            return table
        }
    }
}
