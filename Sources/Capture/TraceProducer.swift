internal import Glibc
internal import Synchronization

/// A worker's end of the trace: puts records into its ring.
///
/// One thread uses it at a time.
@safe package struct TraceProducer: ~Copyable {
    private let ring: TraceRing
    private let base: UnsafeMutableRawPointer
    private let mask: UInt64
    private let capacity: UInt64
    private let publishAfter: UInt64
    private let packetLimit: Int
    private let makesBlocks: Bool
    private let rotation: TraceRotation?
    private let verdicts: TraceVerdictKind?
    private let state: TraceState
    /// Bytes ever put in, bytes of these that the consumer may see, and the tail as last seen.
    private var head: UInt64 = 0
    private var published: UInt64 = 0
    private var tail: UInt64 = 0
    /// What the present file has in bytes, nearly, and the time of its first batch.
    private var fileBytes: UInt64 = 0
    private var fileTime: UInt64 = 0
    /// Where the entry begins that the next block is put into, and where the ring's memory ends for it; 0 if none is open.
    private var blocksStart: UInt64 = 0
    private var blocksLimit: UInt64 = 0

    /// The longest annotation, in bytes; what is longer is cut.
    package static let annotationLimit = 128
    /// What the option of a usual comment takes in bytes.
    private static let usualComment = 160
    /// The most bytes that are recorded of a packet: the snapshot length of every interface.
    package static let snapLength = 262_144

    init(_ ring: TraceRing, state: TraceState) {
        self.ring = ring
        self.state = state
        unsafe base = ring.base
        mask = UInt64(ring.capacity - 1)
        capacity = UInt64(ring.capacity)
        publishAfter = UInt64(min(ring.capacity / 8, 1 << 16))
        packetLimit = min(Self.snapLength, ring.capacity / 4 - TraceRecord.headerSize - Self.annotationLimit - 8)
        makesBlocks = ring.makesBlocks
        rotation = ring.rotation
        verdicts = ring.verdicts
    }

    deinit {
        let head = headBehindBlocks()
        if head != published {
            ring.head.store(head, ordering: .sequentiallyConsistent)
            ring.wake.workArrived(in: ring)
        }
    }

    /// Why writing has failed, so that what is appended now is thrown away; nil while it has not.
    package var failure: CaptureError? { state.hasFailed.load(ordering: .relaxed) ? state.error : nil }

    /// Records a packet; false if there was no room for it (in `.lossy` mode only), or no such capture point.
    ///
    /// The packet is `head` followed by `tail`. `time` is in nanoseconds since 1970, `packetID` becomes epb_packetid,
    /// `flags` are further bits of epb_flags (draft-ietf-opsawg-pcapng section 4.3.1), `annotation` goes to the writer's
    /// comment formatter. `originalLength` is the packet's length if not all of it is given; less is ignored.
    @discardableResult
    package mutating func append(
        point: UInt16,
        direction: TraceDirection,
        packetID: UInt64,
        time: UInt64,
        verdict: UInt8? = nil,
        flags: UInt32 = 0,
        annotation: RawSpan,
        head first: RawSpan,
        tail second: RawSpan,
        originalLength: Int
    ) -> Bool {
        guard point < ring.pointCount else { return false }
        let annotationLength = min(annotation.byteCount, Self.annotationLimit)
        let firstLength = min(first.byteCount, packetLimit)
        let record = TraceRecord(
            size: 0,
            point: point,
            annotationLength: UInt16(truncatingIfNeeded: annotationLength),
            packetID: packetID,
            time: time,
            capturedLength: UInt32(truncatingIfNeeded: firstLength + min(second.byteCount, packetLimit - firstLength)),
            originalLength: UInt32(clamping: max(originalLength, first.byteCount + second.byteCount)),
            flags: flags & ~3 | UInt32(direction.rawValue),
            verdict: verdict.map(UInt16.init) ?? .max
        )
        guard
            makesBlocks && annotationLength == 0
                ? appendBlock(record, first, second) : appendRecord(record, annotation, first, second)
        else {
            ring.countLoss(point: point)
            return false
        }
        // Safe: the point is below the number of points.
        unsafe ring.totals[Int(point)].records &+= 1
        unsafe ring.totals[Int(point)].time = time
        if rotation != nil { count(record) }
        if head - published >= publishAfter { flush() }
        return true
    }

    @inline(__always)
    private mutating func appendBlock(_ record: TraceRecord, _ first: RawSpan, _ second: RawSpan) -> Bool {
        let size = record.blockSize(verdicts: verdicts)
        guard let target = unsafe reserveBlock(size) else { return false }
        // Safe: `reserveBlock` gave `size` bytes.
        unsafe record.storeBlock(
            to: target,
            size: size,
            head: first,
            tail: second,
            verdicts: verdicts,
            comment: RawSpan()
        )
        head += UInt64(size)
        return true
    }

    /// Records a packet for the writer's thread to format.
    @inline(never)
    private mutating func appendRecord(
        _ unsized: TraceRecord,
        _ annotation: RawSpan,
        _ first: RawSpan,
        _ second: RawSpan
    ) -> Bool {
        var record = unsized
        let annotationLength = Int(record.annotationLength)
        let captured = Int(record.capturedLength)
        let packetOffset = TraceRecord.headerSize + (annotationLength + 7) & ~7
        let size = (packetOffset + captured + 7) & ~7
        head = headBehindBlocks()
        blocksLimit = 0
        guard let target = unsafe reserve(size) else { return false }
        record.size = UInt32(size)
        let firstLength = min(first.byteCount, captured)
        // Safe: `reserve` gave `size` bytes, aligned to 8, of which the consumer sees nothing yet; the parts lie in them
        // one behind the other.
        unsafe target.storeBytes(of: record, as: TraceRecord.self)
        unsafe TraceRecord.copy(annotation, count: annotationLength, to: target + TraceRecord.headerSize)
        unsafe TraceRecord.copy(first, count: firstLength, to: target + packetOffset)
        unsafe TraceRecord.copy(second, count: captured - firstLength, to: target + packetOffset + firstLength)
        head += UInt64(size)
        return true
    }

    /// Says that a batch of packets begins, at a time in nanoseconds since 1970.
    ///
    /// All sightings of a packet lie between two calls: only here a trace that rotates goes on in another file.
    package mutating func begin(at time: UInt64) {
        guard let rotation else { return }
        if fileBytes == 0 {
            fileTime = time
            return
        }
        let age = time > fileTime ? (time - fileTime) / 1_000_000_000 : 0
        guard fileBytes >= rotation.bytes ?? .max || age >= rotation.seconds ?? .max, markBoundary() else { return }
        fileBytes = 0
        fileTime = time
    }

    /// Counts what a record will take in its file.
    ///
    /// How long a comment is shows when it is written only.
    private mutating func count(_ record: TraceRecord) {
        let comment = record.annotationLength > 0 ? Self.usualComment : 0
        let size = makesBlocks ? record.blockSize(verdicts: verdicts) + comment : 16 + Int(record.capturedLength)
        fileBytes &+= UInt64(size)
    }

    /// Puts a boundary in; false if there was no room for it.
    private mutating func markBoundary() -> Bool {
        head = headBehindBlocks()
        blocksLimit = 0
        let size = Self.boundarySize(points: ring.pointCount)
        guard let entry = unsafe reserve(size) else { return false }
        // Safe: `reserve` gave as many bytes, aligned to 8; the totals are this side's.
        unsafe entry.storeBytes(of: UInt32(size), as: UInt32.self)
        unsafe entry.storeBytes(of: TraceRecord.boundary, toByteOffset: 4, as: UInt16.self)
        unsafe (entry + TraceRecord.blocksHeaderSize)
            .copyMemory(from: ring.totals, byteCount: ring.pointCount * MemoryLayout<TraceTotals>.stride)
        head += UInt64(size)
        return true
    }

    /// How many bytes a boundary takes.
    static func boundarySize(points: Int) -> Int {
        TraceRecord.blocksHeaderSize + points * MemoryLayout<TraceTotals>.stride
    }

    /// Makes what was appended visible to the writer; call it after each batch, and before waiting for anything else.
    package mutating func flush() {
        head = headBehindBlocks()
        blocksLimit = 0
        guard head != published else { return }
        published = head
        ring.head.store(head, ordering: .sequentiallyConsistent)
        ring.wake.workArrived(in: ring)
    }

    /// Room for a block behind the last one, or at the beginning of another entry.
    @inline(__always)
    private mutating func reserveBlock(_ size: Int) -> UnsafeMutableRawPointer? {
        let end = head + UInt64(size)
        // Positions of entries are multiples of 8, sizes of blocks of 4: the padding behind the last block fits as well.
        if end <= blocksLimit && end - tail <= capacity { return unsafe base + Int(head & mask) }
        return unsafe beginBlocks(size)
    }

    @inline(never)
    private mutating func beginBlocks(_ size: Int) -> UnsafeMutableRawPointer? {
        head = headBehindBlocks()
        blocksLimit = 0
        guard let entry = unsafe reserve(TraceRecord.blocksHeaderSize + (size + 7) & ~7) else { return nil }
        blocksStart = head
        blocksLimit = head - head & mask + capacity
        head += UInt64(TraceRecord.blocksHeaderSize)
        return unsafe entry + TraceRecord.blocksHeaderSize
    }

    /// Completes the entry of blocks that is open, if one is; where the next entry begins.
    private func headBehindBlocks() -> UInt64 {
        if blocksLimit == 0 { return head }
        let padding = (8 - head & 7) & 7
        // Safe: the entry's header was reserved, and is not visible yet.
        let entry = unsafe base + Int(blocksStart & mask)
        unsafe entry.storeBytes(of: UInt32(head + padding - blocksStart), as: UInt32.self)
        unsafe entry.storeBytes(of: TraceRecord.blocks, toByteOffset: 4, as: UInt16.self)
        unsafe entry.storeBytes(of: UInt16(padding), toByteOffset: 6, as: UInt16.self)
        return head + padding
    }

    /// Contiguous room for an entry of `size` bytes.
    @inline(__always)
    private mutating func reserve(_ size: Int) -> UnsafeMutableRawPointer? {
        let offset = Int(head & mask)
        let toEnd = Int(capacity) - offset
        let needed = UInt64(size <= toEnd ? size : toEnd + size)
        if head + needed - tail > capacity {
            guard makeRoom(needed) else { return nil }
        }
        if size <= toEnd { return unsafe base + offset }
        // Safe: entries are multiples of 8, so that at least 8 bytes are left: the two fields of the header that are read.
        unsafe (base + offset).storeBytes(of: UInt32(toEnd), as: UInt32.self)
        unsafe (base + offset).storeBytes(of: TraceRecord.skip, toByteOffset: 4, as: UInt16.self)
        head += UInt64(toEnd)
        return unsafe base
    }

    @inline(never)
    private mutating func makeRoom(_ needed: UInt64) -> Bool {
        tail = ring.tail.load(ordering: .acquiring)
        if head + needed - tail <= capacity { return true }
        flush()
        guard ring.mode == .blocking else { return false }
        ring.wake.waitForRoom(in: ring, tail: head + needed - capacity)
        tail = ring.tail.load(ordering: .acquiring)
        return head + needed - tail <= capacity
    }
}
