internal import NIOCore
internal import Synchronization

/// The connections to the control socket, so that they can be counted and ended.
final class ControlClients: Sendable {
    /// What becomes of a new connection.
    enum Admission {
        /// It is served.
        case served
        /// There are too many; its request is answered with 503.
        case excess
        /// There are far too many: it is closed unheard.
        case refused
    }

    private struct State {
        var served: [ObjectIdentifier: any Channel] = [:]
        var excess: [ObjectIdentifier: any Channel] = [:]
        var isEnding = false
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    func enter(_ channel: any Channel) -> Admission {
        state.withLock { state in
            if state.isEnding { return .refused }
            if state.served.count < limit {
                state.served[ObjectIdentifier(channel)] = channel
                return .served
            }
            guard state.excess.count < limit else { return .refused }
            state.excess[ObjectIdentifier(channel)] = channel
            return .excess
        }
    }

    func leave(_ channel: any Channel) {
        state.withLock { state in
            state.served[ObjectIdentifier(channel)] = nil
            state.excess[ObjectIdentifier(channel)] = nil
        }
    }

    /// Ends all connections: those without a request at once, the others when they have their answer, or after `patience`.
    func end(patience: TimeAmount) {
        let channels = state.withLock { state in
            state.isEnding = true
            return Array(state.served.values) + Array(state.excess.values)
        }
        for channel in channels {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
            channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
        }
    }
}
