internal import Datapath
internal import Glibc
internal import Tables

/// Lets datagrams gather before they are read, where they come fast and one way.
///
/// Theory of operation: writing costs its time for each write, and what is of one flow in one batch leaves in one write
/// (`Coalescer`). A worker that is always there takes datagrams out one by one, so that hardly any two meet. So where packets
/// come at one interface for many turns of the loop, in quick succession, and nothing goes back there, the worker rests
/// for a moment before it reads on: as network cards moderate their interrupts. Where anything goes the other way (TCP's
/// acknowledgments, answers of any kind) somebody may be waiting, and nothing is held up.
package struct Gathering {
    /// The interface at which the last turns found packets; nil if those were several, or answers left there.
    private var source: UInt16?
    /// How many turns in a row found packets at `source` alone, in quick succession.
    private var turns = 0
    /// When the last of them was, in nanoseconds.
    private var last: UInt64 = 0

    /// So many turns show that packets come one way.
    package static let evidence = 16
    /// Packets further apart than this, in nanoseconds, are no quick succession.
    package static let succession: UInt64 = 200_000
    /// A batch with more packets has gathered enough: there is a backlog.
    package static let enough = Batch.maximumCount / 2
    /// How long to rest, in nanoseconds; the kernel may add the timer slack of the thread.
    private static let moment = 50_000

    /// A policy that has seen nothing.
    package init() {}

    /// Looks at what a turn of the loop found; whether to rest before the next one.
    ///
    /// `found` is the interface that all its packets came from and none leaves by, nil if there is none; `now` is in nanoseconds.
    package mutating func isWorthwhile(source found: UInt16?, count: Int, now: UInt64) -> Bool {
        guard count > 0 else { return false }
        let elapsed = now &- last
        last = now
        // By the packet: where others have the processor in between, turns are far apart just when there is much to do.
        guard let found, found == source, elapsed < Self.succession &* UInt64(count) else {
            source = found
            turns = 0
            return false
        }
        turns &+= 1
        return turns >= Self.evidence && count < Self.enough
    }

    /// Rests for a moment.
    func rest() {
        var moment = timespec(tv_sec: 0, tv_nsec: Self.moment)
        unsafe nanosleep(&moment, nil)
    }
}

extension Batch {
    /// The interface that all packets came from and none leaves by; nil if there is none.
    var onlySource: UInt16? {
        guard count > 0 else { return nil }
        let source = packets[0].ingress
        for number in 1..<count where packets[number].ingress != source { return nil }
        for number in 0..<emissionCount where emissions[number].egress == source { return nil }
        return source
    }
}
