internal import Tables
internal import Wire

/// Packets of one flow that leave together, as the coalescer plans them.
struct CoalescedGroup: BitwiseCopyable {
    /// The first and the last emission, and how many there are.
    let first: UInt16
    var last: UInt16
    var count: UInt16 = 1
    let egress: UInt16
    /// The frame of the first packet, of which the others are judged.
    let frame: UInt32
    let isTCP: Bool
    /// The length of the headers and of the payload that each packet has.
    let headers: UInt8
    let payload: UInt16
    /// The length of all headers and payloads as one packet.
    var total: Int32
    /// The flags of the first packet and of the last one.
    let firstFlags: TCPFlags
    var flags: TCPFlags
    /// Whether more may follow.
    var isOpen: Bool
    /// Whether the first packet's checksum was looked at.
    var isTrue = false

    /// A packet that leaves alone.
    init(_ index: Int) {
        first = UInt16(truncatingIfNeeded: index)
        last = first
        egress = 0
        frame = 0
        isTCP = false
        headers = 0
        payload = 0
        total = 0
        firstFlags = []
        flags = []
        isOpen = false
    }

    /// A packet that others may follow.
    init(_ index: Int, _ shape: CoalescibleShape, _ emission: Emission) {
        first = UInt16(truncatingIfNeeded: index)
        last = first
        egress = emission.egress
        frame = emission.buffer
        isTCP = shape.isTCP
        headers = UInt8(truncatingIfNeeded: shape.headers)
        payload = UInt16(truncatingIfNeeded: shape.payload)
        total = emission.length
        firstFlags = shape.flags
        flags = shape.flags
        isOpen = shape.payload > 0 && shape.canBeFollowed
    }

    /// Takes a packet in; false, with nothing changed but that nothing follows any more, where it does not fit.
    mutating func join(_ shape: CoalescibleShape, _ emission: Emission, _ batch: borrowing Batch) -> Bool {
        guard isOpen else { return false }
        isOpen = false
        guard emission.egress == egress, shape.isTCP == isTCP, shape.headers == Int(headers), shape.payload > 0,
            shape.payload <= Int(payload), Int(total) + shape.payload <= 65535, count < UInt16(Coalescer.limit),
            isContinued(by: emission, shape, batch)
        else { return false }
        if !isTrue {
            guard Self.isTrue(Int(frame), length: Int(headers) + Int(payload), batch) else { return false }
            isTrue = true
        }
        guard Self.isTrue(Int(emission.buffer), length: Int(emission.length), batch) else { return false }
        count += 1
        total += Int32(truncatingIfNeeded: shape.payload)
        flags = shape.flags
        isOpen = shape.payload == Int(payload) && shape.canBeFollowed
        return true
    }

    /// Whether the headers are those that segmentation would make of the first packet's.
    private func isContinued(by emission: Emission, _ shape: CoalescibleShape, _ batch: borrowing Batch) -> Bool {
        let mine = batch.frames.bytes(Int(frame), length: Int(headers))
        let other = batch.frames.bytes(Int(emission.buffer), length: Int(headers))
        let ip = IPv4Packet.Field.self
        // Addresses, ports, TOS; fragment field, TTL and protocol.
        guard mine.loadNative64(ip.source) == other.loadNative64(ip.source),
            mine.loadNative32(ip.end) == other.loadNative32(ip.end),
            mine.load8(ip.typeOfService) == other.load8(ip.typeOfService),
            mine.loadNative32(ip.fragment) == other.loadNative32(ip.fragment)
        else { return false }
        if !FragmentField(bits: mine.loadBE16(ip.fragment)).doNotFragment {
            guard other.loadBE16(ip.identification) == mine.loadBE16(ip.identification) &+ count else { return false }
        }
        return !isTCP
            || shape.flags.subtracting([.fin, .psh]) == firstFlags && isNextSegment(other, mine)
    }

    /// Whether a TCP segment is the next one: sequence number, acknowledgment, window, urgent pointer and options.
    private func isNextSegment(_ other: RawSpan, _ mine: RawSpan) -> Bool {
        let tcp = IPv4Packet.minimumHeaderLength
        let field = TCPSegment.Field.self
        let expected = mine.loadBE32(tcp + field.sequence) &+ UInt32(count) &* UInt32(payload)
        guard other.loadBE32(tcp + field.sequence) == expected,
            mine.loadNative32(tcp + field.acknowledgment) == other.loadNative32(tcp + field.acknowledgment),
            // The unused bits beside the header's length count too: segmentation would repeat them.
            mine.load8(tcp + field.dataOffset) == other.load8(tcp + field.dataOffset),
            mine.loadBE16(tcp + field.window) == other.loadBE16(tcp + field.window),
            mine.loadBE16(tcp + field.checksum + 2) == other.loadBE16(tcp + field.checksum + 2)
        else { return false }
        for place in stride(from: tcp + field.end, to: Int(headers), by: 4)
        where mine.loadNative32(place) != other.loadNative32(place) {
            return false
        }
        return true
    }

    /// Whether the checksum of a packet is partial, or full and right.
    private static func isTrue(_ number: Int, length: Int, _ batch: borrowing Batch) -> Bool {
        if batch.packets[number].marks.contains(.partialChecksum) { return true }
        let frame = batch.frames.bytes(number, length: length)
        let start = IPv4Packet.minimumHeaderLength
        let transport = batch.packets[number].transport
        if transport == .udp && frame.loadBE16(start + UDPDatagram.checksumOffset) == 0 { return false }
        let pseudo = Checksum.pseudoHeader(
            source: IPv4Address(bits: frame.loadBE32(IPv4Packet.Field.source)),
            destination: IPv4Address(bits: frame.loadBE32(IPv4Packet.Field.destination)),
            transport: transport.rawValue,
            length: length - start
        )
        return Checksum.add(pseudo, Checksum.sum(frame, start..<length)) == 0xffff
    }
}

/// What of a packet decides whether it may leave with others of its flow.
struct CoalescibleShape {
    let flow: UInt64
    let isTCP: Bool
    let headers: Int
    let payload: Int
    let flags: TCPFlags

    /// Nil for a packet that cannot: made by the datapath, a super-packet or fragment, with IP options, of another protocol.
    init?(_ emission: Emission, _ batch: borrowing Batch, _ kinds: Coalescer.Kinds) {
        guard !emission.isScratch else { return nil }
        let number = Int(emission.buffer)
        let ip = IPv4Packet.minimumHeaderLength
        guard batch.packets[number].segmentSize == 0, batch.packets[number].headerLength == UInt8(ip),
            !batch.packets[number].fragment.isFragment, batch.packets[number].hasPorts,
            emission.length == Int32(batch.packets[number].totalLength)
        else { return nil }
        let frame = batch.frames.bytes(number, length: Int(emission.length))
        switch batch.packets[number].transport {
        case .tcp where kinds.contains(.tcp):
            isTCP = true
            headers = ip + Int(frame.load8(ip + TCPSegment.Field.dataOffset) >> 4) * 4
        case .udp where kinds.contains(.udp):
            isTCP = false
            headers = ip + UDPDatagram.headerLength
            // What stands behind the datagram would become a part of it.
            guard Int(frame.loadBE16(ip + UDPDatagram.Field.length)) == Int(emission.length) - ip else { return nil }
        default: return nil
        }
        flow = batch.packets[number].flow
        payload = Int(emission.length) - headers
        flags = batch.packets[number].flags
    }

    /// Whether more may follow: behind a segment with nothing but an acknowledgment, which all of them carry.
    var canBeFollowed: Bool { !isTCP || flags == .ack || flags == [.ack, .ece] }
}
