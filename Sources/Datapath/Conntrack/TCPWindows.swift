internal import Tables
internal import Wire

// Theory of operation: as in tcp_in_window of net/netfilter/nf_conntrack_proto_tcp.c (after G. van Rooij, "Real Stateful
// TCP Packet Filtering in IP Filter"). What is known of a side is what its segments said; a segment fits when
//
//     I    it begins within what the other side has allowed            sequence <= sender.maxEnd
//     II   it ends within a window of what its sender had reached      end >= sender.end - receiver.maxWindow
//     III  it acknowledges nothing that was not sent                   edge <= receiver.end
//     IV   it acknowledges nothing that is long over                   edge >= receiver.end - max(sender.maxWindow, 66000)
//
// where the edge is the acknowledgment, or the highest edge of a SACK block. We see all segments but not which of them get
// lost behind us, so the windows are a little wider than those of the two ends.

/// What nf_conntrack keeps of both sides' sequence numbers.
package struct TCPWindows: Equatable, Sendable, BitwiseCopyable {
    private var sides: [2 of TCPSide] = [TCPSide(), TCPSide()]
    /// The shift counts of both windows, that of the original side in the low four bits; see `TCPSide.unscaled`.
    package var scales: UInt8 = TCPSide.unscaled << 4 | TCPSide.unscaled

    /// The shift count of a side's windows, `TCPSide.unscaled` when it offered none.
    @inline(__always) func scale(_ direction: FlowDirection) -> UInt8 {
        scales >> UInt8(truncatingIfNeeded: direction.index &* 4) & 0xf
    }

    mutating func setScale(_ direction: FlowDirection, _ scale: UInt8) {
        scales = direction == .original ? scales & 0xf0 | scale : scales & 0x0f | scale << 4
    }

    /// What is known of the side that sends in a direction.
    package subscript(direction: FlowDirection) -> TCPSide {
        get { sides[direction.index] }
        set { sides[direction.index] = newValue }
    }

    /// Takes in a segment with ACK and without SYN, FIN, RST and SACK blocks, if it is simply the next one of an open
    /// connection; else nothing changes.
    ///
    /// It ends where its sender had come to or further on, and acknowledges what it had or more. Then rules II and IV hold
    /// by themselves, and one test of signs is enough for all.
    @inline(__always) mutating func advance(_ direction: FlowDirection, _ segment: SegmentVariables) -> Bool {
        let here = direction.index
        let there = here ^ 1
        let ack = segment.acknowledgment
        let room = sides[here].maxEnd &- segment.end
        let news = segment.end &- sides[here].end
        let sent = sides[there].end &- ack
        let newsOfOther = ack &- sides[here].maxAck
        guard Int32(bitPattern: room | news | sent | newsOfOther) >= 0 else { return false }
        let window = TCPSide.scaled(segment.window, scale(direction))
        sides[here].end = segment.end
        sides[here].maxAck = ack
        sides[here].maxWindow = max(window, sides[here].maxWindow)
        // A window of nothing still lets one byte through, to ask whether it has opened (RFC 9293 section 3.8.6.1).
        let reach = ack &+ max(window, 1)
        let maxEnd = sides[there].maxEnd
        sides[there].maxEnd = reach.isAfter(maxEnd) ? reach : maxEnd
        return true
    }

    /// Compares both sides.
    package static func == (left: TCPWindows, right: TCPWindows) -> Bool {
        left[.original] == right[.original] && left[.reply] == right[.reply] && left.scales == right.scales
    }
}

/// What one side has sent, and may send.
package struct TCPSide: Equatable, Sendable, BitwiseCopyable {
    /// The number after the last one that it sent.
    package var end: UInt32 = 0
    /// The number that it may not reach beyond: the highest acknowledgment of the other side, and its window.
    package var maxEnd: UInt32 = 0
    /// The widest window that it allowed the other side; 0 while nothing was seen of it.
    package var maxWindow: UInt32 = 0
    /// The highest number that it acknowledged; before that, the number after its SYN.
    package var maxAck: UInt32 = 0

    /// The shift count that stands for "window scaling was not offered".
    static let unscaled: UInt8 = 15
    /// The widest window that there is (RFC 7323 section 2.3).
    static let widest: UInt32 = 1 << 30
    /// The least distance at which an acknowledgment counts as long over (MAXACKWINCONST of the kernel).
    static let leastAckWindow: UInt32 = 66000

    /// How a segment stands to the windows.
    enum Fit: UInt8 {
        case inside
        /// Reaches further than was allowed, but not by more than another window.
        case surplus
        /// Repeats what was acknowledged, or acknowledges it again: harmless, and no news.
        case old
        case outside
    }

    @inline(__always) static func scaled(_ window: UInt32, _ scale: UInt8) -> UInt32 {
        window << (scale == unscaled ? 0 : UInt32(scale))
    }

    /// How a segment fits, by the four rules; `edge` is the highest number it acknowledges.
    static func fit(_ sender: TCPSide, _ receiver: TCPSide, _ segment: SegmentVariables, edge: UInt32) -> Fit {
        let ackWindow = max(sender.maxWindow, leastAckWindow)
        let lowest = sender.end &- receiver.maxWindow
        let isRecent = receiver.maxWindow == 0 || !segment.end.isBefore(lowest)
        let isAckRecent = !edge.isBefore(receiver.end &- ackWindow)
        if edge.isAfter(receiver.end) { return .outside }
        if segment.sequence.isAfter(sender.maxEnd) {
            // Some send more than they were allowed. What lies within another window is let in, as in the kernel: were it
            // not, and did the other side take it, every acknowledgment from then on would be of something unseen.
            let beyond = segment.end &- sender.maxEnd
            return isRecent && isAckRecent && beyond <= receiver.maxWindow ? .surplus : .outside
        }
        if isRecent && isAckRecent { return .inside }
        // Unlike the kernel we give up on what is two windows old: no segment that was sent in earnest is.
        let reach = max(receiver.maxWindow, leastAckWindow)
        if segment.end.isBefore(sender.end &- reach &- reach) { return .outside }
        return edge.isBefore(receiver.end &- ackWindow &- ackWindow) ? .outside : .old
    }

    /// Takes in what a segment says that fits; `window` is scaled.
    mutating func note(
        _ segment: SegmentVariables,
        edge: UInt32,
        window: UInt32,
        _ receiver: inout TCPSide
    ) {
        let allowed = min(window &+ (edge &- segment.acknowledgment), Self.widest)
        if receiver.maxWindow != 0 && segment.end.isAfter(maxEnd) {
            receiver.maxWindow = min(receiver.maxWindow &+ (segment.end &- maxEnd), Self.widest)
        }
        if allowed > maxWindow { maxWindow = allowed }
        if segment.end.isAfter(end) { end = segment.end }
        if segment.acknowledgment.isAfter(maxAck) { maxAck = segment.acknowledgment }
        let reach = edge &+ max(window, 1)
        if reach.isAfter(receiver.maxEnd) { receiver.maxEnd = reach }
    }
}
