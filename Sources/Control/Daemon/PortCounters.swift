internal import Synchronization

/// What a worker counts of an interface, for others to read.
///
/// Theory of operation: only the worker writes, so that a number grows by a load and a store; both are atomic, so that
/// anybody may read at any time. What is read of several numbers is of one moment only on the worker's own thread.
final class PortCounters: Sendable {
    let framesRead = SingleWriterCounter()
    let framesWritten = SingleWriterCounter()
    /// Frames that the kernel did not take.
    let framesLost = SingleWriterCounter()
    /// Bytes of the frames that were read and written.
    let bytesRead = SingleWriterCounter()
    let bytesWritten = SingleWriterCounter()
    private let gone = Atomic<Bool>(false)

    /// Whether the interface was deleted under the daemon.
    var isGone: Bool { gone.load(ordering: .relaxed) }

    /// Remembers that the interface was deleted.
    func markGone() { gone.store(true, ordering: .relaxed) }
}

/// A number that one thread adds to, and all may read.
struct SingleWriterCounter: ~Copyable, Sendable {
    private let number = Atomic<UInt64>(0)

    /// The number now.
    @inline(__always) var value: UInt64 { number.load(ordering: .relaxed) }

    /// Adds to it; on the writer's thread.
    @inline(__always) func add(_ amount: Int) {
        number.store(value &+ UInt64(truncatingIfNeeded: amount), ordering: .relaxed)
    }
}

/// What all workers together have counted of an interface, at one moment.
package struct PortTotals: Sendable {
    let label: String
    private(set) var framesRead: UInt64 = 0
    private(set) var framesWritten: UInt64 = 0
    private(set) var framesLost: UInt64 = 0
    private(set) var bytesRead: UInt64 = 0
    private(set) var bytesWritten: UInt64 = 0
    /// Whether the interface was deleted under the daemon: all workers have seen it.
    private(set) var isGone = true

    init(_ label: String, _ queues: [PortCounters]) {
        self.label = label
        for queue in queues {
            framesRead &+= queue.framesRead.value
            framesWritten &+= queue.framesWritten.value
            framesLost &+= queue.framesLost.value
            bytesRead &+= queue.bytesRead.value
            bytesWritten &+= queue.bytesWritten.value
            isGone = isGone && queue.isGone
        }
    }
}

/// The counters of all interfaces, in the order of the configuration.
package struct InterfaceCounters: Sendable {
    private let interfaces: [(label: String, queues: [PortCounters])]

    /// Those of the ports of some workers, which all have the same interfaces.
    init(_ workers: [[Port]]) {
        let first = workers.first ?? []
        interfaces = first.indices.map { number in
            (label: first[number].label, queues: workers.map { $0[number].counters })
        }
    }

    /// Those of no interface.
    package init() { interfaces = [] }

    /// What they are now.
    var totals: [PortTotals] { interfaces.map { PortTotals($0.label, $0.queues) } }
}
