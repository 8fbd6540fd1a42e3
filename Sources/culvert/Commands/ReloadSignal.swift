internal import Control
internal import ServiceLifecycle
internal import UnixSignals

/// SIGHUP: an order to read the manifests again, changed or not.
///
/// The signal is trapped before the daemon says that it is ready: one that came in between would end the process.
struct ReloadSignal: Service {
    let daemon: Daemon
    let signals: UnixSignalsSequence

    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() { daemon.reload() }
    }
}
