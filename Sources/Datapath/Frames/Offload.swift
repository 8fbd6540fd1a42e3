internal import Tables
package import Wire

// What the kernel leaves to the reader of a TUN with offloads, and what is left to the kernel on the other side.
//
// A partial checksum of the packet's own TCP or UDP header stays partial: the stages know it by its mark, and the
// translation changes the pseudo-header's part of it. A super-packet passes as one packet; only what must be cut is cut
// (Segmentation.swift). Everything else that a header may ask for is done at once, or ignored where it makes no sense: the
// frame then counts as what its bytes say.

extension Packet {
    /// Takes over what a virtio-net header says of the frame behind it, which is whole.
    package mutating func accept(_ header: VirtioNetHeader, _ frame: inout MutableRawSpan) {
        guard header.needsChecksum else { return }
        let start = Int(header.checksumStart)
        let place = start + Int(header.checksumOffset)
        guard place + 2 <= frame.byteCount else { return }
        guard Self.isOwnChecksum(frame.bytes, start: start, offset: Int(header.checksumOffset)) else {
            // That of a packet inside of a tunnel, of which nobody here knows more.
            PartialChecksum.complete(&frame, from: start, at: place)
            return
        }
        marks.insert(.partialChecksum)
        let headers = Self.headersOfSegment(frame.bytes, header.segmentation, transportAt: start)
        if headers > 0, header.segmentSize > 0, frame.byteCount > headers + Int(header.segmentSize) {
            segmentHeader = UInt8(truncatingIfNeeded: headers)
            segmentSize = header.segmentSize
        }
    }

    /// Whether a checksum is that of the TCP or UDP header behind the IPv4 header of an unfragmented packet that ends
    /// where its frame does.
    private static func isOwnChecksum(_ frame: RawSpan, start: Int, offset: Int) -> Bool {
        let field = IPv4Packet.Field.self
        guard frame.byteCount >= IPv4Packet.minimumHeaderLength, frame.load8(field.versionAndLength) >> 4 == 4,
            start == Int(frame.load8(field.versionAndLength) & 0xf) * 4, start >= IPv4Packet.minimumHeaderLength,
            Int(frame.loadBE16(field.totalLength)) == frame.byteCount,
            !FragmentField(bits: frame.loadBE16(field.fragment)).isFragment
        else { return false }
        return offset == PartialChecksum.offset(in: TransportProtocol(rawValue: frame.load8(field.transport)))
    }

    /// The length of all headers that each segment of a super-packet has; 0 where it cannot be one.
    private static func headersOfSegment(
        _ frame: RawSpan,
        _ kind: VirtioNetHeader.Segmentation,
        transportAt start: Int
    ) -> Int {
        switch (kind, TransportProtocol(rawValue: frame.load8(IPv4Packet.Field.transport))) {
        case (.tcp4, .tcp):
            let length = Int(frame.load8(start + TCPSegment.Field.dataOffset) >> 4) * 4
            return length >= TCPSegment.minimumHeaderLength ? start + length : 0
        case (.udp, .udp): return start + UDPDatagram.headerLength
        default: return 0
        }
    }

    /// The length of the longest packet that it is on a wire, in bytes.
    @inlinable package var longestLength: Int {
        segmentSize == 0 ? Int(totalLength) : Int(segmentHeader) + Int(segmentSize)
    }

    /// How many packets it is on a wire.
    package var segmentCount: Int {
        if segmentSize == 0 { return 1 }
        let payload = Int(length) - Int(segmentHeader)
        return max((payload + Int(segmentSize) - 1) / Int(segmentSize), 1)
    }

    /// What is left to the kernel when the packet leaves in its frame.
    var offload: VirtioNetHeader {
        var header = VirtioNetHeader.plain
        guard marks.contains(.partialChecksum) else { return header }
        header.needsChecksum = true
        header.checksumStart = UInt16(headerLength)
        header.checksumOffset = UInt16(PartialChecksum.offset(in: transport) ?? 0)
        guard segmentSize > 0 else { return header }
        header.segmentation = transport == .tcp ? .tcp4 : .udp
        header.reducesWindow = transport == .tcp && flags.contains(.cwr)
        header.headerLength = UInt16(segmentHeader)
        header.segmentSize = segmentSize
        return header
    }
}

extension Batch {
    /// The bytes of an emission with a virtio-net header before them, filled in.
    @_lifetime(&self)
    @inline(__always) package mutating func framedBytes(of emission: Emission) -> MutableRawSpan {
        let number = Int(emission.buffer)
        let length = Int(emission.length)
        if emission.isScratch {
            var bytes = scratch.frame(number, length: length, header: VirtioNetHeader.length)
            VirtioNetHeader.plain.write(to: &bytes)
            return bytes
        }
        let header = packets[number].offload
        var bytes = frames.frame(number, length: length, header: VirtioNetHeader.length)
        header.write(to: &bytes)
        return bytes
    }
}
