/// What a batch adds to the counters before any of its packets takes the long way: by parsing, and by the short way.
struct Tally: BitwiseCopyable {
    private var forwarded: (packets: Int, bytes: Int) = (packets: 0, bytes: 0)
    private var passed: (packets: Int, bytes: Int) = (packets: 0, bytes: 0)
    /// See `Counters`.
    var invalidSegments: UInt64 = 0
    /// See `Counters`.
    var badChecksums: UInt64 = 0
    /// Packets that were parsed.
    var received = 0

    @inline(__always) mutating func count(isTranslated: Bool, length: Int) {
        if isTranslated {
            forwarded.packets &+= 1
            forwarded.bytes &+= length
        } else {
            passed.packets &+= 1
            passed.bytes &+= length
        }
    }

    /// All packets that took the short way.
    var packets: Int { forwarded.packets &+ passed.packets }

    /// Adds what another tally has.
    mutating func add(_ other: Tally) {
        forwarded.packets &+= other.forwarded.packets
        forwarded.bytes &+= other.forwarded.bytes
        passed.packets &+= other.passed.packets
        passed.bytes &+= other.passed.bytes
        invalidSegments &+= other.invalidSegments
        badChecksums &+= other.badChecksums
        received &+= other.received
    }

    /// Adds the numbers to those of a pipeline.
    func add(to counters: inout Counters, _ programs: inout ProgramCounters) {
        counters.received &+= UInt64(truncatingIfNeeded: received)
        counters.badChecksums &+= badChecksums
        counters.count(.forward, packets: forwarded.packets, bytes: forwarded.bytes)
        counters.count(.pass, packets: passed.packets, bytes: passed.bytes)
        counters.invalidSegments &+= invalidSegments
        programs.add(.parse, received)
        programs.add(.track, packets)
        programs.add(.translate, packets)
    }
}
