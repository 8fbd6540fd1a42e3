import Capture
import Glibc
import Testing

@Suite struct TraceRingTests {
    /// Reads a descriptor to its end on a thread of its own, and throws away what comes.
    private static func discard(_ descriptor: Int32) -> pthread_t {
        var thread = pthread_t()
        let argument = unsafe UnsafeMutableRawPointer(bitPattern: Int(descriptor))
        unsafe pthread_create(
            &thread,
            nil,
            { argument in
                let descriptor = Int32(Int(bitPattern: argument))
                var part = [UInt8](repeating: 0, count: 65536)
                while unsafe read(descriptor, &part, part.count) > 0 {}
                return nil
            },
            argument
        )
        return thread
    }

    @Test("a small ring loses nothing and keeps the order", arguments: 0..<4 as Range<UInt64>)
    func blocking(seed: UInt64) throws {
        let scratch = try Scratch()
        var options = TraceWriterTests.options
        options.ringCapacity = 1 << (12 + 2 * Int(seed))
        let path = scratch.path + "/t"
        let writer = try TraceWriter(path: path, options: options, comment: TraceWriterTests.comment)
        var producer = try TraceWriterTests.producer(of: writer)
        var random = SplitMix(state: seed)
        var sizes: [Int] = []
        let limit = options.ringCapacity / 4 - 176  // Header and the longest annotation.
        for id in 0..<3000 as Range<UInt64> {
            let size = 28 + random.below(1200)
            let cut = random.below(28)
            let packet = datagram(size, last: UInt8(truncatingIfNeeded: id))
            sizes.append(min(size, limit))
            TraceWriterTests.append(
                &producer,
                point: UInt16(id % 3),
                id: id,
                text: id % 5 == 0 ? "number \(id)" : "",
                head: Array(packet[..<cut]),
                tail: Array(packet[cut...])
            )
            if random.below(100) == 0 { producer.flush() }
        }
        producer.flush()
        try writer.finish()
        #expect(writer.lostRecords == 0)
        let result = PcapngReaderTests.events(path)
        let packets = result.events.compactMap { if case .packet(let packet) = $0 { packet } else { nil } }
        let isInOrder = packets.map(\.packetID) == (0..<3000).map { UInt64($0) }
        let isWhole = packets.map(\.capturedLength) == sizes
        #expect(isInOrder && isWhole)
        let damaged = result.bytes.indices.first { id in
            let bytes = result.bytes[id]
            let whole = datagram(packets[id].wireLength, last: UInt8(truncatingIfNeeded: id))
            return bytes != Array(whole[..<bytes.count])
                || result.comments[id] != (id % 5 == 0 ? ["number \(id)"] : [])
        }
        #expect(damaged == nil)
    }

    @Test("a writer that is stuck costs records, not time, and they are counted")
    func lossy() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        var options = TraceWriterTests.options
        options.ringCapacity = 1 << 14
        options.mode = .lossy
        let writer = try TraceWriter(path: "/dev/fd/\(ends[1])", options: options, comment: TraceWriterTests.comment)
        close(ends[1])
        var producer = try TraceWriterTests.producer(of: writer)
        var lost: UInt64 = 0
        let packet = datagram(1000)
        for _ in 0..<2000 {
            let isIn = TraceWriterTests.append(&producer, point: 1, head: packet)
            if !isIn { lost += 1 }
        }
        producer.flush()
        #expect(lost > 0)
        #expect(writer.lostRecords == lost)
        let reader = Self.discard(ends[0])
        try writer.finish()
        pthread_join(reader, nil)
        close(ends[0])
    }

    @Test("losses stand in the statistics of their capture point")
    func statistics() throws {
        let scratch = try Scratch()
        var options = TraceWriterTests.options
        options.ringCapacity = 1 << 12
        options.mode = .lossy
        let writer = try TraceWriter(path: scratch.path + "/t", options: options, comment: TraceWriterTests.comment)
        var producer = try TraceWriterTests.producer(of: writer)
        let packet = datagram(500)
        for _ in 0..<5000 { TraceWriterTests.append(&producer, point: 1, head: packet) }
        producer.flush()
        try writer.finish()
        let result = PcapngReaderTests.events(scratch.path + "/t")
        let statistics = result.events.compactMap { if case .statistics(let found) = $0 { found } else { nil } }
        #expect(statistics.map(\.received) == [0, 5000, 0])
        #expect(statistics.map(\.dropped) == [0, writer.lostRecords, 0])
        #expect(result.bytes.count == 5000 - Int(writer.lostRecords))
    }

    @Test("every worker has a ring, which it gets once")
    func producers() throws {
        let scratch = try Scratch()
        var options = TraceWriterTests.options
        options.producers = 2
        let writer = try TraceWriter(path: scratch.path + "/t", options: options, comment: TraceWriterTests.comment)
        var first = try TraceWriterTests.producer(of: writer, 0)
        var second = try TraceWriterTests.producer(of: writer, 1)
        #expect(throws: CaptureError.self) { _ = try TraceWriterTests.producer(of: writer, 0) }
        #expect(throws: CaptureError.self) { _ = try TraceWriterTests.producer(of: writer, 2) }
        for id in 0..<1000 as Range<UInt64> {
            TraceWriterTests.append(&first, id: 2 * id, head: datagram())
            TraceWriterTests.append(&second, id: 2 * id + 1, head: datagram())
        }
        first.flush()
        second.flush()
        try writer.finish()
        let packets = PcapngReaderTests.packets(scratch.path + "/t").packets
        let ids = packets.compactMap(\.packetID)
        #expect(ids.sorted() == Array(0..<2000))
        let even: [UInt64] = (0..<1000).map { 2 * $0 }
        #expect(ids.filter { $0 % 2 == 0 } == even)
    }

    @Test("what is appended shows up while the trace goes on")
    func liveness() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        var options = TraceWriterTests.options
        options.mode = .lossy
        let writer = try TraceWriter(path: "/dev/fd/\(ends[1])", options: options, comment: TraceWriterTests.comment)
        close(ends[1])
        var reader = try PcapngReader(path: "/dev/fd/\(ends[0])")
        close(ends[0])
        var producer = try TraceWriterTests.producer(of: writer)
        for id in 0..<3 as Range<UInt64> {
            TraceWriterTests.append(&producer, id: id, head: datagram())
            producer.flush()
            while let event = try reader.next() {
                guard case .packet(let packet) = event else { continue }
                #expect(packet.packetID == id)
                break
            }
        }
        try writer.finish()
    }
}
