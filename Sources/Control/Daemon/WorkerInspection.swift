internal import Datapath
internal import Devices

// What the control side asks the pipeline: each runs on a worker's thread, between two batches, and is short.

/// A value that goes to the worker with a question and comes back with the answer, without a copy.
///
/// Safe: whoever asks waits for the answer, so that only one of the two has the value at any moment.
final class Handed<Value>: @unchecked Sendable {
    var value: Value

    init(_ value: Value) { self.value = value }
}

extension Pipeline {
    /// Goes on with a walk over all flows by one part.
    func advance(_ slice: Handed<FlowSlice>) {
        slice.value.advance(over: flows, now: UInt64(monotonicNanoseconds()))
    }

    /// Goes on with a walk over the affinity table by one part.
    func advance(_ slice: Handed<AffinitySlice>) {
        advance(&slice.value, now: UInt64(monotonicNanoseconds()))
    }
}
