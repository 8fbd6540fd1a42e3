internal import Tables
internal import Wire

/// Finds packets that stand together in a batch and can leave as one super-packet, which the kernel of the other side takes
/// apart again.
///
/// Theory of operation: writing into a TUN costs its time for each write, hardly for the bytes. So emissions of one flow that
/// follow each other go in one write: headers made here, then the payloads from the frames where they are. Both ends must not
/// notice: only what `Segmentation` would give back byte for byte is put together, so UDP datagrams of one size (the last may be
/// shorter) and TCP segments that continue each other, with the same headers but for what segmentation sets. The
/// identification counts up, or "don't fragment" says that it means nothing (RFC 6864 section 4.1). A checksum that is
/// full is looked at before, because the kernel believes what it gets so: a bad one stays bad, and alone.
///
/// Nothing waits here, the order stays, and frames are not touched.
package struct Coalescer: ~Copyable {
    /// What the other side can take apart.
    package struct Kinds: OptionSet, Sendable {
        /// The bits of the set.
        package var rawValue: UInt8
        /// The kinds of those bits.
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// TCP segments.
        package static let tcp = Kinds(rawValue: 1 << 0)
        /// UDP datagrams.
        package static let udp = Kinds(rawValue: 1 << 1)
    }

    /// The headers of what was found last.
    private var headers = FramePool(count: 1, capacity: 128)
    /// The length of the headers of what was found last, and so of each of its packets.
    package private(set) var headerLength = 0

    /// How many packets go together at most: UDP_MAX_SEGMENTS of older kernels (linux/udp.h).
    package static let limit = 64

    /// One that has found nothing yet.
    package init() {}

    /// How many emissions from `index` on leave as one; 1 for nothing but the first.
    package mutating func gather(from index: Int, _ batch: borrowing Batch, _ kinds: Kinds) -> Int {
        let end = min(batch.emissionCount, index + Self.limit)
        guard index + 1 < end, batch.emissions[index + 1].egress == batch.emissions[index].egress,
            let lead = Lead(batch.emissions[index], batch, kinds)
        else { return 1 }
        var total = lead.length
        var flags = lead.flags
        var next = index + 1
        while next < end, lead.isOpen(flags), let joining = lead.join(batch.emissions[next], next - index, total, batch)
        {
            total += joining.payload
            flags = joining.flags
            next += 1
            if joining.payload < lead.payload { break }
        }
        if next > index + 1 { makeHeaders(lead, batch, total, flags) }
        return next - index
    }

    /// The headers of what was found last, the virtio-net header first; payloads follow (`Batch.payload`).
    @_lifetime(borrow self)
    package func headerBytes() -> RawSpan { headers.bytes(0, length: headerLength, header: VirtioNetHeader.length) }

    private mutating func makeHeaders(_ lead: Lead, _ batch: borrowing Batch, _ total: Int, _ flags: TCPFlags) {
        let length = lead.headers
        headerLength = length
        headers.copy(from: batch.frames, lead.frame, 0..<length, to: 0, at: 0)
        var bytes = headers.frame(0, length: length, header: VirtioNetHeader.length)
        var header = VirtioNetHeader.plain
        header.needsChecksum = true
        header.segmentation = lead.isTCP ? .tcp4 : .udp
        header.headerLength = UInt16(truncatingIfNeeded: length)
        header.segmentSize = UInt16(truncatingIfNeeded: lead.payload)
        header.checksumStart = UInt16(IPv4Packet.minimumHeaderLength)
        header.checksumOffset = UInt16(lead.isTCP ? TCPSegment.checksumOffset : UDPDatagram.checksumOffset)
        header.write(to: &bytes)

        let ip = VirtioNetHeader.length
        let transport = ip + IPv4Packet.minimumHeaderLength
        let field = IPv4Packet.Field.self
        let old = bytes.loadBE16(ip + field.totalLength)
        let new = UInt16(truncatingIfNeeded: total)
        bytes.storeBE(new, at: ip + field.totalLength)
        let check = bytes.loadBE16(ip + field.checksum)
        bytes.storeBE(Checksum.update(check, by: Checksum.delta(from: old, to: new)), at: ip + field.checksum)
        let carried = total - IPv4Packet.minimumHeaderLength
        let pseudo = Checksum.pseudoHeader(
            source: IPv4Address(bits: bytes.loadBE32(ip + field.source)),
            destination: IPv4Address(bits: bytes.loadBE32(ip + field.destination)),
            transport: (lead.isTCP ? TransportProtocol.tcp : .udp).rawValue,
            length: carried
        )
        if lead.isTCP {
            bytes.store8(flags.rawValue, at: transport + TCPSegment.Field.flags)
            bytes.storeBE(pseudo, at: transport + TCPSegment.checksumOffset)
        } else {
            bytes.storeBE(UInt16(truncatingIfNeeded: carried), at: transport + UDPDatagram.Field.length)
            bytes.storeBE(pseudo, at: transport + UDPDatagram.checksumOffset)
        }
    }
}

