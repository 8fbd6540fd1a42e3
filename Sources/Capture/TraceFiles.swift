internal import Glibc
internal import Synchronization
internal import Wire

/// The files of a trace, and what is counted for their end.
///
/// Used by one thread at a time: the one that creates the trace until the writer's thread begins, then by that.
@safe final class TraceFiles: @unchecked Sendable {
    private let options: TraceOptions
    private let comment: TraceCommentFormatter
    private let rings: [TraceRing]
    private let state: TraceState
    private var sequence: TraceSequence?
    // Safe: room for `fileLimit` elements, of which `fileCount` are initialised.
    private let files: UnsafeMutablePointer<TraceOutput>
    private let fileLimit: Int
    private var fileCount = 0
    /// For each capture point what is in these files, and how many records were lost before them.
    private var totals: [TraceTotals]
    /// When these files were begun, in seconds of CLOCK_MONOTONIC.
    private var beginning = 0
    /// Whether all records of the packets so far were seen.
    private var isBehindBoundary = false
    private var text: [UInt8] = []

    /// What was written for a capture point.
    private struct TraceTotals {
        var records: UInt64 = 0
        /// The latest time of them.
        var time: UInt64 = 0
        var lostBefore: UInt64 = 0
    }

    /// Creates all files with what comes before the packets; on an error those created are removed again.
    init(
        path: String,
        options: TraceOptions,
        comment: @escaping TraceCommentFormatter,
        rings: [TraceRing],
        state: TraceState
    ) throws(CaptureError) {
        (self.options, self.comment, self.rings, self.state) = (options, comment, rings, state)
        sequence = options.rotation.map { TraceSequence(path: path, options: options, rotation: $0) }
        fileLimit = max(options.paths(path).count, 1)
        unsafe files = .allocate(capacity: fileLimit)
        totals = Array(repeating: TraceTotals(), count: options.points.count)
        open(sequence?.next() ?? options.paths(path))
        if let error = state.error { throw error }
    }

    deinit {
        // Safe: all elements up to the count are initialised.
        unsafe files.deinitialize(count: fileCount)
        unsafe files.deallocate()
    }

    /// Creates files and writes what comes before the packets.
    private func open(_ paths: [String]) {
        for path in paths.prefix(fileLimit) {
            do throws(CaptureError) {
                let file = try TraceOutput(path: path, state: state)
                unsafe (files + fileCount).initialize(to: file)
                fileCount += 1
            } catch {
                state.fail(error)
                return end()
            }
        }
        begin()
        beginning = Self.now()
    }

