internal import Devices
internal import Foundation
internal import Logging
internal import Synchronization

/// The thread that watches the manifests and loads them again.
///
/// Apart from the worker's thread, because a large set takes longer to compile than a batch may take.
final class ReloadThread {
    private let reloader: Reloader
    private let snapshot: ManifestSnapshot
    private let mailbox: Mailbox
    private let logger: Logger
    private let event: EventFD
    private let isStopped = Atomic<Bool>(false)
    private let isRequested = Atomic<Bool>(false)

    /// `snapshot` is what the manifests looked like before they were first read.
    init(_ reloader: Reloader, _ snapshot: ManifestSnapshot, mailbox: Mailbox, logger: Logger) throws(SystemError) {
        self.reloader = reloader
        self.snapshot = snapshot
        self.mailbox = mailbox
        self.logger = logger
        event = try EventFD()
    }

    /// Asks for a reload, changed or not; from any thread.
    func request() {
        isRequested.store(true, ordering: .releasing)
        try? event.signal()
    }

    /// Ends the thread; from any thread.
    func stop() {
        isStopped.store(true, ordering: .releasing)
        try? event.signal()
    }

    /// Watches until it is stopped.
    func run() async {
        await withCheckedContinuation { continuation in
            let thread = Thread { [self] in
                nameThread("reload")
                do throws(SystemError) {
                    try watch()
                } catch {
                    logger.error("manifests are not watched any more: \(error)")
                }
                continuation.resume()
            }
            // Reading a manifest needs as much as it does on the main thread.
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    private func watch() throws(SystemError) {
        var watch = try ManifestWatch(snapshot, wokenBy: event, logger: logger)
        if !snapshot.isWatchable { logger.info("manifests from standard input are read once") }
        while true {
            switch try watch.wait() {
            case .quiet:
                mailbox.collect()
            case .changed(let fresh):
                reloader.reload(fresh.arguments, .change)
            case .woken:
                try event.clear()
                if isStopped.load(ordering: .acquiring) { return }
                guard isRequested.exchange(false, ordering: .acquiringAndReleasing) else { continue }
                if snapshot.isWatchable {
                    watch.look()
                    reloader.reload(snapshot.arguments, .signal)
                } else {
                    logger.warning("manifests from standard input cannot be read again")
                }
            }
        }
    }
}

// Safe: the reloader is touched by the thread only; everything else is immutable or atomic.
extension ReloadThread: @unchecked Sendable {}
