internal import Synchronization

/// How many connections there are, in all and from each client.
final class ConnectionLimit: Sendable {
    private struct Counts {
        var all = 0
        var byClient: [String: Int] = [:]
    }

    private let counts = Mutex(Counts())
    private let limits: NameServerLimits

    init(_ limits: NameServerLimits) { self.limits = limits }

    /// Counts a new connection; false when it is one too many.
    func admit(_ client: String) -> Bool {
        counts.withLock { counts in
            let own = counts.byClient[client] ?? 0
            guard counts.all < limits.connections, own < limits.connectionsPerClient else { return false }
            counts.all += 1
            counts.byClient[client] = own + 1
            return true
        }
    }

    /// Counts the end of a connection.
    func release(_ client: String) {
        counts.withLock { counts in
            counts.all -= 1
            let left = (counts.byClient[client] ?? 1) - 1
            counts.byClient[client] = left == 0 ? nil : left
        }
    }
}
