internal import Wire

/// A packet that was cut because its egress takes less: how far its fragments have come.
struct Fragmentation {
    /// Bytes of the packet's payload that were sent.
    private(set) var sent = 0
    private var source = IPv4Address.any
    private var destination = IPv4Address.any
    private var identification: UInt16 = 0

    /// Whether a record can be one of several of a packet, and not all of it.
    static func applies(_ received: SightedPacket, _ piece: SightedPacket) -> Bool {
        received.isWhole && piece.isWhole && piece.totalLength < received.totalLength && piece.fragment.isFragment
    }

    /// Whether all of a packet has been sent.
    func isComplete(_ received: SightedPacket) -> Bool { sent == received.bytes.count - received.headerLength }

    /// Takes in the next fragment of a packet; returns what is wrong.
    mutating func add(_ piece: SightedPacket, of received: SightedPacket) -> [Objection] {
        func objection(_ message: String) -> [Objection] { [Objection(check: .fragments, message: message)] }
        let payload = received.bytes.count - received.headerLength
        let length = piece.bytes.count - piece.headerLength
        if received.fragment.doNotFragment { return objection("was cut, and must not be") }
        if piece.headerLength != received.headerLength || length <= 0 { return objection("is a fragment without data") }
        if piece.fragment.offset != received.fragment.offset + sent {
            return objection("is a fragment at \(piece.fragment.offset), not at \(received.fragment.offset + sent)")
        }
        guard length <= payload - sent else { return objection("is a fragment beyond the end of the packet") }
        let isLast = sent + length == payload
        let expectsMore = !isLast || received.fragment.moreFragments
        let isAligned = !expectsMore || length.isMultiple(of: 8)
        if piece.fragment.moreFragments != expectsMore || piece.fragment.doNotFragment || !isAligned {
            return objection("is a fragment with flags or a length that do not fit its place")
        }
        if sent == 0 {
            (source, destination, identification) = (piece.source, piece.destination, piece.identification)
        } else if source != piece.source || destination != piece.destination {
            return objection("is a fragment with other addresses than the one before it")
        } else if identification != piece.identification {
            return objection("is a fragment with another identification than the one before it")
        }
        defer { sent += length }
        guard let expected = whole(received, sent..<sent + length, piece) else { return objection("cannot be read") }
        return Translation(received: expected, sent: piece).objections
    }

    /// The fragment that the packet would have been received as, had it been cut before.
    private func whole(_ received: SightedPacket, _ range: Range<Int>, _ piece: SightedPacket) -> SightedPacket? {
        let field = IPv4Packet.Field.self
        var bytes = Array(received.bytes[..<received.headerLength])
        if range.lowerBound > 0 { Self.dropUncopiedOptions(&bytes) }
        bytes.store(big: piece.bytes.big16(field.totalLength), at: field.totalLength)
        bytes.store(big: piece.bytes.big16(field.fragment), at: field.fragment)
        bytes.store(big: 0, at: field.checksum)
        bytes.store(big: ~Checksum.sum(bytes), at: field.checksum)
        let start = received.headerLength
        return SightedPacket(bytes + received.bytes[start + range.lowerBound..<start + range.upperBound])
    }

    /// Options without the "copied" flag are in the first fragment only (RFC 791 section 3.1).
    private static func dropUncopiedOptions(_ header: inout [UInt8]) {
        var at = IPv4Packet.minimumHeaderLength
        while at < header.count, header[at] != 0 {
            if header[at] == 1 {
                at += 1
                continue
            }
            guard header.count - at >= 2, header[at + 1] >= 2, Int(header[at + 1]) <= header.count - at else { return }
            let length = Int(header[at + 1])
            if header[at] & 0x80 == 0 {
                for place in at..<at + length { header[place] = 1 }
            }
            at += length
        }
    }
}
