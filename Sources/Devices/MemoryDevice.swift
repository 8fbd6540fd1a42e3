// Theory of operation
//
// A pair of devices joined back to back: what one end writes the other reads, in order. Each direction is a ring of
// fixed size behind a lock, so the ends may live on different threads. Each end has an event descriptor that is
// readable while a frame waits for it, so that epoll treats it as it does a TUN queue. Both ends share one state (up,
// down, gone) that a test sets to see what a worker makes of it.
//
// The lock is a POSIX mutex, since ThreadSanitizer does not see the futex behind `Mutex` on Linux, and tests with threads on
// both ends are there for it.

internal import Glibc

/// One end of a pair of devices in memory, for tests and benchmarks.
package struct MemoryDevice: Sendable {
    /// What both ends report.
    package enum State: Equatable, Sendable {
        case up, down, gone
    }

    private let incoming: FrameRing
    private let outgoing: FrameRing

    /// Makes two ends.
    ///
    /// - Parameters:
    ///   - capacity: how many frames wait in each direction before a write finds it `full`
    ///   - frameLength: the longest frame in bytes; longer ones are `refused`
    /// - Returns: the two ends
    /// - Throws: `SystemError` if there is no descriptor left
    package static func pair(
        capacity: Int = 256,
        frameLength: Int = 65_535
    ) throws(SystemError) -> (MemoryDevice, MemoryDevice) {
        let there = try FrameRing(capacity: capacity, frameLength: frameLength)
        let back = try FrameRing(capacity: capacity, frameLength: frameLength)
        return (MemoryDevice(incoming: back, outgoing: there), MemoryDevice(incoming: there, outgoing: back))
    }

    /// How many frames wait to be read at this end.
    package var waiting: Int { incoming.count }

    /// Changes what both ends report; the frames that wait can still be read unless the pair is `gone`.
    package func setState(_ state: State) throws(SystemError) {
        try incoming.setState(state)
        try outgoing.setState(state)
    }
}

extension MemoryDevice: Device {
    /// Readable while a frame waits at this end, or once the pair is gone; see `Device`.
    package var pollDescriptor: Int32 { incoming.event.descriptor.number }

    /// Reads the next frame; see `Device`.
    package func read(into buffer: inout MutableRawSpan) throws(SystemError) -> ReadResult {
        try incoming.read(into: &buffer)
    }

    /// Writes one frame; see `Device`.
    package func write(_ frame: RawSpan) throws(SystemError) -> WriteResult {
        try outgoing.write(frame)
    }
}

/// One direction of a pair: a bounded queue of frames.
private final class FrameRing {
    struct Contents {
        /// The frames, `frameLength` bytes each.
        var bytes: [UInt8]
        /// The length of each frame.
        var lengths: [Int]
        var first = 0
        var count = 0
        var state = MemoryDevice.State.up
    }

    private let contents: Locked<Contents>
    private let frameLength: Int
    /// Readable while a frame waits or the pair is gone.
    let event: EventFD

    init(capacity: Int, frameLength: Int) throws(SystemError) {
        let capacity = max(capacity, 1)
        let frameLength = max(frameLength, 1)
        self.frameLength = frameLength
        contents = Locked(
            Contents(
                bytes: Array(repeating: 0, count: capacity * frameLength),
                lengths: Array(repeating: 0, count: capacity)
            )
        )
        event = try EventFD()
    }

    var count: Int { contents.withLock { $0.count } }

    func setState(_ state: MemoryDevice.State) throws(SystemError) {
        contents.withLock { $0.state = state }
        if state == .gone { try event.signal() }
    }

    func read(into buffer: inout MutableRawSpan) throws(SystemError) -> ReadResult {
        guard !buffer.isEmpty else { return .empty }
        // Safe: both sides of the copy are at least `length` bytes long, and no frame overlaps the caller's buffer.
        let (result, isDrained) = unsafe buffer.withUnsafeMutableBytes { target in
            contents.withLock { contents -> (ReadResult, Bool) in
                if contents.state == .gone { return (.gone, false) }
                guard contents.count > 0 else { return (contents.state == .down ? .down : .empty, false) }
                let start = contents.first * frameLength
                let length = min(contents.lengths[contents.first], target.count)
                unsafe target.copyBytes(from: contents.bytes[start..<start + length])
                contents.first = (contents.first + 1) % contents.lengths.count
                contents.count -= 1
                return (.frame(length), contents.count == 0)
            }
        }
        if isDrained { try settle() }
        return result
    }

    func write(_ frame: RawSpan) throws(SystemError) -> WriteResult {
        guard !frame.isEmpty, frame.byteCount <= frameLength else { return .refused }
        // Safe: the ring has `frameLength` bytes for each frame, and `frame` is not longer.
        let (result, isFirst) = unsafe frame.withUnsafeBytes { source in
            contents.withLock { contents -> (WriteResult, Bool) in
                switch contents.state {
                case .gone: return (.gone, false)
                case .down: return (.down, false)
                case .up: break
                }
                guard contents.count < contents.lengths.count else { return (.full, false) }
                let slot = (contents.first + contents.count) % contents.lengths.count
                let start = slot * frameLength
                unsafe contents.bytes.withUnsafeMutableBytes { bytes in
                    unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + source.count])
                        .copyMemory(from: source)
                }
                contents.lengths[slot] = source.count
                contents.count += 1
                return (.sent, contents.count == 1)
            }
        }
        if isFirst { try event.signal() }
        return result
    }

    /// Clears the event, and sets it again if a frame came in meanwhile: its writer may have signalled before.
    private func settle() throws(SystemError) {
        try event.clear()
        let isReadable = contents.withLock { $0.count > 0 || $0.state == .gone }
        if isReadable { try event.signal() }
    }
}

// Safe: the contents are behind their lock, and nothing else changes.
extension FrameRing: @unchecked Sendable {}

/// A value behind a POSIX mutex.
@safe private final class Locked<Value> {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var value: Value

    init(_ value: Value) {
        self.value = value
        // Safe: the mutex has its own memory, which does not move; it is made here and destroyed once, in deinit.
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Hands out the value while nobody else has it.
    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        // Safe: the mutex lives as long as this object.
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&value)
    }
}
