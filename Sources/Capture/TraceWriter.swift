internal import Glibc
internal import Synchronization

// # Theory of operation
//
// A trace has one thread of its own, which takes the packets out of the workers' rings, formats what has a comment, and writes
// everything: a worker pays for laying down a block and nothing else. The files are created and their headers
// written before `init` returns, so that a bad path is an error at once. Packets of one worker stay in their order; those of
// different workers are interleaved as they are found.
//
// `finish` ends it: every producer has flushed or is gone by then. The thread empties the rings, appends the statistics,
// closes the files and ends. If anything failed, `finish` throws the first error, and files created for this trace are removed,
// or cut where the trace keeps what is unfinished. A writer that goes without `finish` leaves no files in any case.
//
// Nothing stays in a buffer for longer than some milliseconds: what is piped into Wireshark shows up as it happens.
//
// A closed pipe is an error like others; the program ignores SIGPIPE.

/// Turns a record's annotation into its comment: appends to the array, which is empty and kept from call to call.
///
/// Runs on the writer's thread. Nothing appended is no comment.
package typealias TraceCommentFormatter = @Sendable (RawSpan, inout [UInt8]) -> Void

/// Writes a trace on a thread of its own.
package final class TraceWriter: Sendable {
    private let rings: [TraceRing]
    private let wake: TraceWake
    private let state: TraceState
    private let thread: Mutex<pthread_t?>
    private let path: String

    /// Creates the trace at `path`, `-` being standard output, and starts its thread.
    package init(path: String, options: TraceOptions, comment: @escaping TraceCommentFormatter) throws(CaptureError) {
        if let reason = Self.objection(to: options, path: path) {
            throw CaptureError(.usage, file: path == "-" ? "standard output" : path, reason: reason)
        }
        self.path = path == "-" ? "standard output" : path
        let wake = TraceWake()
        let state = TraceState()
        let rings = (0..<max(options.producers, 1)).map { _ in TraceRing(options, wake: wake) }
        let files = try TraceFiles(path: path, options: options, comment: comment, rings: rings, state: state)
        // A full disk or a closed pipe shows here, before anything depends on the trace.
        files.flush()
        if let error = state.error {
            state.abandon(error)
            files.end()
            throw error
        }
        let job = TraceJob(files: files, rings: rings, wake: wake, state: state)
        var created = pthread_t()
        // Safe: the thread takes over the reference that the box holds.
        let box = unsafe Unmanaged.passRetained(job)
        let result = unsafe pthread_create(
            &created,
            nil,
            { argument in
                if let argument = unsafe argument {
                    unsafe Unmanaged<TraceJob>.fromOpaque(argument).takeRetainedValue().run()
                }
                return nil
            },
            box.toOpaque()
        )
        if result != 0 {
            unsafe box.release()
            state.abandon(CaptureError(.open, file: path, reason: "no thread: \(errorText(result))"))
            files.end()
        }
        (self.rings, self.wake, self.state) = (rings, wake, state)
        thread = Mutex(result == 0 ? created : nil)
        if let error = state.error, result != 0 { throw error }
    }

    /// A writer that goes without `finish` belongs to something that has failed: of its trace nothing stays.
    deinit {
        guard thread.withLock({ $0 != nil }) else { return }
        state.abandon(CaptureError(.write, file: path, reason: "given up"))
        _ = join(within: nil)
    }

    /// A worker's end of the trace; nil if it was handed out before, or there are fewer `producers`.
    package func producer(_ index: Int = 0) -> TraceProducer? {
        guard rings.indices.contains(index), !rings[index].taken.exchange(true, ordering: .relaxed) else { return nil }
        return TraceProducer(rings[index], state: state)
    }

    /// Whether writing has failed already.
    package var hasFailed: Bool { state.hasFailed.load(ordering: .relaxed) }

    /// The error that made writing fail.
    package var error: CaptureError? { state.error }

    /// How many records found no room so far, of all capture points and workers.
    package var lostRecords: UInt64 {
        rings.reduce(0) { sum, ring in (0..<ring.pointCount).reduce(sum) { $0 &+ ring.losses(point: $1) } }
    }

    /// Writes all that was flushed, ends the trace, and throws what went wrong from beginning to end.
    ///
    /// With a limit in seconds it also throws when the end takes longer: whoever reads the other end of a pipe has
    /// stopped reading. The thread is left to itself then, and the process had better end.
    package func finish(within seconds: Int? = nil) throws(CaptureError) {
        guard join(within: seconds) else {
            throw CaptureError(
                .write,
                file: path,
                reason: "nobody reads what is written; given up after \(seconds ?? 0) s"
            )
        }
        if let error = state.error { throw error }
    }

    /// Waits for the thread; false when that takes longer than the limit.
    private func join(within seconds: Int?) -> Bool {
        guard let thread = thread.withLock({ $0.take() }) else { return true }
        wake.close()
        if let seconds {
            // In steps of 10 ms: this happens once, at the end of a process.
            for _ in 0..<seconds * 100 where !state.hasEnded.load(ordering: .acquiring) { usleep(10_000) }
            guard state.hasEnded.load(ordering: .acquiring) else { return false }
        }
        pthread_join(thread, nil)  // The thread was created here and is joined once.
        return true
    }

    private static func objection(to options: TraceOptions, path: String) -> String? {
        if options.points.count >= Int(TraceRecord.boundary) { return "too many capture points" }
        if options.rotation != nil {
            if path == "-" { return "what rotates needs files: give a file name" }
            // Where one worker begins a batch, another may be within one.
            if options.producers > 1 { return "several workers cannot rotate a trace" }
            let boundary = TraceProducer.boundarySize(points: options.points.count)
            if boundary > options.ringCapacity / 4 { return "too many capture points for a trace that rotates" }
        }
        guard options.format == .pcap else { return nil }
        if path == "-" { return "pcap has a file for each capture point: give a file name, or use pcapng" }
        let paths = Set(options.points.map { TraceOptions.classicPath(path, point: $0.name) })
        return paths.count == options.points.count ? nil : "two capture points would share a file"
    }
}

/// What the writer's thread does.
private final class TraceJob: Sendable {
    private let files: TraceFiles
    private let rings: [TraceRing]
    private let wake: TraceWake
    private let state: TraceState

    init(files: TraceFiles, rings: [TraceRing], wake: TraceWake, state: TraceState) {
        (self.files, self.rings, self.wake, self.state) = (files, rings, wake, state)
    }

    func run() {
        var consumers = rings.map(TraceConsumer.init)
        let milliseconds = rings.contains { $0.mode == .lossy } ? 1 : 10
        while true {
            wake.rest(milliseconds: milliseconds) { rings.contains { $0.backlog >= $0.batchSize } }
            // Read before looking: what was put in before `close` is still found.
            let isClosing = wake.closing.load(ordering: .sequentiallyConsistent)
            var worked = false
            for index in consumers.indices where files.drain(&consumers[index]) { worked = true }
            if worked { continue }
            if isClosing { break }
            files.flush()
            wake.waitForWork { consumers.contains { $0.hasWork } }
        }
        files.end()
        state.hasEnded.store(true, ordering: .releasing)
    }
}
