/// Builds whole IPv4 packets as byte arrays, with correct lengths and checksums.
///
/// It is for tests, for `culvert trace`, and for the tools that make captures. Nothing on the path of a packet uses it.
public struct PacketBuilder: Sendable {
    /// The source address.
    public var source: IPv4Address
    /// The destination address.
    public var destination: IPv4Address
    /// The TTL.
    public var timeToLive: UInt8 = 64
    /// DSCP and ECN, as they stand in the header.
    public var typeOfService: UInt8 = 0
    /// What the fragments of one datagram have in common.
    public var identification: UInt16 = 0
    /// Flags and offset as they stand in the header; "don't fragment" unless changed.
    public var flagsAndOffset: UInt16 = FragmentField.doNotFragmentBit
    /// Whole options, padded to a multiple of four bytes; at most 40.
    public var options: [UInt8] = []

    /// A builder of packets from one address to another.
    public init(from source: IPv4Address, to destination: IPv4Address) {
        self.source = source
        self.destination = destination
    }

    /// A packet with `payload` behind the IPv4 header.
    public func packet(_ transport: TransportProtocol, payload: [UInt8]) -> [UInt8] {
        let padded = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
        let header = IPv4Packet.minimumHeaderLength + padded.count
        var bytes: [UInt8] = []
        bytes.reserveCapacity(header + payload.count)
        bytes.append(0x40 | UInt8(truncatingIfNeeded: header / 4))
        bytes.append(typeOfService)
        bytes.append(big: UInt16(truncatingIfNeeded: header + payload.count))
        bytes.append(big: identification)
        bytes.append(big: flagsAndOffset)
        bytes.append(timeToLive)
        bytes.append(transport.rawValue)
        bytes.append(big: UInt16(0))
        bytes.append(big: source.bits)
        bytes.append(big: destination.bits)
        bytes += padded
        let check = ~Checksum.sum(bytes, to: header)
        bytes.store(big: check, at: 10)
        return bytes + payload
    }

    /// A packet with a TCP segment; `tcpOptions` are padded to a multiple of four bytes.
    public func tcp(
        _ sourcePort: UInt16,
        _ destinationPort: UInt16,
        flags: TCPFlags,
        sequence: UInt32 = 1,
        acknowledgment: UInt32 = 0,
        window: UInt16 = 64240,
        tcpOptions: [UInt8] = [],
        payload: [UInt8] = []
    ) -> [UInt8] {
        let padded = tcpOptions + [UInt8](repeating: 0, count: (4 - tcpOptions.count % 4) % 4)
        var segment: [UInt8] = []
        segment.append(big: sourcePort)
        segment.append(big: destinationPort)
        segment.append(big: sequence)
        segment.append(big: acknowledgment)
        segment.append(UInt8(truncatingIfNeeded: (20 + padded.count) / 4) << 4)
        segment.append(flags.rawValue)
        segment.append(big: window)
        segment.append(big: UInt16(0))
        segment.append(big: UInt16(0))
        segment += padded
        segment += payload
        segment.store(big: transportChecksum(.tcp, segment), at: TCPSegment.checksumOffset)
        return packet(.tcp, payload: segment)
    }

    /// A packet with a UDP datagram; without a checksum when `checksum` is false.
    public func udp(
        _ sourcePort: UInt16,
        _ destinationPort: UInt16,
        payload: [UInt8] = [],
        checksum: Bool = true
    ) -> [UInt8] {
        packet(.udp, payload: udpDatagram(sourcePort, destinationPort, payload: payload, checksum: checksum))
    }

    /// A UDP header and payload, to be cut into fragments or quoted.
    public func udpDatagram(
        _ sourcePort: UInt16,
        _ destinationPort: UInt16,
        payload: [UInt8],
        checksum: Bool = true
    ) -> [UInt8] {
        var datagram: [UInt8] = []
        datagram.append(big: sourcePort)
        datagram.append(big: destinationPort)
        datagram.append(big: UInt16(truncatingIfNeeded: 8 + payload.count))
        datagram.append(big: UInt16(0))
        datagram += payload
        if checksum {
            let value = transportChecksum(.udp, datagram)
            datagram.store(big: value == 0 ? 0xffff : value, at: UDPDatagram.checksumOffset)
        }
        return datagram
    }

    /// A packet with an ICMP message; `rest` is the second word of its header, in host byte order.
    public func icmp(_ type: ICMPv4Type, code: UInt8 = 0, rest: UInt32 = 0, payload: [UInt8] = []) -> [UInt8] {
        var message: [UInt8] = [type.rawValue, code, 0, 0]
        message.append(big: rest)
        message += payload
        message.store(big: ~Checksum.sum(message), at: ICMPv4Message.checksumOffset)
        return packet(.icmp, payload: message)
    }

    /// The fragments of a datagram whose payload is `payload`, each with at most `size` bytes of it, a multiple of 8.
    public func fragments(_ transport: TransportProtocol, payload: [UInt8], size: Int) -> [[UInt8]] {
        var made: [[UInt8]] = []
        var at = 0
        while at < payload.count {
            let end = min(at + size, payload.count)
            var part = self
            part.flagsAndOffset =
                UInt16(truncatingIfNeeded: at / 8) | (end < payload.count ? FragmentField.moreFragmentsBit : 0)
            made.append(part.packet(transport, payload: Array(payload[at..<end])))
            at = end
        }
        return made
    }

    private func transportChecksum(_ transport: TransportProtocol, _ segment: [UInt8]) -> UInt16 {
        let pseudo = Checksum.pseudoHeader(
            source: source,
            destination: destination,
            transport: transport.rawValue,
            length: segment.count
        )
        return ~Checksum.add(pseudo, Checksum.sum(segment))
    }
}

extension [UInt8] {
    /// Appends a field in network order.
    public mutating func append(big value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    /// Appends a field in network order.
    public mutating func append(big value: UInt32) {
        append(big: UInt16(truncatingIfNeeded: value >> 16))
        append(big: UInt16(truncatingIfNeeded: value))
    }

    /// Stores a field in network order; traps past the end.
    public mutating func store(big value: UInt16, at offset: Int) {
        self[offset] = UInt8(truncatingIfNeeded: value >> 8)
        self[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}
