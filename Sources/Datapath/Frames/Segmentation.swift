internal import Tables
internal import Wire

/// How a super-packet falls into the packets that it stands for: TCP segments, or UDP datagrams that went to the kernel in one
/// call.
///
/// Each has the headers of the whole and a part of its payload. Lengths, identification (counting up), the sequence number
/// (counting bytes) and both checksums are its own; FIN and PSH are the last segment's, CWR is the first one's, as
/// tcp_gso_segment and __udp_gso_segment have it (net/ipv4/tcp_offload.c, udp_offload.c).
package struct Segmentation: Sendable, BitwiseCopyable {
    private let headers: Int
    private let size: Int
    /// The length of the whole.
    package let length: Int

    /// How a packet falls apart; nil for one that is no super-packet.
    package init?(_ packet: Packet) {
        guard packet.segmentSize > 0 else { return nil }
        self.init(
            headers: Int(packet.segmentHeader),
            size: Int(packet.segmentSize),
            length: Int(packet.length)
        )
    }

    /// Parts of `size` bytes, the last one maybe shorter, behind `headers` bytes of headers, of a packet of `length` bytes.
    package init?(headers: Int, size: Int, length: Int) {
        guard size > 0, headers >= IPv4Packet.minimumHeaderLength, length > headers else { return nil }
        self.headers = headers
        self.size = size
        self.length = length
    }

    /// How many packets there are.
    package var count: Int { (length - headers + size - 1) / size }

    /// Where the payload of a packet stands in the whole, by its number from 0.
    package func payload(_ index: Int) -> Range<Int> {
        let begin = headers + index * size
        return begin..<min(begin + size, length)
    }

    /// The length of a packet with its headers.
    package func length(_ index: Int) -> Int { headers + payload(index).count }

    /// Writes a packet to the beginning of `target`, with full checksums.
    ///
    /// `head` has the headers of the whole, `frame` its payload at its place. Traps where one of the three is too short.
    package func write(_ index: Int, _ head: RawSpan, _ frame: RawSpan, into target: inout MutableRawSpan) {
        let range = payload(index)
        copyBytes(head.extracting(0..<headers), into: &target)
        copyBytes(frame.extracting(range), into: &target, at: headers)
        let ip = IPv4Packet.Field.self
        let transportPlace = Int(head.load8(ip.versionAndLength) & 0xf) * 4
        let end = headers + range.count
        target.storeBE(UInt16(truncatingIfNeeded: end), at: ip.totalLength)
        target.storeBE(head.loadBE16(ip.identification) &+ UInt16(truncatingIfNeeded: index), at: ip.identification)
        target.storeBE(UInt16(0), at: ip.checksum)
        target.storeBE(~Checksum.sum(target.bytes, 0..<transportPlace), at: ip.checksum)
        let transport = TransportProtocol(rawValue: head.load8(ip.transport))
        if transport == .tcp {
            let tcp = TCPSegment.Field.self
            let sequence = head.loadBE32(transportPlace + tcp.sequence)
            target.storeBE(
                sequence &+ UInt32(truncatingIfNeeded: range.lowerBound - headers),
                at: transportPlace + tcp.sequence
            )
            var flags = TCPFlags(rawValue: head.load8(transportPlace + tcp.flags))
            if index > 0 { flags.remove(.cwr) }
            if range.upperBound < length { flags.subtract([.fin, .psh]) }
            target.store8(flags.rawValue, at: transportPlace + tcp.flags)
        } else {
            target.storeBE(
                UInt16(truncatingIfNeeded: end - transportPlace),
                at: transportPlace + UDPDatagram.Field.length
            )
        }
        Self.writeChecksum(&target, transport, at: transportPlace, end: end)
    }

    private static func writeChecksum(
        _ bytes: inout MutableRawSpan,
        _ transport: TransportProtocol,
        at start: Int,
        end: Int
    ) {
        guard let offset = PartialChecksum.offset(in: transport) else { return }
        let pseudo = Checksum.pseudoHeader(
            source: IPv4Address(bits: bytes.loadBE32(IPv4Packet.Field.source)),
            destination: IPv4Address(bits: bytes.loadBE32(IPv4Packet.Field.destination)),
            transport: transport.rawValue,
            length: end - start
        )
        bytes.storeBE(pseudo, at: start + offset)
        var whole = bytes._mutatingExtracting(0..<end)
        PartialChecksum.complete(&whole, followedBy: RawSpan())
    }
}
