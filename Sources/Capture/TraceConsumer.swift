internal import Synchronization

/// What lies in a ring.
enum TraceEntry {
    /// Finished blocks: where they are, and how many bytes.
    case blocks(at: Int, count: Int)
    /// A packet to be formatted, and where its annotation begins.
    case record(TraceRecord, annotationAt: Int)
    /// The trace goes on in another file; where it is told what was put in before, a `TraceTotals` for each capture point.
    case boundary(totalsAt: Int)
}

/// The writer's end of a ring.
@safe struct TraceConsumer {
    let ring: TraceRing
    /// How far entries are visible, were taken, and were given back.
    private var head: UInt64 = 0
    private var tail: UInt64 = 0
    private var givenBack: UInt64 = 0

    init(_ ring: TraceRing) { self.ring = ring }

    /// Whether there is something to take; other threads may change the answer from no to yes at any time.
    var hasWork: Bool { ring.head.load(ordering: .sequentiallyConsistent) != tail }

    /// Whether so much was taken that it should be given back.
    var isDue: Bool { tail - givenBack >= UInt64(ring.batchSize) }

    /// The next entry that was visible when `look` was called; nil when all are taken.
    mutating func next() -> TraceEntry? {
        while tail != head {
            let offset = Int(tail & UInt64(ring.capacity - 1))
            // Safe: the producer has made whole entries visible up to `head`, and leaves them alone until they are given back.
            let entry = unsafe ring.base + offset
            let size = unsafe Int(entry.load(as: UInt32.self))
            tail += UInt64(size)
            switch unsafe entry.load(fromByteOffset: 4, as: UInt16.self) {
            case TraceRecord.skip: continue
            case TraceRecord.boundary: return .boundary(totalsAt: offset + TraceRecord.blocksHeaderSize)
            case TraceRecord.blocks:
                let padding = unsafe Int(entry.load(fromByteOffset: 6, as: UInt16.self))
                let start = TraceRecord.blocksHeaderSize
                return .blocks(at: offset + start, count: size - start - padding)
            default:
                return unsafe .record(entry.load(as: TraceRecord.self), annotationAt: offset + TraceRecord.headerSize)
            }
        }
        return nil
    }

    /// Looks for entries; whether there are any.
    mutating func look() -> Bool {
        head = ring.head.load(ordering: .acquiring)
        return head != tail
    }

    /// Bytes of an entry that was taken and not given back.
    @_lifetime(borrow self)
    func bytes(at offset: Int, count: Int) -> RawSpan {
        precondition(offset >= 0 && count >= 0 && offset + count <= ring.capacity)
        // Safe: inside of the ring's memory, which lives as long as the ring.
        return unsafe _overrideLifetime(RawSpan(_unsafeStart: ring.base + offset, byteCount: count), borrowing: self)
    }

    /// Gives all that was taken back to the producer.
    mutating func giveBack() {
        givenBack = tail
        ring.tail.store(tail, ordering: .sequentiallyConsistent)
        guard ring.producerWaits.load(ordering: .sequentiallyConsistent) else { return }
        let used = ring.head.load(ordering: .relaxed) - tail
        if used <= UInt64(ring.capacity / 2) { ring.wake.roomMade() }
    }
}
