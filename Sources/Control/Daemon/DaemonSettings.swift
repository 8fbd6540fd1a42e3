internal import Devices

/// How the daemon is to run, besides its configuration.
package struct DaemonSettings: Sendable {
    /// The manifests, as they were before they were read; they are watched from then on.
    package var manifests: ManifestSnapshot
    /// What the manifests were loaded with, and are loaded with again; nil for one that begins anew.
    package var loader: ClusterLoader?
    /// What outlives the daemon; nil for nothing.
    package var state: DaemonState?
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
        state: DaemonState? = nil,
        trace: TraceSettings? = nil,
        socket: String? = nil,
        seed: UInt64,
        version: String
    ) {
        self.manifests = manifests
        self.loader = loader
        self.state = state
        self.trace = trace
        self.socket = socket
        self.seed = seed
        self.version = version
    }
}

/// The state directory of a daemon, and what is known of the daemon before.
package struct DaemonState: Sendable {
    /// The directory, locked.
    package var directory: StateDirectory
    /// How many ServicePorts have the numbers that they had then; nil if that is not known.
    package var servicePorts: Int?

    /// A directory, and what is known of the one before.
    package init(_ directory: StateDirectory, servicePorts: Int?) {
        self.directory = directory
        self.servicePorts = servicePorts
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

    init(_ error: StateError) {
        self.init(error.description, hint: "state: none, or --state none, keeps nothing")
    }

    init(_ error: SystemError) {
        self.init(error.description, hint: error.hint)
    }
}
