internal import Tables
internal import Wire

extension NameTable {
    /// A number that tells tables apart: those with one seed and the same names and records, gathered in the same order, have
    /// the same.
    package var digest: UInt64 {
        let hash = SeededHash(seed: 0)
        var mixed = UInt64(mailbox)
        for number in 0..<nodes.count {
            let node = nodes[number]
            mixed = hash(mixed, UInt64(node.parent) << 32 | UInt64(node.label))
            mixed = hash(mixed, UInt64(node.firstRecord) << 32 | UInt64(node.recordCount))
            mixed = hash(mixed, UInt64(node.length) << 8 | UInt64(node.marks.rawValue))
        }
        for number in 0..<records.count {
            let record = records[number]
            mixed = hash(mixed, UInt64(record.type.rawValue) << 16 | UInt64(record.port))
            mixed = hash(mixed, UInt64(record.value))
        }
        for place in 0..<labels.count { mixed = hash(mixed, labels[place]) }
        return mixed
    }
}
