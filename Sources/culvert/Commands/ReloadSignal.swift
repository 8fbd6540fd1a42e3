internal import Control
internal import ServiceLifecycle
internal import UnixSignals

/// SIGHUP: an order to read the manifests again, changed or not.
struct ReloadSignal: Service {
    let daemon: Daemon

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() { daemon.reload() }
    }
}
