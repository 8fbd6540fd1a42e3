internal import Wire

/// The variables of the current segment (RFC 9293 section 3.3.1), in host byte order.
struct SegmentVariables: BitwiseCopyable {
    let flags: TCPFlags
    /// SEG.SEQ.
    let sequence: UInt32
    /// SEG.ACK; meaningful with ACK.
    let acknowledgment: UInt32
    /// The number after the last one that the segment takes up; SYN and FIN take one each.
    let end: UInt32
    /// SEG.WND as the header has it, not scaled.
    let window: UInt32
    private let optionsPlace: Int
    let optionsLength: Int

    /// The variables of a segment that the parser found whole, which begins at `place` of `frame` and has `length` bytes.
    ///
    /// It takes no packet: Swift 6.3 copies one that is handed on from a reference to it.
    @inline(__always) init(_ frame: RawSpan, at place: Int, length: Int, flags: TCPFlags) {
        let field = TCPSegment.Field.self
        // Two loads for all fields: each is checked against the end of the frame.
        let numbers = UInt64(bigEndian: frame.loadNative64(place &+ field.sequence))
        let rest = UInt64(bigEndian: frame.loadNative64(place &+ field.dataOffset))
        let dataOffset = Int(truncatingIfNeeded: rest >> 60) &* 4
        self.flags = flags
        sequence = UInt32(truncatingIfNeeded: numbers >> 32)
        acknowledgment = UInt32(truncatingIfNeeded: numbers)
        window = UInt32(truncatingIfNeeded: rest >> 32) & 0xffff
        optionsPlace = place &+ field.end
        optionsLength = dataOffset &- field.end
        let marks = UInt32(flags.rawValue & 1) &+ UInt32(flags.rawValue >> 1 & 1)
        end = sequence &+ UInt32(truncatingIfNeeded: length &- dataOffset) &+ marks
    }

    /// Where the options stand in the frame; the end may lie behind what a capture kept.
    var options: Range<Int> { optionsPlace..<optionsPlace &+ max(optionsLength, 0) }
}

extension Packet {
    /// The length of the transport header and what it carries; a fragmented packet counts for as much as it can have been.
    @inline(__always) var carriedLength: Int {
        (fragment.isFragment ? Int(UInt16.max) : Int(totalLength)) &- Int(headerLength)
    }
}

/// Sequence numbers wrap around: one is after another if it is less than half of all numbers ahead (RFC 9293 section 3.4).
extension UInt32 {
    @inline(__always) func isAfter(_ other: UInt32) -> Bool { Int32(bitPattern: self &- other) > 0 }
    @inline(__always) func isBefore(_ other: UInt32) -> Bool { Int32(bitPattern: self &- other) < 0 }
}
