internal import Tables
internal import Wire

/// A flow as it was when somebody looked, and the record it was found in.
package struct FlowRecord: Sendable {
    /// The number of its record; with the flow's identifier it says whether the record is still this flow's.
    package let number: UInt32
    /// A copy of the record.
    package let flow: Flow
}

/// A part of a walk over all flows: the copies, and where the walk goes on.
///
/// Its room is used again from slice to slice, so that a walk allocates once.
package struct FlowSlice: Sendable {
    /// The flows of this part that were alive.
    package private(set) var records: [FlowRecord] = []
    /// The record that the next part begins with; nil when all have been visited.
    package private(set) var next: UInt32? = 1
    /// The time of the look, in nanoseconds of the pipeline's clock.
    package private(set) var now: UInt64 = 0

    /// How many records are visited in one part.
    package static let limit = 2048

    /// The start of a walk.
    package init() { records.reserveCapacity(Self.limit) }

    /// Goes on with the walk by one part.
    ///
    /// A flow keeps its record for its life, so it is seen at most once; one that begins or ends during the walk may be
    /// seen or not.
    package mutating func advance(over flows: borrowing FlowTable, now: UInt64) {
        records.removeAll(keepingCapacity: true)
        self.now = now
        guard let first = next else { return }
        let end = min(UInt64(first) + UInt64(Self.limit), UInt64(flows.flows.highWater))
        for number in UInt64(first)..<max(end, UInt64(first)) {
            let number = UInt32(truncatingIfNeeded: number)
            let flow = flows.flows[number]
            // A free record has no protocol; one past its deadline counts as gone for everybody.
            if flow.transport.rawValue != 0 && flow.deadline > now {
                records.append(FlowRecord(number: number, flow: flow))
            }
        }
        next = end < UInt64(flows.flows.highWater) ? UInt32(truncatingIfNeeded: end) : nil
    }
}

/// Which flow a record held, so that it can be removed later unless it has become another one's.
package struct FlowIdentity: Sendable {
    /// The number of the record.
    package let number: UInt32
    /// The number of the flow in events.
    package let identifier: UInt64

    /// The identity of a flow that was seen.
    package init(_ record: FlowRecord) {
        number = record.number
        identifier = record.flow.identifier
    }
}

extension Pipeline {
    /// Removes those of the flows that are still there; returns how many were.
    package mutating func flush(_ identities: ArraySlice<FlowIdentity>) -> Int {
        var removed = 0
        for identity in identities where identity.number > 0 && identity.number < flows.flows.highWater {
            let isSame =
                flows.flows[identity.number].transport.rawValue != 0
                && flows.flows[identity.number].identifier == identity.identifier
            guard isSame else { continue }
            flows.remove(identity.number)
            removed += 1
        }
        counters.flowsFlushed &+= UInt64(removed)
        return removed
    }
}
