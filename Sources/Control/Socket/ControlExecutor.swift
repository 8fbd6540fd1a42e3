internal import Dispatch

/// The one thread that answers requests.
///
/// Theory of operation: what is written for clients is work for the processor, and there are few of those. On a serial queue
/// of its own it takes one of them at most, however many clients ask, and it goes on even while everything else keeps the threads
/// of Swift's tasks busy.
package final class ControlExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "culvert-control")

    /// An executor without work.
    package init() {}

    /// Runs a part of a task after all that were handed over before.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { [self] in unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
