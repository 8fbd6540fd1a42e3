package import Devices
package import Logging

/// Waits for changes of the files behind `-f` arguments.
///
/// Theory of operation: inotify tells at once what happens in the directories; once a second everything is looked at by
/// stat(2), for what inotify misses (network file systems, links into other directories, lost events). Either is only a
/// reason to take a new snapshot: whether something changed is decided by comparing snapshots.
package struct ManifestWatch: ~Copyable {
    /// Why a wait ended.
    package enum Outcome {
        /// Something changed, and has been quiet since.
        case changed(ManifestSnapshot)
        /// Nothing has changed for a second.
        case quiet
        /// The event that wakes was raised.
        case woken
    }

    /// What was there at the last look.
    package private(set) var snapshot: ManifestSnapshot
    private var inotify: Inotify?
    private var watches: [String: Int32] = [:]
    private var paths: [Int32: String] = [:]
    private var debounce = ChangeDebounce()
    private var nextLook: Int64
    private var epoll: Epoll
    private let logger: Logger
    private var hasComplained = false

    private static let wakeToken: UInt64 = 1
    private static let second: Int64 = 1_000_000_000

    /// Watches what `snapshot` shows, and is woken by `event`, which must outlive this.
    package init(_ snapshot: ManifestSnapshot, wokenBy event: borrowing EventFD, logger: Logger) throws(SystemError) {
        self.snapshot = snapshot
        self.logger = logger
        nextLook = monotonicNanoseconds()
        let epoll = try Epoll(capacity: 2)
        try epoll.add(event.descriptor.number, token: Self.wakeToken)
        self.epoll = epoll
        inotify = nil
        guard snapshot.isWatchable else { return }
        do throws(SystemError) {
            let inotify = try Inotify()
            try self.epoll.add(inotify.descriptor.number, token: 0)
            self.inotify = consume inotify
        } catch {
            complain(error)
        }
        updateWatches()
    }

    /// Waits until something changed, or somebody wants something else.
    package mutating func wait() throws(SystemError) -> Outcome {
        while true {
            let now = monotonicNanoseconds()
            if now >= nextLook {
                nextLook = now + Self.second
                if snapshot.isWatchable, snapshot.isStale { debounce.note(at: now) }
                if debounce.due == nil { return .quiet }
            }
            if let due = debounce.due, now >= due {
                debounce.reset()
                let fresh = ManifestSnapshot(snapshot.arguments)
                if fresh != snapshot {
                    snapshot = fresh
                    updateWatches()
                    return .changed(fresh)
                }
            }
            let next = min(nextLook, debounce.due ?? .max)
            // Rounded up, so that it is not too early when the wait is over.
            let left = max(0, (next - monotonicNanoseconds() + 999_999) / 1_000_000)
            for number in 0..<(try epoll.wait(milliseconds: Int32(clamping: left))) {
                if epoll[number].token == Self.wakeToken { return .woken }
            }
            try readChanges()
        }
    }

    /// Takes a new snapshot before everything is read, whatever changed.
    package mutating func look() {
        debounce.reset()
        snapshot = ManifestSnapshot(snapshot.arguments)
        updateWatches()
    }

    private mutating func readChanges() throws(SystemError) {
        let now = monotonicNanoseconds()
        var seen: [Inotify.Change] = []
        try inotify?.read { seen.append($0) }
        for change in seen {
            guard let watch = change.watch else {
                debounce.note(at: now)
                continue
            }
            guard let directory = paths[watch], snapshot.concerns(change.name, in: directory) else { continue }
            let path = "\(directory)/\(change.name)"
            if change.isWrite {
                debounce.noteWrite(to: path, at: now)
            } else if change.isEnd {
                debounce.noteEnd(of: path, at: now)
            } else {
                debounce.note(at: now)
            }
        }
    }

    /// Watches the directories of the snapshot, and no others.
    private mutating func updateWatches() {
        let wanted = snapshot.directories
        for (path, watch) in watches where !wanted.contains(path) {
            watches[path] = nil
            // Two paths may lead to one directory.
            if !watches.values.contains(watch) {
                paths[watch] = nil
                inotify?.unwatch(watch)
            }
        }
        for path in wanted {
            // Again, even if it is known: the directory may be another one by now.
            do throws(SystemError) {
                guard let watch = try inotify?.watch(directory: path) else { return }
                if let former = watches.updateValue(watch, forKey: path), former != watch { paths[former] = nil }
                paths[watch] = path
            } catch {
                // A directory that is gone is a finding of the loader's.
                if FileStamp(path: path) != nil { complain(error) }
            }
        }
    }

    private mutating func complain(_ error: SystemError) {
        guard !hasComplained else { return }
        hasComplained = true
        logger.warning("changes of manifests are noticed within a second only: \(error)")
        if let hint = error.hint { logger.warning("hint: \(hint)") }
    }
}
