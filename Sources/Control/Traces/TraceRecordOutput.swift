internal import Capture
internal import Datapath
internal import Tables

/// The recorder's way into the trace's ring: puts verdict and comment where they belong.
struct TraceRecordOutput: ~Copyable {
    private var producer: TraceProducer
    let dropPoint: UInt16
    private let comments: TraceComments
    private let verdicts: Bool

    init(_ producer: consuming TraceProducer, interfaceCount: Int, settings: TraceSettings) {
        self.producer = producer
        dropPoint = UInt16(interfaceCount * 2)
        comments = settings.comments
        verdicts = settings.verdicts
    }

    var failure: CaptureError? { producer.failure }

    mutating func begin(at time: UInt64) { producer.begin(at: time) }

    mutating func flush() { producer.flush() }

    /// Records a sighting whose first `kept` bytes, or all of them, are in a workspace.
    mutating func append(
        _ number: Int,
        _ packets: borrowing FixedArray<Packet>,
        point: UInt16,
        direction: TraceDirection,
        packetID: UInt64,
        workspace: borrowing FramePool,
        kept: Int,
        tail: RawSpan = RawSpan(),
        isLast: Bool
    ) {
        append(
            number,
            packets,
            point: point,
            direction: direction,
            packetID: packetID,
            head: workspace.bytes(0, length: kept),
            tail: tail,
            originalLength: kept + tail.byteCount,
            isLast: isLast
        )
    }

    /// Records a sighting of a packet; its last one has the verdict, and the comment if there is one.
    @inline(__always)
    mutating func append(
        _ number: Int,
        _ packets: borrowing FixedArray<Packet>,
        point: UInt16,
        direction: TraceDirection,
        packetID: UInt64,
        head: RawSpan,
        tail: RawSpan,
        originalLength: Int,
        isLast: Bool
    ) {
        guard
            isLast
                && isCommented(
                    packets[number].verdict,
                    packets[number].marks,
                    isSuperpacket: packets[number].segmentSize > 0
                )
        else {
            producer.append(
                point: point,
                direction: direction,
                packetID: packetID,
                time: packets[number].time,
                verdict: isLast && verdicts ? packets[number].verdict.expressDataPathCode : nil,
                annotation: RawSpan(),
                head: head,
                tail: tail,
                originalLength: originalLength
            )
            return
        }
        let annotation = TraceAnnotation(packets[number])
        // Safe: an annotation is plain numbers; its padding is never looked at, only copied.
        unsafe withUnsafeBytes(of: annotation) { bytes in
            _ = producer.append(
                point: point,
                direction: direction,
                packetID: packetID,
                time: packets[number].time,
                verdict: verdicts ? packets[number].verdict.expressDataPathCode : nil,
                annotation: unsafe RawSpan(_unsafeBytes: bytes),
                head: head,
                tail: tail,
                originalLength: originalLength
            )
        }
    }

    @inline(__always)
    private func isCommented(_ verdict: Verdict, _ marks: PacketMarks, isSuperpacket: Bool) -> Bool {
        switch comments {
        case .all: return true
        case .none: return false
        case .notable:
            switch verdict {
            // By the bits: `contains` of another module's option set is a call through a witness table.
            case .forward, .pass: return isSuperpacket || marks.rawValue & PacketMarks.opensFlow.rawValue != 0
            default: return true
            }
        }
    }
}
