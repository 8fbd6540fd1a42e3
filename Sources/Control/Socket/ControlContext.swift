internal import Capture
internal import Datapath

/// What the control socket tells about: the workers, and what the control side of the daemon knows itself.
package struct ControlContext: Sendable {
    /// The way to the pipeline, by the worker that answers for it.
    package let worker: WorkerRequests
    /// What was counted of the interfaces.
    package let interfaces: InterfaceCounters
    /// The cluster as it is now; a reload changes it.
    package let cluster: @Sendable () -> Cluster
    /// The version of Culvert.
    package let version: String
    /// When the daemon started, in nanoseconds of the monotonic clock.
    package let started: Int64
    /// How reloads went.
    package let reloads: @Sendable () -> ReloadStatus.Values
    /// How many records the trace lacks; nil without a trace.
    package let lostRecords: @Sendable () -> UInt64?

    /// A context from its parts.
    package init(
        worker: WorkerRequests,
        interfaces: InterfaceCounters = InterfaceCounters(),
        cluster: @escaping @Sendable () -> Cluster,
        version: String,
        started: Int64,
        reloads: @escaping @Sendable () -> ReloadStatus.Values = { ReloadStatus.Values(lastSuccess: 0) },
        lostRecords: @escaping @Sendable () -> UInt64? = { nil }
    ) {
        self.worker = worker
        self.interfaces = interfaces
        self.cluster = cluster
        self.version = version
        self.started = started
        self.reloads = reloads
        self.lostRecords = lostRecords
    }
}
