package import Datapath
package import Devices
internal import Foundation
package import Logging

/// The workers of a daemon, each with a thread of its own.
package final class WorkerGroup: Sendable {
    private let surroundings: WorkerSurroundings
    private let threads: [WorkerThread]

    /// Workers with the ports of each: a list of all interfaces for every worker.
    init(_ surroundings: WorkerSurroundings, ports: [[Port]]) {
        self.surroundings = surroundings
        threads = ports.enumerated().map { number, ports in
            WorkerThread(Worker(surroundings, number: number, ports: ports))
        }
    }

    /// A worker without interfaces, which moves nothing and answers questions until it is told to end.
    package convenience init(
        _ pipeline: consuming Pipeline,
        requests: WorkerRequests,
        stop: StopSignal,
        logger: Logger
    ) throws(SystemError) {
        let surroundings = WorkerSurroundings(
            shared: SharedPipeline(pipeline),
            recorder: nil,
            mailbox: try Mailbox(),
            requests: requests,
            stop: stop,
            polling: .adaptive,
            logger: logger
        )
        self.init(surroundings, ports: [[]])
    }

    /// Runs the workers, and gives what the log says of them at the end.
    ///
    /// All end with the first that ends. When this returns, or throws what ended the first, the recorder is gone, so that the
    /// trace can be finished.
    package func run() async throws(DaemonError) -> String {
        let failure = await withTaskGroup(of: DaemonError?.self) { [threads, surroundings] group in
            for thread in threads { group.addTask { await thread.run() } }
            var first: DaemonError?
            for await failure in group {
                first = first ?? failure
                surroundings.stop.raise()
            }
            return first
        }
        surroundings.requests.close()
        surroundings.recorder?.end()
        for thread in threads { thread.releaseInterfaces() }
        if let failure { throw failure }
        return summary
    }

    /// What became of the packets, in a line for the log.
    private var summary: String {
        let counters = surroundings.shared.exclusively { $0.counterSnapshot }
        var parts = ["\(counters.received) packets"]
        for verdict in Verdict.allCases where counters[verdict].packets > 0 {
            parts.append("\(verdict.word) \(counters[verdict].packets)")
        }
        for reason in DropReason.allCases where counters[reason].packets > 0 {
            parts.append("\(reason.id) \(counters[reason].packets)")
        }
        for interface in InterfaceCounters(threads.map(\.ports)).totals where interface.framesLost > 0 {
            parts.append("\(interface.label) lost \(interface.framesLost) on writing")
        }
        return parts.joined(separator: ", ")
    }
}

/// A worker and the thread it runs on.
private final class WorkerThread {
    private var worker: Worker
    let ports: [Port]

    init(_ worker: consuming Worker) {
        ports = worker.ports
        self.worker = worker
    }

    /// Runs the worker on a thread of its own until it ends; what ended it, if it was not told to.
    func run() async -> DaemonError? {
        await withCheckedContinuation { continuation in
            let thread = Thread { [self] in
                nameThread("worker-\(worker.number)")
                do throws(DaemonError) {
                    try worker.run()
                    continuation.resume(returning: nil)
                } catch {
                    continuation.resume(returning: error)
                }
            }
            thread.start()
        }
    }

    /// Lets the interfaces go with this process, for an orderly end; call it after `run`.
    func releaseInterfaces() {
        for port in ports { port.release() }
    }
}

// Safe: only `run` touches the worker: on its thread, and, after that has ended, on the caller's.
extension WorkerThread: @unchecked Sendable {}
