package import Tables

/// What one worker counts: packets and bytes by verdict, packets by reason, and a few events of the tables.
///
/// Only the worker that owns them writes; sums over workers are made by whoever shows them.
package struct Counters: ~Copyable {
    package var packets: FixedArray<UInt64>
    package var bytes: FixedArray<UInt64>
    package var reasons: FixedArray<UInt64>
    /// Packets that came in.
    package var received: UInt64 = 0
    /// TCP, UDP and ICMP packets whose checksum was verified and found wrong.
    package var badChecksums: UInt64 = 0
    /// Flows entered, removed at the end of their time, and removed to make room.
    package var flowsCreated: UInt64 = 0
    package var flowsExpired: UInt64 = 0
    package var flowsEvicted: UInt64 = 0
    /// ICMP errors that were not sent because their rate was used up.
    package var errorsSuppressed: UInt64 = 0

    package init() {
        packets = FixedArray(count: Verdict.allCases.count)
        bytes = FixedArray(count: Verdict.allCases.count)
        reasons = FixedArray(count: DropReason.allCases.count)
    }

    /// Counts the end of a packet of `length` bytes.
    @inline(__always) mutating func count(_ verdict: Verdict, _ reason: DropReason, length: Int) {
        packets[Int(verdict.rawValue)] &+= 1
        bytes[Int(verdict.rawValue)] &+= UInt64(truncatingIfNeeded: length)
        if reason != .none { reasons[Int(reason.rawValue)] &+= 1 }
    }

    /// Packets with a verdict.
    package subscript(verdict: Verdict) -> UInt64 { packets[Int(verdict.rawValue)] }
    /// Packets with a reason, dropped and refused ones alike.
    package subscript(reason: DropReason) -> UInt64 { reasons[Int(reason.rawValue)] }
}
