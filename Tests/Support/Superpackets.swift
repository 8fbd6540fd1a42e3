package import Wire

/// Packets as a kernel with offloads hands them over, and as they would be on a wire: by the plain definitions.
package enum Superpackets {
    /// A packet with its checksum left undone, and the header that says so.
    package static func partial(_ bytes: [UInt8]) -> (bytes: [UInt8], header: VirtioNetHeader) {
        guard let seen = Dissection(bytes), let place = seen.transportChecksumOffset else { return (bytes, .plain) }
        var result = bytes
        let sum = NaiveChecksum.sum(NaiveChecksum.pseudoHeader(seen, length: seen.carried.count))
        result[place] = UInt8(sum >> 8)
        result[place + 1] = UInt8(sum & 255)
        var header = VirtioNetHeader.plain
        header.needsChecksum = true
        header.checksumStart = UInt16(seen.headerLength)
        header.checksumOffset = UInt16(place - seen.headerLength)
        return (result, header)
    }

    /// The same for a super-packet whose parts have `size` bytes of payload.
    package static func make(_ bytes: [UInt8], size: Int) -> (bytes: [UInt8], header: VirtioNetHeader) {
        var (result, header) = partial(bytes)
        header.segmentation = bytes[9] == 6 ? .tcp4 : .udp
        header.segmentSize = UInt16(size)
        return (result, header)
    }

    /// What the kernel would put on a wire: one packet, or the parts of a super-packet, with full checksums.
    package static func onWire(_ bytes: [UInt8], _ header: VirtioNetHeader) -> [[UInt8]] {
        guard let seen = Dissection(bytes) else { return [bytes] }
        guard header.segmentation != .none else { return [header.needsChecksum ? completed(bytes) : bytes] }
        let headers = seen.headerLength + (seen.transport == 6 ? Int(seen.carried[12] / 16) * 4 : 8)
        let payload = Array(bytes[headers...])
        let size = Int(header.segmentSize)
        var parts: [[UInt8]] = []
        for begin in stride(from: 0, to: payload.count, by: size) {
            let end = min(begin + size, payload.count)
            var part = Array(bytes[..<headers]) + payload[begin..<end]
            put16(UInt16(part.count), at: 2, &part)
            put16(seen.identification &+ UInt16(parts.count), at: 4, &part)
            if seen.transport == 6 {
                let sequence = seen.sequence &+ UInt32(begin)
                put16(UInt16(sequence >> 16), at: seen.headerLength + 4, &part)
                put16(UInt16(sequence & 0xffff), at: seen.headerLength + 6, &part)
                var flags = TCPFlags(rawValue: seen.tcpFlags)
                if begin > 0 { flags.remove(.cwr) }
                if end < payload.count { flags.subtract([.fin, .psh]) }
                part[seen.headerLength + 13] = flags.rawValue
            } else {
                put16(UInt16(part.count - seen.headerLength), at: seen.headerLength + 4, &part)
            }
            parts.append(completed(part))
        }
        return parts
    }

    /// A packet with both checksums computed anew.
    package static func completed(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        guard let seen = Dissection(bytes), let place = seen.transportChecksumOffset else { return bytes }
        put16(0, at: 10, &result)
        put16(~NaiveChecksum.sum(result[..<seen.headerLength]), at: 10, &result)
        put16(0, at: place, &result)
        let pseudo = seen.transport == 1 ? [] : NaiveChecksum.pseudoHeader(seen, length: seen.carried.count)
        let sum = ~NaiveChecksum.sum(pseudo + result[seen.headerLength...])
        put16(seen.transport == 17 && sum == 0 ? 0xffff : sum, at: place, &result)
        return result
    }

    private static func put16(_ value: UInt16, at place: Int, _ bytes: inout [UInt8]) {
        bytes[place] = UInt8(value >> 8)
        bytes[place + 1] = UInt8(value & 255)
    }
}

extension SentPacket {
    /// The packets that it is on a wire.
    package var onWire: [[UInt8]] { Superpackets.onWire(bytes, header) }
}
