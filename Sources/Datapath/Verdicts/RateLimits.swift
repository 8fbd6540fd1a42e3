internal import Tables
internal import Wire

/// Limits how often something happens: `burst` at once, `perSecond` in the long run (RFC 1812 section 4.3.2.8).
struct TokenBucket: BitwiseCopyable {
    /// In billionths of a token.
    var tokens: UInt64
    var last: UInt64 = 0
    private let perSecond: UInt64
    let full: UInt64

    init(perSecond: UInt64, burst: UInt64) {
        self.perSecond = perSecond
        full = burst * 1_000_000_000
        tokens = full
    }

    /// Takes a token, if there is one at this time.
    mutating func take(now: UInt64) -> Bool {
        if now > last {
            let (gained, overflow) = (now &- last).multipliedReportingOverflow(by: perSecond)
            tokens = overflow ? full : min(full, tokens &+ min(gained, full))
            last = now
        }
        guard tokens >= 1_000_000_000 else { return false }
        tokens -= 1_000_000_000
        return true
    }
}

/// Lets something happen once a second for a source.
///
/// Theory of operation: a source has one of 1,024 places, by its hash; a place knows only who took it last. Sources that
/// share one may each have more than their due when they take turns, which the overall limit bounds.
struct SourceRate: ~Copyable {
    struct Place: BitwiseCopyable {
        var source: IPv4Address
        /// When the source may go on, in nanoseconds.
        var next: UInt64
    }

    private static let count = 1024
    static let interval: UInt64 = 1_000_000_000
    var places = FixedArray<Place>(count: count)
    private let hash: SeededHash

    init(seed: UInt64) { hash = SeededHash(seed: seed) }

    /// Takes the turn of a source, if it has one at this time.
    mutating func take(_ source: IPv4Address, now: UInt64) -> Bool {
        let place = Int(hash(UInt64(source.bits), 0) % UInt64(Self.count))
        guard places[place].source != source || places[place].next <= now else { return false }
        places[place] = Place(source: source, next: now &+ Self.interval)
        return true
    }
}