/// The first packet of a super-packet.
private struct Lead {
    let frame: Int
    let isTCP: Bool
    /// The length of all headers, of the payload, and of both.
    let headers: Int
    let payload: Int
    let length: Int
    let flags: TCPFlags

    /// Nil for a packet that nothing can be put behind.
    init?(_ emission: Emission, _ batch: borrowing Batch, _ kinds: Coalescer.Kinds) {
        guard let shape = Shape(emission, batch), shape.payload > 0 else { return nil }
        guard kinds.contains(shape.isTCP ? .tcp : .udp) else { return nil }
        frame = Int(emission.buffer)
        isTCP = shape.isTCP
        headers = shape.headers
        payload = shape.payload
        length = shape.headers + shape.payload
        flags = shape.flags
        guard isOpen(flags), Self.isTrue(emission, batch) else { return nil }
    }

    /// Whether more can follow a segment with these flags: nothing but an acknowledgment, which all of them carry.
    func isOpen(_ flags: TCPFlags) -> Bool { !isTCP || flags == .ack || flags == [.ack, .ece] }

    /// What another packet brings in as number `index` behind this one; nil where it does not fit.
    func join(
        _ emission: Emission,
        _ index: Int,
        _ total: Int,
        _ batch: borrowing Batch
    ) -> (payload: Int, flags: TCPFlags)? {
        guard emission.egress == batch.packets[frame].egress, let shape = Shape(emission, batch),
            shape.isTCP == isTCP, shape.headers == headers, shape.payload > 0, shape.payload <= payload,
            total + shape.payload <= 65535
        else { return nil }
        let mine = batch.frames.bytes(frame, length: headers)
        let other = batch.frames.bytes(Int(emission.buffer), length: headers)
        let ip = IPv4Packet.Field.self
        // TOS, fragment field, TTL, protocol, addresses, ports.
        guard mine.loadNative64(ip.source) == other.loadNative64(ip.source),
            mine.loadNative32(ip.end) == other.loadNative32(ip.end),
            mine.load8(ip.typeOfService) == other.load8(ip.typeOfService),
            mine.loadNative32(ip.fragment) == other.loadNative32(ip.fragment)
        else { return nil }
        if !FragmentField(bits: mine.loadBE16(ip.fragment)).doNotFragment {
            let expected = mine.loadBE16(ip.identification) &+ UInt16(truncatingIfNeeded: index)
            guard other.loadBE16(ip.identification) == expected else { return nil }
        }
        if isTCP {
            guard continues(other, mine, by: index), isOpen(shape.flags.subtracting([.fin, .psh])),
                shape.flags.subtracting([.fin, .psh]) == flags
            else { return nil }
        }
        guard Self.isTrue(emission, batch) else { return nil }
        return (shape.payload, shape.flags)
    }

