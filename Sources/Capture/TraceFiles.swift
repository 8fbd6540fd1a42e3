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
    /// For each capture point how many records there were, and how many were lost, before these files.
    private var before: [(records: UInt64, lost: UInt64)]
    private var text: [UInt8] = []

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
        before = Array(repeating: (0, 0), count: options.points.count)
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
            switch entry {
            case .blocks(let offset, let count):
                // Safe: blocks are of pcapng traces only, which have one file, or none after a failure; they stay until they are
                // given back.
                if fileCount > 0 { unsafe files[0].refer(to: consumer.bytes(at: offset, count: count)) }
            case .record(let record, let offset):
                let annotationLength = Int(record.annotationLength)
                write(
                    record,
                    consumer.bytes(at: offset, count: annotationLength),
                    consumer.bytes(at: offset + (annotationLength + 7) & ~7, count: Int(record.capturedLength))
                )
            case .boundary(let offset):
                let size = MemoryLayout<TraceTotals>.stride
                rotate { point in
                    let bytes = consumer.bytes(at: offset + point * size, count: size)
                    // Safe: the producer has put a `TraceTotals` there for each point, and every bit pattern is one.
                    return unsafe bytes.unsafeLoad(as: TraceTotals.self)
                }
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

    private func write(_ record: TraceRecord, _ annotation: RawSpan, _ packet: RawSpan) {
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

    /// Goes on in other files; `totals` tells what was put in before.
    private func rotate(_ totals: (Int) -> TraceTotals) {
        end(totals)
        guard !state.hasFailed.load(ordering: .relaxed), let paths = sequence?.next() else { return }
        open(paths)
    }

    private func losses(_ point: Int) -> UInt64 { rings.reduce(0) { $0 &+ $1.losses(point: point) } }

    /// Hands everything to the kernel.
    func flush() {
        for index in 0..<fileCount { unsafe files[index].flush() }
    }

    /// Ends the trace: every producer has done its last call.
    func end() {
        end { point in
            // Safe: every ring has as many elements as there are points.
            let all = rings.map { ring in unsafe ring.totals[point] }
            return TraceTotals(
                records: all.reduce(0) { $0 &+ $1.records },
                time: all.reduce(0) { max($0, $1.time) }
            )
        }
    }

    /// Writes what comes after the packets, and closes; if anything has failed, removes the files or what is not whole in them.
    private func end(_ totals: (Int) -> TraceTotals) {
        if options.format == .pcapng && fileCount > 0 {
            for point in before.indices {
                let total = totals(point)
                let lost = losses(point)
                let dropped = lost &- before[point].lost
                let received = total.records &- before[point].records &+ dropped
                before[point] = (total.records, lost)
                unsafe files[0].append(64) {
                    $0.statistics(point: point, time: total.time, received: received, dropped: dropped)
                }
            }
        }
        // What fails shows before anything is cut or closed.
        flush()
        let keepsUnfinished = options.keepsUnfinished && !state.isAbandoned.load(ordering: .relaxed)
        if keepsUnfinished && state.hasFailed.load(ordering: .acquiring) {
            for index in 0..<fileCount { unsafe files[index].cut() }
        }
        for index in 0..<fileCount { unsafe files[index].close() }
        if !keepsUnfinished && state.hasFailed.load(ordering: .acquiring) {
            for index in 0..<fileCount { unsafe files[index].remove() }
        }
        // Safe: all elements up to the count are initialised, and none is after this.
        unsafe files.deinitialize(count: fileCount)
        fileCount = 0
    }
}
