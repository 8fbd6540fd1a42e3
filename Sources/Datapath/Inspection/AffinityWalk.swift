internal import Tables
package import Wire

/// A client that is bound to a backend.
package struct AffinityRecord: Sendable {
    /// The client's address.
    package let client: IPv4Address
    /// The stable number of the ServicePort.
    package let service: UInt32
    /// The backend that its connections get.
    package let backend: FlowEndpoint
    /// When it is forgotten unless it connects again, in nanoseconds of the pipeline's clock.
    package let deadline: UInt64
}

/// A part of a walk over all clients that are remembered, as `FlowSlice` is for flows.
package struct AffinitySlice: Sendable {
    /// The clients of this part.
    package internal(set) var records: [AffinityRecord] = []
    /// The entry that the next part begins with; nil when all have been visited.
    package internal(set) var next: UInt32? = 1
    /// The time of the look, in nanoseconds of the pipeline's clock.
    package internal(set) var now: UInt64 = 0

    /// How many entries are visited in one part.
    static let limit: UInt32 = 2048

    /// The start of a walk.
    package init() {}
}

extension Pipeline {
    /// Goes on with a walk over the affinity table by one part.
    package func advance(_ slice: inout AffinitySlice, now: UInt64) {
        slice.records.removeAll(keepingCapacity: true)
        slice.now = now
        guard let first = slice.next else { return }
        let end = max(first, min(first + AffinitySlice.limit, affinity.entries.highWater))
        for number in first..<end {
            let entry = affinity.entries[number]
            // What is in use stands in the timer wheel.
            guard entry.timerSlot != 0, entry.deadline > now else { continue }
            slice.records.append(
                AffinityRecord(
                    client: IPv4Address(bits: UInt32(truncatingIfNeeded: entry.key)),
                    service: UInt32(truncatingIfNeeded: entry.key >> 32),
                    backend: entry.backend,
                    deadline: entry.deadline
                )
            )
        }
        slice.next = end < affinity.entries.highWater ? end : nil
    }
}
