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
    private let state: TraceState
    /// Bytes ever put in, bytes of these that the consumer may see, and the tail as last seen.
    private var head: UInt64 = 0
    private var published: UInt64 = 0
    private var tail: UInt64 = 0

    /// The longest annotation, in bytes; what is longer is cut.
    package static let annotationLimit = 128
    /// The most bytes that are recorded of a packet: the snapshot length of every interface.
    package static let snapLength = 262_144

    init(_ ring: TraceRing, state: TraceState) {
        self.ring = ring
        self.state = state
        unsafe base = ring.base
        mask = UInt64(ring.capacity - 1)
        capacity = UInt64(ring.capacity)
        publishAfter = UInt64(min(ring.capacity / 8, 1 << 16))
    }

    deinit {
        if head != published {
            ring.head.store(head, ordering: .sequentiallyConsistent)
            ring.wake.workArrived()
        }
    }

    /// Whether writing has failed: what is appended now is thrown away.
    ///
    /// `TraceWriter.finish` tells why.
    package var hasFailed: Bool { state.hasFailed.load(ordering: .relaxed) }

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
        let limit = min(Self.snapLength, Int(capacity / 4) - TraceRecord.headerSize - Self.annotationLimit - 8)
        let firstLength = min(first.byteCount, limit)
        let secondLength = min(second.byteCount, limit - firstLength)
        let captured = firstLength + secondLength
        let packetOffset = TraceRecord.headerSize + (annotationLength + 7) & ~7
        let size = (packetOffset + captured + 7) & ~7
        guard let record = unsafe reserve(size) else {
            ring.countLoss(point: point)
            return false
        }
        // Safe: `reserve` gave `size` bytes, aligned to 8, of which the consumer sees nothing yet; the parts below lie in them
        // one behind the other.
        unsafe record.storeBytes(
            of: TraceRecord(
                size: UInt32(size),
                point: point,
                annotationLength: UInt16(annotationLength),
                packetID: packetID,
                time: time,
                capturedLength: UInt32(captured),
                originalLength: UInt32(clamping: max(originalLength, first.byteCount + second.byteCount)),
                flags: flags & ~3 | UInt32(direction.rawValue),
                verdict: verdict.map(UInt16.init) ?? .max
            ),
            as: TraceRecord.self
        )
        unsafe Self.copy(annotation, count: annotationLength, to: record + TraceRecord.headerSize)
        unsafe Self.copy(first, count: firstLength, to: record + packetOffset)
        unsafe Self.copy(second, count: secondLength, to: record + packetOffset + firstLength)
        head += UInt64(size)
        if head - published >= publishAfter { flush() }
        return true
    }

    /// Makes what was appended visible to the writer; call it after each batch, and before waiting for anything else.
    package mutating func flush() {
        guard head != published else { return }
        published = head
        ring.head.store(head, ordering: .sequentiallyConsistent)
        ring.wake.workArrived()
    }

    /// Contiguous room for a record of `size` bytes.
    @inline(__always)
    private mutating func reserve(_ size: Int) -> UnsafeMutableRawPointer? {
        let offset = Int(head & mask)
        let toEnd = Int(capacity) - offset
        let needed = UInt64(size <= toEnd ? size : toEnd + size)
        if head + needed - tail > capacity {
            guard makeRoom(needed) else { return nil }
        }
        if size <= toEnd { return unsafe base + offset }
        // Safe: records are multiples of 8, so that at least 8 bytes are left: the two fields of the header that are read.
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

    @inline(__always)
    private static func copy(_ bytes: RawSpan, count: Int, to target: UnsafeMutableRawPointer) {
        // Safe: the caller has room for `count` bytes, and `bytes` has as many.
        unsafe bytes.withUnsafeBytes { from in
            guard count > 0, let from = from.baseAddress else { return }
            unsafe target.copyMemory(from: from, byteCount: count)
        }
    }
}

/// The writer's end of a ring.
@safe struct TraceConsumer {
    let ring: TraceRing
    private var tail: UInt64 = 0

    init(_ ring: TraceRing) { self.ring = ring }

    /// Whether there is something to take; other threads may change the answer from no to yes at any time.
    var hasWork: Bool { ring.head.load(ordering: .sequentiallyConsistent) != tail }

    /// Gives all records that are visible to `body`, with annotation and packet; whether there were any.
    mutating func drain(_ body: (TraceRecord, RawSpan, RawSpan) -> Void) -> Bool {
        let head = ring.head.load(ordering: .acquiring)
        guard head != tail else { return false }
        let mask = UInt64(ring.capacity - 1)
        var givenBack = tail
        while tail != head {
            // Safe: the producer has made whole records visible up to `head`, and leaves them alone until `tail` passes them.
            let record = unsafe ring.base + Int(tail & mask)
            let size = unsafe record.load(as: UInt32.self)
            if unsafe record.load(fromByteOffset: 4, as: UInt16.self) != TraceRecord.skip {
                let header = unsafe record.load(as: TraceRecord.self)
                let annotationLength = Int(header.annotationLength)
                let annotation = unsafe RawSpan(
                    _unsafeStart: record + TraceRecord.headerSize,
                    byteCount: annotationLength
                )
                let packet = unsafe RawSpan(
                    _unsafeStart: record + TraceRecord.headerSize + (annotationLength + 7) & ~7,
                    byteCount: Int(header.capturedLength)
                )
                body(header, annotation, packet)
            }
            tail += UInt64(size)
            if tail - givenBack >= UInt64(ring.capacity / 8) || tail == head {
                givenBack = tail
                giveBack()
            }
        }
        return true
    }

    private func giveBack() {
        ring.tail.store(tail, ordering: .sequentiallyConsistent)
        guard ring.producerWaits.load(ordering: .sequentiallyConsistent) else { return }
        let used = ring.head.load(ordering: .relaxed) - tail
        if used <= UInt64(ring.capacity / 2) { ring.wake.roomMade() }
    }
}
