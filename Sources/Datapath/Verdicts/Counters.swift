package import Tables

/// What one worker counts: packets and bytes by verdict, packets by reason, and a few events of the tables.
///
/// Only the worker that owns them writes; sums over workers are made by whoever shows them.
package struct Counters: ~Copyable {
    /// Packets by the number of their verdict.
    package var packets: FixedArray<UInt64>
    /// Bytes of IPv4 packets by the number of their verdict, headers included.
    package var bytes: FixedArray<UInt64>
    /// Packets by the number of their reason.
    package var reasons: FixedArray<UInt64>
    /// Bytes of those packets, as far as they are IPv4.
    package var reasonBytes: FixedArray<UInt64>
    /// Packets that came in.
    package var received: UInt64 = 0
    /// TCP, UDP and ICMP packets whose checksum was verified and found wrong.
    package var badChecksums: UInt64 = 0
    /// Flows entered.
    package var flowsCreated: UInt64 = 0
    /// Flows taken over from an earlier process, or from a saved state.
    package var flowsRestored: UInt64 = 0
    /// Flows removed to make room for others, by what they were.
    package var evictions = ClassCounts()
    /// Flows that had ended, and whose tuple another connection has begun anew.
    package var flowsReplaced: UInt64 = 0
    /// New flows refused because the table was full, and nothing in it could be given up.
    package var insertionsFailed: UInt64 = 0
    /// New connections refused because their source has all the half-open ones that it may have.
    package var halfOpenRefused: UInt64 = 0
    /// Segments that did not fit the connection they belong to.
    package var invalidSegments: UInt64 = 0
    /// Flows removed because a reload contradicted them.
    package var flowsReconciled: UInt64 = 0
    /// Clients whose backend was forgotten because a reload took it away.
    package var affinityForgotten: UInt64 = 0
    /// Flows that were given another source port or identifier than their client's.
    package var portsChanged: UInt64 = 0
    /// Flows removed because somebody asked for it.
    package var flowsFlushed: UInt64 = 0
    /// ICMP errors that were not sent because their rate was used up.
    package var errorsSuppressed: UInt64 = 0

    /// Counters at zero.
    package init() {
        packets = FixedArray(count: Verdict.allCases.count)
        bytes = FixedArray(count: Verdict.allCases.count)
        reasons = FixedArray(count: DropReason.allCases.count)
        reasonBytes = FixedArray(count: DropReason.allCases.count)
    }

    /// Counts the end of a packet of `length` bytes.
    @inline(__always) mutating func count(_ verdict: Verdict, _ reason: DropReason, length: Int) {
        packets[Int(verdict.rawValue)] &+= 1
        bytes[Int(verdict.rawValue)] &+= UInt64(truncatingIfNeeded: length)
        if reason != .none {
            reasons[Int(reason.rawValue)] &+= 1
            reasonBytes[Int(reason.rawValue)] &+= UInt64(truncatingIfNeeded: length)
        }
    }

    /// Counts the ends of several packets that were sent on.
    mutating func count(_ verdict: Verdict, packets count: Int, bytes length: Int) {
        packets[Int(verdict.rawValue)] &+= UInt64(truncatingIfNeeded: count)
        bytes[Int(verdict.rawValue)] &+= UInt64(truncatingIfNeeded: length)
    }

    /// Packets with a verdict.
    package subscript(verdict: Verdict) -> UInt64 { packets[Int(verdict.rawValue)] }
    /// Packets with a reason, dropped and refused ones alike.
    package subscript(reason: DropReason) -> UInt64 { reasons[Int(reason.rawValue)] }
}
