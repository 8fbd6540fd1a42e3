/// A table of 16-bit numbers that never changes, and that several owners may share.
@safe public final class SharedTable: @unchecked Sendable {
    // Safe: the memory is written in init only, read-only from then on, and freed once, when the last owner is gone.
    fileprivate let base: UnsafeMutablePointer<UInt16>
    /// How many numbers there are.
    public let count: Int

    /// A table with these numbers.
    public init(_ numbers: [UInt16]) {
        count = numbers.count
        unsafe base = .allocate(capacity: max(numbers.count, 1))
        for (place, number) in numbers.enumerated() { unsafe (base + place).initialize(to: number) }
    }

    deinit { unsafe base.deallocate() }
}

/// A fixed number of shared tables of one size, read without touching a reference count.
@safe public struct SharedTables: ~Copyable {
    /// The tables, which live at least as long as this value.
    public let tables: [SharedTable]
    /// How many numbers each table has.
    public let size: Int
    // Safe: each pointer leads to `size` numbers of the table in the same place of `tables`, which this value keeps alive.
    private let bases: UnsafeMutablePointer<UnsafeMutablePointer<UInt16>>

    /// Some tables, all of `size`.
    ///
    /// Traps if one is of another size.
    public init(_ tables: [SharedTable], size: Int) {
        precondition(tables.allSatisfy { $0.count == size })
        self.tables = tables
        self.size = size
        unsafe bases = .allocate(capacity: max(tables.count, 1))
        for (place, table) in tables.enumerated() { unsafe (bases + place).initialize(to: table.base) }
    }

    deinit { unsafe bases.deallocate() }

    /// A number of a table.
    ///
    /// Traps outside of the tables and of their size.
    public subscript(table: UInt32, place: Int) -> UInt16 {
        precondition(Int(table) < tables.count && UInt(bitPattern: place) < UInt(bitPattern: size))
        return unsafe bases[Int(table)][place]
    }

    /// Asks the processor to load the line of a number of a table; harmless outside of the tables.
    public func prefetch(table: UInt32, place: Int) {
        guard Int(table) < tables.count, UInt(bitPattern: place) < UInt(bitPattern: size) else { return }
        // Safe: both are within their bounds.
        unsafe Prefetch.line(bases[Int(table)] + place)
    }
}

// Safe: nothing changes after init.
extension SharedTables: @unchecked Sendable {}
