internal import Synchronization
internal import Wire

/// The files of a trace, and what is counted for their end.
///
/// Used by one thread at a time: the one that creates the trace until the writer's thread begins, then by that.
@safe final class TraceFiles: @unchecked Sendable {
    private let options: TraceOptions
    private let comment: TraceCommentFormatter
    private let state: TraceState
    // Safe: `fileCount` elements are initialised, until `end`.
    private let files: UnsafeMutablePointer<TraceOutput>
    private var fileCount = 0
    private var text: [UInt8] = []

    /// Creates all files; on an error those created are removed again.
    init(
        path: String,
        options: TraceOptions,
        comment: @escaping TraceCommentFormatter,
        state: TraceState
    ) throws(CaptureError) {
        let paths =
            options.format == .pcapng
            ? [path] : options.points.map { TraceOptions.classicPath(path, point: $0.name) }
        (self.options, self.comment, self.state) = (options, comment, state)
        unsafe files = .allocate(capacity: max(paths.count, 1))
        for path in paths {
            do throws(CaptureError) {
                let file = try TraceOutput(path: path, state: state)
                unsafe (files + fileCount).initialize(to: file)
                fileCount += 1
            } catch {
                state.fail(error)
                end(losses: [])
                throw error
            }
        }
    }

    deinit {
        // Safe: all elements up to the count are initialised.
        unsafe files.deinitialize(count: fileCount)
        unsafe files.deallocate()
    }

    /// Writes what comes before the packets.
    func begin() {
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
                // Safe: blocks are of pcapng traces only, which have one file; they stay until they are given back.
                unsafe files[0].refer(to: consumer.bytes(at: offset, count: count))
            case .record(let record, let offset):
                let annotationLength = Int(record.annotationLength)
                write(
                    record,
                    consumer.bytes(at: offset, count: annotationLength),
                    consumer.bytes(at: offset + (annotationLength + 7) & ~7, count: Int(record.capturedLength))
                )
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

    /// Hands everything to the kernel.
    func flush() {
        for index in 0..<fileCount { unsafe files[index].flush() }
    }

    /// Writes what comes after the packets, and closes; removes the files if anything has failed.
    func end(losses rings: [TraceRing]) {
        if options.format == .pcapng && fileCount == 1 && !rings.isEmpty {
            for point in options.points.indices {
                let dropped = rings.reduce(0 as UInt64) { $0 &+ $1.losses(point: point) }
                // Safe: every ring has as many elements as there are points; its producer has done its last call.
                let totals = rings.map { ring in unsafe ring.totals[point] }
                unsafe files[0].append(64) {
                    $0.statistics(
                        point: point,
                        time: totals.reduce(0) { max($0, $1.time) },
                        received: totals.reduce(dropped) { $0 &+ $1.records },
                        dropped: dropped
                    )
                }
            }
        }
        for index in 0..<fileCount { unsafe files[index].close() }
        guard state.hasFailed.load(ordering: .acquiring) else { return }
        for index in 0..<fileCount { unsafe files[index].remove() }
    }
}
