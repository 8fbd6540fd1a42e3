internal import Tables
internal import Wire

/// Checksums that the kernel left undone: the field has the sum of the pseudo-header only, not complemented, and whoever
/// sends the packet over a wire adds the rest (CHECKSUM_PARTIAL of linux/skbuff.h).
package enum PartialChecksum {
    /// Where the checksum of TCP or UDP stands, in bytes from the beginning of that header; nil for other protocols.
    static func offset(in transport: TransportProtocol) -> Int? {
        switch transport {
        case .tcp: TCPSegment.checksumOffset
        case .udp: UDPDatagram.checksumOffset
        default: nil
        }
    }

    /// Completes the checksum at `place` of a packet, which covers its bytes from `start` on.
    ///
    /// A sum of zero is written as all ones, which means the same, and in UDP is not "none" (skb_checksum_help of
    /// net/core/dev.c). Traps where the place lies outside.
    static func complete(_ bytes: inout MutableRawSpan, from start: Int, at place: Int) {
        let sum = Checksum.sum(bytes.bytes, start..<bytes.byteCount)
        bytes.storeBE(sum == 0xffff ? 0xffff : ~sum, at: place)
    }

    /// Completes the checksum of a packet of which `head` is the beginning and `tail` the rest.
    ///
    /// The transport header begins in the head, whose length is even unless the tail is empty. Bytes that are no TCP or UDP in
    /// IPv4 stay as they are.
    package static func complete(_ head: inout MutableRawSpan, followedBy tail: RawSpan) {
        guard head.byteCount >= IPv4Packet.minimumHeaderLength else { return }
        let start = Int(head.load8(IPv4Packet.Field.versionAndLength) & 0xf) * 4
        let transport = TransportProtocol(rawValue: head.load8(IPv4Packet.Field.transport))
        guard let offset = offset(in: transport), start + offset + 2 <= head.byteCount else { return }
        let sum = Checksum.add(
            Checksum.sum(head.bytes, start..<head.byteCount),
            Checksum.sum(tail, 0..<tail.byteCount)
        )
        head.storeBE(transport == .udp && sum == 0xffff ? 0xffff : ~sum, at: start + offset)
    }
}

extension Pipeline {
    /// Completes the checksum of a packet that will not leave in its frame, but in parts of it.
    static func completeChecksum(_ marks: PacketMarks, length: Int, _ number: Int, _ batch: inout Batch) {
        guard marks.contains(.partialChecksum) else { return }
        var frame = batch.frames.frame(number, length: length)
        PartialChecksum.complete(&frame, followedBy: RawSpan())
    }
}
