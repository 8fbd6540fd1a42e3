/// When to look at files that have changed: after they were quiet for a while, but not much later than their first change.
///
/// Theory of operation: a change of manifests is rarely one event. An editor writes a copy and renames it, a volume replaces
/// a dozen links, a copy truncates a file and then fills it. So every event puts the look off by `quiet`, up to `limit`
/// after the first one. A file into which somebody has written, and which was not closed since, is likely to be
/// half-written: that puts it off up to `writeLimit`. Times are nanoseconds of any clock that does not go back.
package struct ChangeDebounce: Sendable {
    /// How long nothing may have happened.
    package static let quiet: Int64 = 50_000_000
    /// How long a look may be put off while things happen.
    package static let limit: Int64 = 1_000_000_000
    /// How long a look may be put off while a file is being written.
    package static let writeLimit: Int64 = 10_000_000_000

    private var first: Int64?
    private var last: Int64 = 0
    private var written: Set<String> = []

    /// Nothing has happened yet.
    package init() {}

    /// Something happened.
    package mutating func note(at now: Int64) {
        if first == nil { first = now }
        last = now
    }

    /// Something was written into a file, which is still open.
    package mutating func noteWrite(to path: String, at now: Int64) {
        written.insert(path)
        note(at: now)
    }

    /// A file is as its writer wants it, or gone.
    package mutating func noteEnd(of path: String, at now: Int64) {
        written.remove(path)
        note(at: now)
    }

    /// When to look; nil while nothing has happened.
    package var due: Int64? {
        guard let first else { return nil }
        return written.isEmpty ? min(last + Self.quiet, first + Self.limit) : first + Self.writeLimit
    }

    /// Begins anew, as everything is being looked at.
    package mutating func reset() { self = ChangeDebounce() }
}
