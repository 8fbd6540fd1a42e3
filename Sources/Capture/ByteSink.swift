internal import Wire

/// Puts numbers, least significant byte first, and bytes into a piece of memory, and nothing beyond its end.
@safe struct ByteSink {
    private let base: UnsafeMutableRawPointer
    private let capacity: Int
    private(set) var count = 0

    /// Safe: the caller guarantees `capacity` bytes at `base` for as long as the sink is used.
    @unsafe
    init(_ base: UnsafeMutableRawPointer, capacity: Int) {
        unsafe self.base = base
        self.capacity = capacity
    }

    @inline(__always)
    mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
        precondition(MemoryLayout<Number>.size <= capacity - count)
        // Safe: the size is checked.
        unsafe (base + count).storeBytes(of: number.littleEndian, as: Number.self)
        count += MemoryLayout<Number>.size
    }

    @inline(__always)
    mutating func put(_ bytes: RawSpan) {
        precondition(bytes.byteCount <= capacity - count)
        // Safe: the size is checked.
        unsafe bytes.withUnsafeBytes { from in
            guard let start = from.baseAddress, unsafe !from.isEmpty else { return }
            unsafe (base + count).copyMemory(from: start, byteCount: from.count)
        }
        count += bytes.byteCount
    }

    /// Zeros up to a multiple of four bytes behind `start`.
    @inline(__always)
    mutating func pad(from start: Int) {
        while (count - start) & 3 != 0 { put(UInt8(0)) }
    }

    /// Puts a number in at a place that was kept for it.
    @inline(__always)
    mutating func set(_ number: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= count)
        // Safe: the place is checked.
        unsafe (base + offset).storeBytes(of: number.littleEndian, as: UInt32.self)
    }

    /// Puts the Enhanced Packet Block of a record.
    @inline(__always)
    mutating func packet(_ record: TraceRecord, _ bytes: RawSpan, verdicts: TraceVerdictKind?, comment: RawSpan) {
        let size = record.blockSize(verdicts: verdicts, comment: comment.byteCount)
        precondition(size <= capacity - count)
        // Safe: the size is checked.
        unsafe record.storeBlock(
            to: base + count,
            size: size,
            head: bytes,
            tail: RawSpan(),
            verdicts: verdicts,
            comment: comment
        )
        count += size
    }
}
