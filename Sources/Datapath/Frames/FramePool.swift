internal import Tables

/// A fixed set of buffers in one block of memory, for frames and what is made from them.
///
/// The only file of the datapath that owns raw memory. A buffer begins with `headroom` bytes, where a live interface
/// puts the virtio-net header, so that it travels with its frame. The distance between buffers is an odd number of
/// cache lines: with a power of two the headers of all frames of a batch would compete for the same few lines.
@safe package struct FramePool: ~Copyable {
    // Safe: points into `region`, which this value owns; every access below is checked against `count` and `capacity`.
    private let base: UnsafeMutableRawPointer
    private let region: Region
    private let stride: Int
    /// How many buffers there are.
    package let count: Int
    /// The length of the longest frame, in bytes.
    package let capacity: Int

    /// The bytes before a frame.
    package static let headroom = 64

    /// Buffers for `count` frames of up to `capacity` bytes.
    ///
    /// A sparse pool is one whose buffers are mostly never used: it takes no huge pages.
    package init(count: Int, capacity: Int, isSparse: Bool = false) {
        let lines = (Self.headroom + capacity + 63) / 64
        stride = (lines | 1) * 64
        region = Region(byteCount: stride * count, isSparse: isSparse)
        unsafe base = region.base
        self.count = count
        self.capacity = capacity
    }

    /// An arena of `byteCount` bytes, of which frames of up to `capacity` bytes are parts.
    ///
    /// The number of a frame is its place in steps of 64 bytes; whoever hands out the places sees to it that frames
    /// do not overlap (`lines(for:)`).
    package init(arena byteCount: Int, capacity: Int) {
        stride = 64
        count = byteCount / 64
        region = Region(byteCount: stride * count + Self.headroom + capacity, isSparse: true)
        unsafe base = region.base
        self.capacity = capacity
    }

    /// How many steps of an arena a frame takes, its headroom included.
    static func lines(for length: Int) -> Int { (headroom + length + 63) / 64 }

    /// The bytes of a frame, exclusively, for as long as the result lives.
    ///
    /// Traps outside of the pool.
    @_lifetime(&self)
    @inline(__always) package mutating func frame(_ number: Int, length: Int) -> MutableRawSpan {
        precondition(
            UInt(bitPattern: number) < UInt(bitPattern: count) && UInt(bitPattern: length) <= UInt(bitPattern: capacity)
        )
        // Safe: within the region, by the line above.
        let span = unsafe MutableRawSpan(
            _unsafeStart: base + (number &* stride &+ Self.headroom),
            byteCount: length
        )
        return unsafe _overrideLifetime(span, mutating: &self)
    }

    /// The bytes of a frame with `header` bytes of its headroom before it.
    @_lifetime(&self)
    @inline(__always) package mutating func frame(_ number: Int, length: Int, header: Int) -> MutableRawSpan {
        precondition(UInt(bitPattern: number) < UInt(bitPattern: count))
        precondition(UInt(bitPattern: length) <= UInt(bitPattern: capacity) && header >= 0 && header <= Self.headroom)
        // Safe: within the region, by the lines above.
        let span = unsafe MutableRawSpan(
            _unsafeStart: base + (number &* stride &+ Self.headroom &- header),
            byteCount: length &+ header
        )
        return unsafe _overrideLifetime(span, mutating: &self)
    }

    /// A frame to be read into, with `header` bytes of its headroom before it.
    @_lifetime(&self)
    package mutating func buffer(_ number: Int, header: Int) -> MutableRawSpan {
        precondition(number >= 0 && number < count && header >= 0 && header <= Self.headroom)
        // Safe: within the region, by the line above.
        let span = unsafe MutableRawSpan(
            _unsafeStart: base + (number &* stride &+ Self.headroom &- header),
            byteCount: capacity &+ header
        )
        return unsafe _overrideLifetime(span, mutating: &self)
    }

    /// The bytes of a frame, to be read.
    @_lifetime(borrow self)
    package func bytes(_ number: Int, length: Int) -> RawSpan {
        precondition(number >= 0 && number < count && length >= 0 && length <= capacity)
        // Safe: within the region, by the line above.
        let span = unsafe RawSpan(_unsafeStart: base + (number &* stride &+ Self.headroom), byteCount: length)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// The bytes of a frame with `header` bytes of its headroom before it, to be read.
    @_lifetime(borrow self)
    package func bytes(_ number: Int, length: Int, header: Int) -> RawSpan {
        precondition(number >= 0 && number < count && length >= 0 && length <= capacity)
        precondition(header >= 0 && header <= Self.headroom)
        let start = number &* stride &+ Self.headroom &- header
        // Safe: within the region, by the lines above.
        let span = unsafe RawSpan(_unsafeStart: base + start, byteCount: length &+ header)
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    /// Copies the first bytes of a frame over those of another one of this pool.
    package mutating func copy(_ number: Int, to target: Int, length: Int) {
        precondition(
            number >= 0 && number < count && target >= 0 && target < count && length >= 0 && length <= capacity
        )
        guard number != target else { return }
        // Safe: both within the region, by the lines above, and frames do not overlap.
        unsafe (base + (target &* stride &+ Self.headroom)).copyMemory(
            from: base + (number &* stride &+ Self.headroom),
            byteCount: length
        )
    }

    /// Copies a part of another pool's frame into a frame.
    package mutating func copy(
        from other: borrowing FramePool,
        _ number: Int,
        _ range: Range<Int>,
        to target: Int,
        at offset: Int
    ) {
        let source = other.bytes(number, length: range.upperBound).extracting(range)
        var destination = frame(target, length: offset + range.count)
        copyBytes(source, into: &destination, at: offset)
    }

    /// Copies a part of a frame into another one.
    mutating func copyWithin(_ number: Int, _ range: Range<Int>, to target: Int, at offset: Int) {
        precondition(number >= 0 && number < count && range.lowerBound >= 0 && range.upperBound <= capacity)
        precondition(target >= 0 && target < count && offset >= 0 && offset + range.count <= capacity)
        let source = unsafe base + (number &* stride &+ Self.headroom &+ range.lowerBound)
        // Safe: both parts are within the region, by the lines above.
        unsafe (base + (target &* stride &+ Self.headroom &+ offset)).copyMemory(from: source, byteCount: range.count)
    }
}
