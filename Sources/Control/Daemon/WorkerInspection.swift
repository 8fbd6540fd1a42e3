internal import Datapath
internal import Devices

// What the control side asks a worker: each runs on its thread, between two batches, and is short.

/// A value that goes to the worker with a question and comes back with the answer, without a copy.
///
/// Safe: whoever asks waits for the answer, so that only one of the two has the value at any moment.
final class Handed<Value>: @unchecked Sendable {
    var value: Value

    init(_ value: Value) { self.value = value }
}

extension Worker {
    /// Goes on with a walk over all flows by one part.
    func advance(_ slice: Handed<FlowSlice>) {
        slice.value.advance(over: pipeline.flows, now: UInt64(monotonicNanoseconds()))
    }

    /// Goes on with a walk over the affinity table by one part.
    func advance(_ slice: Handed<AffinitySlice>) {
        pipeline.advance(&slice.value, now: UInt64(monotonicNanoseconds()))
    }

    /// What was counted of the interfaces.
    var portCounters: [PortCounters] { ports.map { PortCounters($0) } }
}

/// What is counted of an interface, at one moment.
struct PortCounters: Sendable {
    let label: String
    let framesRead: UInt64
    let framesWritten: UInt64
    let framesLost: UInt64
    let bytesRead: UInt64
    let bytesWritten: UInt64
    /// Whether the interface was deleted under the daemon.
    let isGone: Bool

    init(_ port: Port) {
        label = port.label
        framesRead = port.framesRead
        framesWritten = port.framesWritten
        framesLost = port.framesLost
        bytesRead = port.bytesRead
        bytesWritten = port.bytesWritten
        isGone = port.isGone
    }
}
