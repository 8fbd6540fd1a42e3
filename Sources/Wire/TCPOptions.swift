/// The TCP options that connection tracking asks for (RFC 9293 section 3.1, RFC 7323, RFC 2018).
///
/// Every function is total: an option that is broken or cut ends the walk, as it does in net/netfilter/nf_conntrack_proto_tcp.c.
public enum TCPOptions {
    /// What a SYN or SYN+ACK offers for the whole connection.
    public struct Offer: Equatable, Sendable, BitwiseCopyable {
        /// The shift count of window scaling, at most 14 (RFC 7323 section 2.3); nil when scaling was not offered.
        public var windowScale: UInt8?
        /// Whether selective acknowledgments may be sent to the sender.
        public var permitsSACK = false

        /// An offer of nothing.
        public init() {}
    }

    /// The kinds of options (IANA "TCP Option Kind Numbers").
    private enum Kind {
        static let end: UInt8 = 0
        static let noOperation: UInt8 = 1
        static let windowScale: UInt8 = 3
        static let sackPermitted: UInt8 = 4
        static let sack: UInt8 = 5
    }

    /// Reads the options of a SYN; `range` is where they stand in `bytes`.
    public static func offer(_ bytes: RawSpan, _ range: Range<Int>) -> Offer {
        var offer = Offer()
        walk(bytes, range) { kind, content in
            switch kind {
            case Kind.windowScale where content.count == 1: offer.windowScale = min(bytes.load8(content.lowerBound), 14)
            case Kind.sackPermitted where content.isEmpty: offer.permitsSACK = true
            default: break
            }
            return true
        }
        return offer
    }

    /// The highest right edge of the SACK blocks (RFC 2018 section 3), or `acknowledgment` when none is beyond it.
    public static func highestEdge(_ bytes: RawSpan, _ range: Range<Int>, beyond acknowledgment: UInt32) -> UInt32 {
        var highest = acknowledgment
        walk(bytes, range) { kind, content in
            guard kind == Kind.sack, content.count >= 8, content.count % 8 == 0 else { return true }
            for block in stride(from: content.lowerBound, to: content.upperBound, by: 8) {
                let edge = bytes.loadBE32(block + 4)
                if Int32(bitPattern: edge &- highest) > 0 { highest = edge }
            }
            return false
        }
        return highest
    }

    /// Whether the options are the timestamps that most segments carry, in their usual place, and nothing else (RFC 7323
    /// appendix A).
    @inlinable public static func areTimestampsOnly(_ bytes: RawSpan, _ range: Range<Int>) -> Bool {
        range.count == 12 && range.upperBound <= bytes.byteCount && bytes.loadBE32(range.lowerBound) == 0x0101_080a
    }

    /// Hands out every whole option, until `visit` has seen enough.
    private static func walk(_ bytes: RawSpan, _ range: Range<Int>, _ visit: (UInt8, Range<Int>) -> Bool) {
        let end = min(range.upperBound, bytes.byteCount)
        var at = range.lowerBound
        while at < end {
            let kind = bytes.load8(at)
            if kind == Kind.end { return }
            if kind == Kind.noOperation {
                at += 1
                continue
            }
            guard end - at >= 2 else { return }
            let length = Int(bytes.load8(at + 1))
            guard length >= 2, length <= end - at else { return }
            if !visit(kind, at + 2..<at + length) { return }
            at += length
        }
    }
}
