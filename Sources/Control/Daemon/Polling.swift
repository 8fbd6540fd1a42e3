internal import Devices
internal import Glibc

/// Waits for packets: asleep, or by asking again and again for a while.
///
/// Theory of operation: to sleep and be woken costs a packet some microseconds more than to be waited for. So after work
/// the queues are asked for a while before the thread sleeps. How long is learned, as KVM learns its halt polling
/// (virt/kvm/kvm_main.c): it grows when a sleep turns out to have been so short that asking would have caught the
/// packet, and shrinks when asking was in vain and the sleep long. A thread that was asleep and finds no packet never asks,
/// so an idle daemon uses no processor. While asking, the processor is offered to others each time.
struct Polling {
    private let mode: Configuration.Polling
    /// How long to ask after work, in nanoseconds; 0 for not at all.
    private var patience: Int64 = 0

    /// The longest time to ask, which is KVM's (halt_poll_ns of x86), and what is begun with: where a processor sleeps deeply, a
    /// sleep is long for its waking alone.
    private static let longest: Int64 = 200_000
    private static let shortest: Int64 = 4_000

    init(_ mode: Configuration.Polling) { self.mode = mode }

    /// Whether packets may wait for each other: unless the least delay is asked for.
    var isPatient: Bool { mode != .always }

    /// Waits for events, at most for a time in milliseconds, nil for ever; returns how many there are.
    mutating func wait(
        _ epoll: inout Epoll,
        atMost milliseconds: Int32?,
        afterWork: Bool
    ) throws(SystemError) -> Int {
        switch mode {
        case .off: return try epoll.wait(milliseconds: milliseconds)
        case .always: return try Self.ask(&epoll, for: milliseconds == 0 ? 0 : 1_000_000)
        case .adaptive: break
        }
        guard afterWork, milliseconds != 0 else { return try epoll.wait(milliseconds: milliseconds) }
        if patience > 0 {
            let events = try Self.ask(&epoll, for: patience)
            if events > 0 { return events }
        }
        let begin = monotonicNanoseconds()
        let events = try epoll.wait(milliseconds: milliseconds)
        learn(slept: monotonicNanoseconds() - begin)
        return events
    }

    private mutating func learn(slept: Int64) {
        if slept + patience < Self.longest {
            patience = min(max(patience * 2, Self.shortest), Self.longest)
        } else {
            patience = patience > Self.shortest ? patience / 2 : 0
        }
    }

    /// Asks until there is an event, or the time is over.
    private static func ask(_ epoll: inout Epoll, for nanoseconds: Int64) throws(SystemError) -> Int {
        let end = monotonicNanoseconds() + nanoseconds
        while true {
            let events = try epoll.wait(milliseconds: 0)
            if events > 0 || monotonicNanoseconds() >= end { return events }
            sched_yield()
        }
    }
}
