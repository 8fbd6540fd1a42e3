internal import Tables

/// All counters at one moment, to be shown and added up outside of the worker.
package struct CounterSnapshot: Sendable {
    /// Packets and bytes.
    package struct Amount: Sendable, Equatable {
        /// Packets.
        package var packets: UInt64 = 0
        /// Bytes of IPv4 packets, headers included.
        package var bytes: UInt64 = 0

        static func += (left: inout Amount, right: Amount) {
            left.packets &+= right.packets
            left.bytes &+= right.bytes
        }
    }

    /// Packets that came in.
    package var received: UInt64 = 0
    /// What became of them, by the number of the verdict.
    package var verdicts = [Amount](repeating: Amount(), count: Verdict.allCases.count)
    /// Why packets were dropped or refused, by the number of the reason.
    package var reasons = [Amount](repeating: Amount(), count: DropReason.allCases.count)
    /// Wrong checksums of TCP, UDP and ICMP, where they are verified.
    package var badChecksums: UInt64 = 0
    /// ICMP errors that were not sent because their rate was used up.
    package var errorsSuppressed: UInt64 = 0
    /// Flows in the table, and how many it can have.
    package var flows: (count: Int, capacity: Int) = (count: 0, capacity: 0)
    /// Flows entered.
    package var flowsCreated: UInt64 = 0
    /// Flows taken over from an earlier process.
    package var flowsRestored: UInt64 = 0
    /// Flows removed at the end of their time, by what they were.
    package var expirations = ClassCounts()
    /// Flows removed to make room for others, by what they were.
    package var evictions = ClassCounts()
    /// Flows removed because another connection began with their tuple.
    package var flowsReplaced: UInt64 = 0
    /// Flows in the table, by what they are worth when it is full.
    package var classes = ClassCounts()
    /// Flows that found no room in the table.
    package var insertionsFailed: UInt64 = 0
    /// Connections refused because their source had all the half-open ones that it may have.
    package var halfOpenRefused: UInt64 = 0
    /// Segments that did not fit the connection they belong to.
    package var invalidSegments: UInt64 = 0
    /// Flows removed because somebody asked for it.
    package var flowsFlushed: UInt64 = 0
    /// Flows removed because a reload contradicted them.
    package var flowsReconciled: UInt64 = 0
    /// Flows that were given another source port or identifier than their client's.
    package var portsChanged: UInt64 = 0
    /// How many source ports flows can be given towards one outer destination.
    package var usablePorts = 0
    /// Fragments that wait for their first one.
    package var fragmentsHeld = 0
    /// Clients that are bound to a backend, and how many can be.
    package var affinity: (count: Int, capacity: Int) = (count: 0, capacity: 0)
    /// Clients that found no room to be remembered.
    package var affinityRefused: UInt64 = 0
    /// Clients whose backend was forgotten because a reload took it away.
    package var affinityForgotten: UInt64 = 0

    /// Zeros.
    package init() {}

    /// Packets with a verdict.
    package subscript(verdict: Verdict) -> Amount { verdicts[Int(verdict.rawValue)] }
    /// Packets with a reason, dropped and refused ones alike.
    package subscript(reason: DropReason) -> Amount { reasons[Int(reason.rawValue)] }

    /// Adds the packets of another worker; the tables are shared, so their sizes are not added.
    package mutating func add(_ other: CounterSnapshot) {
        received &+= other.received
        for index in verdicts.indices { verdicts[index] += other.verdicts[index] }
        for index in reasons.indices { reasons[index] += other.reasons[index] }
        badChecksums &+= other.badChecksums
        errorsSuppressed &+= other.errorsSuppressed
        flowsCreated &+= other.flowsCreated
        flowsRestored &+= other.flowsRestored
        expirations &+= other.expirations
        evictions &+= other.evictions
        flowsReplaced &+= other.flowsReplaced
        insertionsFailed &+= other.insertionsFailed
        halfOpenRefused &+= other.halfOpenRefused
        invalidSegments &+= other.invalidSegments
        classes = other.classes
        flowsFlushed &+= other.flowsFlushed
        flowsReconciled &+= other.flowsReconciled
        portsChanged &+= other.portsChanged
        affinityForgotten &+= other.affinityForgotten
        fragmentsHeld += other.fragmentsHeld
        affinityRefused &+= other.affinityRefused
        flows = other.flows
        usablePorts = other.usablePorts
        affinity = other.affinity
    }
}

extension Pipeline {
    /// The counters of now.
    package var counterSnapshot: CounterSnapshot {
        var snapshot = CounterSnapshot()
        snapshot.received = counters.received
        for verdict in Verdict.allCases {
            let number = Int(verdict.rawValue)
            snapshot.verdicts[number] = .init(packets: counters.packets[number], bytes: counters.bytes[number])
        }
        for reason in DropReason.allCases {
            let number = Int(reason.rawValue)
            snapshot.reasons[number] = .init(packets: counters.reasons[number], bytes: counters.reasonBytes[number])
        }
        snapshot.badChecksums = counters.badChecksums
        snapshot.errorsSuppressed = counters.errorsSuppressed
        snapshot.flows = (count: flows.count, capacity: flows.capacity)
        snapshot.flowsCreated = counters.flowsCreated
        snapshot.flowsRestored = counters.flowsRestored
        snapshot.expirations = flows.expirations
        snapshot.evictions = counters.evictions
        snapshot.flowsReplaced = counters.flowsReplaced
        snapshot.classes = flows.classes
        snapshot.insertionsFailed = counters.insertionsFailed
        snapshot.halfOpenRefused = counters.halfOpenRefused
        snapshot.invalidSegments = counters.invalidSegments
        snapshot.flowsFlushed = counters.flowsFlushed
        snapshot.flowsReconciled = counters.flowsReconciled
        snapshot.portsChanged = counters.portsChanged
        snapshot.usablePorts = Int(usablePorts.count)
        snapshot.affinityForgotten = counters.affinityForgotten
        snapshot.fragmentsHeld = heldPackets
        snapshot.affinity = (count: affinity.count, capacity: AffinityTable.capacity)
        snapshot.affinityRefused = affinity.refused
        return snapshot
    }
}
