internal import Synchronization

/// How the reloads of a daemon went, for whoever shows it.
package final class ReloadStatus: Sendable {
    /// What is counted, as of one moment.
    package struct Values: Sendable, Equatable {
        /// Sets of manifests that were taken over, the one at the start not counted.
        package var reloads: UInt64 = 0
        /// Times that manifests were refused.
        package var failures: UInt64 = 0
        /// When the rules that run were loaded, in nanoseconds since 1970.
        package var lastSuccess: UInt64
        /// How long the last reload took, from reading to handing over, in nanoseconds.
        package var lastDuration: UInt64 = 0
        /// Whether the manifests were good when they were last looked at: what runs is what they say.
        package var isCurrent = true

        /// Nothing but a start, at a time in nanoseconds since 1970.
        package init(lastSuccess: UInt64) { self.lastSuccess = lastSuccess }
    }

    private let contents: Mutex<Values>

    /// Begins with a set that was loaded at a time, in nanoseconds since 1970.
    package init(loadedAt time: UInt64) { contents = Mutex(Values(lastSuccess: time)) }

    /// The present values.
    package var values: Values { contents.withLock { $0 } }

    func succeed(at time: UInt64, isChange: Bool, duration: UInt64) {
        contents.withLock { values in
            if isChange { values.reloads += 1 }
            values.lastSuccess = time
            values.lastDuration = duration
            values.isCurrent = true
        }
    }

    func fail() {
        contents.withLock { values in
            values.failures += 1
            values.isCurrent = false
        }
    }
}