    private static func now() -> Int {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)  // Safe: one element is there.
        return now.tv_sec
    }

    /// Writes what comes before the packets.
    private func begin() {
        guard options.format == .pcapng else {
            for index in 0..<fileCount { unsafe files[index].append(24) { $0.classicHeader() } }
            return
        }
        let header = 256 + 2 * 65_536
        unsafe files[0].append(header) { sink in
            sink.sectionHeader(application: options.application, comment: options.comment)
        }
        for point in options.points { unsafe files[0].append(header) { $0.interface(point) } }
        // Wireshark takes a name up to its first zero byte; longer ones than DNS allows would overflow the record.
        let names = options.names.filter { $0.name.utf8.count <= 1024 && !$0.name.utf8.contains(0) }
        for start in stride(from: 0, to: names.count, by: 256) {
            let part = names[start..<min(start + 256, names.count)]
            unsafe files[0].append(part.reduce(64) { $0 + $1.name.utf8.count + 16 }) { $0.names(part) }
        }
    }

    /// Writes all that is there; whether there was anything.
    func drain(_ consumer: inout TraceConsumer) -> Bool {
        guard consumer.look() else { return false }
        while let entry = consumer.next() {
            if isBehindBoundary, !entry.isBoundary {
                isBehindBoundary = false
                rotateIfDue()
            }
            switch entry {
            case .blocks(let offset, let count):
                let blocks = consumer.bytes(at: offset, count: count)
                self.count(blocks)
                // Safe: blocks are of pcapng traces only, which have one file, or none after a failure; they stay until they are
                // given back.
                if fileCount > 0 { unsafe files[0].refer(to: blocks) }
            case .record(let record, let offset):
                let annotationLength = Int(record.annotationLength)
                write(
                    record,
                    consumer.bytes(at: offset, count: annotationLength),
                    consumer.bytes(at: offset + (annotationLength + 7) & ~7, count: Int(record.capturedLength))
                )
            case .boundary: isBehindBoundary = true
            }
            if consumer.isDue { giveBack(&consumer) }
        }
        giveBack(&consumer)
        return true
    }

    private func giveBack(_ consumer: inout TraceConsumer) {
        // What a pcapng trace has not written yet may still lie in the ring.
        if options.format == .pcapng { flush() }
        consumer.giveBack()
    }

    /// Counts packets that the worker has laid down as Enhanced Packet Blocks: length, interface and time stand where each begins.
    private func count(_ blocks: RawSpan) {
        var offset = 0
        while offset < blocks.byteCount {
            let time = UInt64(blocks.loadNative32(offset + 12)) << 32 | UInt64(blocks.loadNative32(offset + 16))
            count(point: Int(blocks.loadNative32(offset + 8)), time: time)
            offset += max(Int(blocks.loadNative32(offset + 4)), 32)
        }
    }

    private func count(point: Int, time: UInt64) {
        guard point < totals.count else { return }
        totals[point].records &+= 1
        totals[point].time = max(totals[point].time, time)
    }

    private func write(_ record: TraceRecord, _ annotation: RawSpan, _ packet: RawSpan) {
        count(point: Int(record.point), time: record.time)
        guard fileCount > 0 else { return }
        // Safe: a record's point is below the number of points, which the producer checks; of these there are `fileCount`
        // classic files, and one otherwise.
        guard options.format == .pcapng else {
            unsafe files[Int(record.point)].append(16 + packet.byteCount) { $0.classicPacket(record, packet) }
            return
        }
        text.removeAll(keepingCapacity: true)
        if annotation.byteCount > 0 { comment(annotation, &text) }
        let text = text
        let size = record.blockSize(verdicts: options.verdicts, comment: text.count)
        unsafe files[0].append(size) {
            $0.packet(record, packet, verdicts: options.verdicts, comment: text.raw)
        }
    }

    /// Goes on in other files if these are large or old enough.
    private func rotateIfDue() {
        guard let rotation = options.rotation, !state.hasFailed.load(ordering: .relaxed) else { return }
        var isDue = rotation.seconds.map { Self.now() - beginning >= Int(clamping: $0) } ?? false
        for index in 0..<fileCount where unsafe files[index].size >= rotation.bytes ?? .max { isDue = true }
        guard isDue, let paths = sequence?.next() else { return }
        end()
        if !state.hasFailed.load(ordering: .relaxed) { open(paths) }
    }

    private func losses(_ point: Int) -> UInt64 { rings.reduce(0) { $0 &+ $1.losses(point: point) } }

    /// Hands everything to the kernel.
    func flush() {
        for index in 0..<fileCount { unsafe files[index].flush() }
    }

    /// Writes what comes after the packets, and closes; removes the files if anything has failed.
    func end() {
        for point in totals.indices {
            let total = totals[point]
            let lost = losses(point)
            totals[point] = TraceTotals(lostBefore: lost)
            guard options.format == .pcapng && fileCount > 0 else { continue }
            let dropped = lost &- total.lostBefore
            unsafe files[0].append(64) {
                $0.statistics(
                    point: point,
                    time: total.time,
                    received: total.records &+ dropped,
                    dropped: dropped
                )
            }
        }
        for index in 0..<fileCount { unsafe files[index].close() }
        if state.hasFailed.load(ordering: .acquiring) {
            for index in 0..<fileCount { unsafe files[index].remove() }
        }
        // Safe: all elements up to the count are initialised, and none is after this.
        unsafe files.deinitialize(count: fileCount)
        fileCount = 0
    }
}
