internal import Devices

/// How the daemon is to run, besides its configuration.
package struct DaemonSettings: Sendable {
    package var trace: TraceSettings?
    package var seed: UInt64
    package var version: String

    package init(trace: TraceSettings? = nil, seed: UInt64, version: String) {
        self.trace = trace
        self.seed = seed
        self.version = version
    }
}

/// Why the daemon could not start or go on: a line, and a hint where one helps.
package struct DaemonError: Error, Sendable, CustomStringConvertible {
    package var description: String
    package var hint: String?

    init(_ description: String, hint: String? = nil) {
        self.description = description
        self.hint = hint
    }

    init(_ error: SystemError) {
        self.init(error.description, hint: error.hint)
    }
}
