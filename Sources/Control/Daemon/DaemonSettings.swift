internal import Devices

/// How the daemon is to run, besides its configuration.
package struct DaemonSettings: Sendable {
    /// The manifests, as they were before they were read; they are watched from then on.
    package var manifests: ManifestSnapshot
    /// What the manifests were loaded with, and are loaded with again; nil for one that begins anew.
    package var loader: ClusterLoader?
    /// The trace to write; nil for none.
    package var trace: TraceSettings?
    /// Where the control socket is; nil for none.
    package var socket: String?
    /// The seed of every choice.
    package var seed: UInt64
    /// The version of Culvert, for the trace.
    package var version: String

    /// Settings from their parts.
    package init(
        manifests: ManifestSnapshot,
        loader: ClusterLoader? = nil,
        trace: TraceSettings? = nil,
        socket: String? = nil,
        seed: UInt64,
        version: String
    ) {
        self.manifests = manifests
        self.loader = loader
        self.trace = trace
        self.socket = socket
        self.seed = seed
        self.version = version
    }
}

/// Why the daemon could not start or go on: a line, and a hint where one helps.
package struct DaemonError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, in a line.
    package var description: String
    /// What may help; nil where nothing is known to.
    package var hint: String?

    init(_ description: String, hint: String? = nil) {
        self.description = description
        self.hint = hint
    }

    init(_ error: SystemError) {
        self.init(error.description, hint: error.hint)
    }
}
