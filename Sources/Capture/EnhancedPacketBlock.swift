internal import Wire

// The Enhanced Packet Block of a record (draft-ietf-opsawg-pcapng section 4.3): its size is known beforehand, so that it is laid
// down by a few stores of two fields each and the copy of the packet. A worker does this for every packet that it traces.
//
//   block type, length · interface, time (high) · time (low), captured length · original length · packet, padded to 4 bytes ·
//   epb_flags · epb_packetid · epb_verdict · opt_comment · opt_endofopt, length

extension TraceRecord {
    /// The longest comment: an option's length has 16 bits, and the padding must fit as well.
    private static let commentLimit = 65_532

    /// Whether the block has a verdict, of the 255 that can be.
    @inline(__always) private var hasVerdict: Bool { verdict <= UInt16(UInt8.max) }

    /// The size of the block in bytes, a multiple of 4, with a comment of so many.
    @inline(__always)
    func blockSize(verdicts: TraceVerdictKind?, comment: Int = 0) -> Int {
        // Safe: lengths have at most 32 bits.
        var size = 28 &+ Self.padded(Int(capturedLength)) &+ 8 &+ 12 &+ 4 &+ 4
        if verdicts != nil && hasVerdict { size &+= 16 }
        if comment > 0 { size &+= 4 &+ Self.padded(min(comment, Self.commentLimit)) }
        return size
    }

    /// Lays down the block with the packet that is `head` followed by `tail`; they have `capturedLength` bytes at least.
    ///
    /// Safe: the caller has `blockSize` bytes at `target`.
    @unsafe @inline(__always)
    func storeBlock(
        to target: UnsafeMutableRawPointer,
        size: Int,
        head: RawSpan,
        tail: RawSpan,
        verdicts: TraceVerdictKind?,
        comment: RawSpan
    ) {
        let length = Int(capturedLength)
        unsafe Self.store(PcapngBlockType.enhancedPacket, UInt32(truncatingIfNeeded: size), to: target)
        unsafe Self.store(UInt32(point), UInt32(truncatingIfNeeded: time >> 32), to: target + 8)
        unsafe Self.store(UInt32(truncatingIfNeeded: time), capturedLength, to: target + 16)
        unsafe target.storeBytes(of: originalLength.littleEndian, toByteOffset: 24, as: UInt32.self)
        let packet = unsafe target + 28
        let padded = Self.padded(length)
        if length < padded { unsafe packet.storeBytes(of: 0, toByteOffset: padded - 4, as: UInt32.self) }
        let first = min(length, head.byteCount)
        unsafe Self.copy(head, count: first, to: packet)
        unsafe Self.copy(tail, count: length - first, to: packet + first)
        var option = unsafe packet + padded
        // epb_flags, 4 bytes.
        unsafe Self.store(2 | 4 << 16, flags, to: option)
        // epb_packetid, 8 bytes.
        unsafe option.storeBytes(of: UInt32(5 | 8 << 16).littleEndian, toByteOffset: 8, as: UInt32.self)
        unsafe option.storeBytes(of: packetID.littleEndian, toByteOffset: 12, as: UInt64.self)
        unsafe option += 20
        if let verdicts, hasVerdict {
            // epb_verdict: a byte for the kind, eight for the number, and padding.
            unsafe Self.store(7 | 9 << 16, UInt32(verdicts.rawValue) | UInt32(verdict) << 8, to: option)
            unsafe Self.store(0, 0, to: option + 8)
            unsafe option += 16
        }
        if comment.byteCount > 0 {
            let length = min(comment.byteCount, Self.commentLimit)
            let padded = Self.padded(length)
            unsafe option.storeBytes(of: UInt32(1 | length << 16).littleEndian, as: UInt32.self)
            unsafe option.storeBytes(of: 0, toByteOffset: padded, as: UInt32.self)
            unsafe Self.copy(comment, count: length, to: option + 4)
            unsafe option += 4 + padded
        }
        unsafe Self.store(0, UInt32(truncatingIfNeeded: size), to: option)
    }

    @inline(__always) private static func padded(_ length: Int) -> Int { (length &+ 3) & ~3 }

    /// Stores two numbers one behind the other.
    @unsafe @inline(__always)
    private static func store(_ first: UInt32, _ second: UInt32, to target: UnsafeMutableRawPointer) {
        let both = UInt64(first) | UInt64(second) << 32
        unsafe target.storeBytes(of: both.littleEndian, as: UInt64.self)
    }

    /// Safe: the caller has room for `count` bytes, and `bytes` has as many.
    @unsafe @inline(__always)
    static func copy(_ bytes: RawSpan, count: Int, to target: UnsafeMutableRawPointer) {
        precondition(count <= bytes.byteCount)
        unsafe bytes.withUnsafeBytes { from in
            guard count > 0, let from = from.baseAddress else { return }
            unsafe target.copyMemory(from: from, byteCount: count)
        }
    }
}