    /// Whether a TCP segment is the next one: sequence number, acknowledgment, window, urgent pointer and options.
    private func continues(_ other: RawSpan, _ mine: RawSpan, by index: Int) -> Bool {
        let tcp = IPv4Packet.minimumHeaderLength
        let field = TCPSegment.Field.self
        let expected = mine.loadBE32(tcp + field.sequence) &+ UInt32(truncatingIfNeeded: index * payload)
        guard other.loadBE32(tcp + field.sequence) == expected,
            mine.loadNative32(tcp + field.acknowledgment) == other.loadNative32(tcp + field.acknowledgment),
            // The unused bits beside the header's length count too: what segmentation would repeat.
            mine.load8(tcp + field.dataOffset) == other.load8(tcp + field.dataOffset),
            mine.loadBE16(tcp + field.window) == other.loadBE16(tcp + field.window),
            mine.loadBE16(tcp + field.checksum + 2) == other.loadBE16(tcp + field.checksum + 2)
        else { return false }
        for place in stride(from: tcp + field.end, to: headers, by: 4)
        where mine.loadNative32(place) != other.loadNative32(place) {
            return false
        }
        return true
    }

    /// Whether the checksum is partial, or full and right.
    private static func isTrue(_ emission: Emission, _ batch: borrowing Batch) -> Bool {
        let packet = batch.packets[Int(emission.buffer)]
        if packet.marks.contains(.partialChecksum) { return true }
        let length = Int(emission.length)
        let frame = batch.frames.bytes(Int(emission.buffer), length: length)
        let start = IPv4Packet.minimumHeaderLength
        if packet.transport == .udp && frame.loadBE16(start + UDPDatagram.checksumOffset) == 0 { return false }
        let pseudo = Checksum.pseudoHeader(
            source: IPv4Address(bits: frame.loadBE32(IPv4Packet.Field.source)),
            destination: IPv4Address(bits: frame.loadBE32(IPv4Packet.Field.destination)),
            transport: packet.transport.rawValue,
            length: length - start
        )
        return Checksum.add(pseudo, Checksum.sum(frame, start..<length)) == 0xffff
    }
}

/// The lengths of a packet that may be put together with others.
private struct Shape {
    let isTCP: Bool
    let headers: Int
    let payload: Int
    let flags: TCPFlags

    /// Nil for a packet that cannot: made by the datapath, a super-packet or fragment, with IP options, of another protocol.
    init?(_ emission: Emission, _ batch: borrowing Batch) {
        guard !emission.isScratch else { return nil }
        let packet = batch.packets[Int(emission.buffer)]
        let ip = IPv4Packet.minimumHeaderLength
        guard packet.segmentSize == 0, packet.headerLength == UInt8(ip), !packet.fragment.isFragment, packet.hasPorts,
            emission.length == Int32(packet.totalLength)
        else { return nil }
        let frame = batch.frames.bytes(Int(emission.buffer), length: Int(emission.length))
        switch packet.transport {
        case .tcp:
            isTCP = true
            headers = ip + Int(frame.load8(ip + TCPSegment.Field.dataOffset) >> 4) * 4
        case .udp:
            isTCP = false
            headers = ip + UDPDatagram.headerLength
            // What stands behind the datagram would become a part of it.
            guard Int(frame.loadBE16(ip + UDPDatagram.Field.length)) == Int(emission.length) - ip else { return nil }
        default: return nil
        }
        payload = Int(emission.length) - headers
        flags = packet.flags
    }
}

extension Batch {
    /// What a packet carries that leaves behind the headers of a super-packet, of which each has `headers` bytes.
    @_lifetime(borrow self)
    package func payload(of emission: Emission, behind headers: Int) -> RawSpan {
        frames.bytes(Int(emission.buffer), length: Int(emission.length)).extracting(headers..<Int(emission.length))
    }
}
