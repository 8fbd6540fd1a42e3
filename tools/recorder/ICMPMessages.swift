internal import Wire

/// ICMP messages as hosts and routers write them (RFC 792).
enum ICMPMessages {
    /// An echo request or reply with the payload of iputils' ping: a time, and counting bytes.
    static func echo(
        _ type: ICMPv4Type,
        _ builder: PacketBuilder,
        identifier: UInt16,
        sequence: UInt16
    ) -> [UInt8] {
        var payload: [UInt8] = [0x40, 0xb1, 0x68, 0x69, 0, 0, 0, 0]
        payload += [UInt8(truncatingIfNeeded: sequence), 0x2c, 0x0a, 0, 0, 0, 0, 0]
        payload += Array(0x10...0x37)
        return builder.icmp(type, rest: UInt32(identifier) << 16 | UInt32(sequence), payload: payload)
    }

    /// An error about `packet`, of which it quotes as much as fits into 576 bytes (RFC 1812 section 4.3.2.3), or less.
    static func error(
        _ type: ICMPv4Type,
        code: UInt8,
        from source: IPv4Address,
        to destination: IPv4Address,
        about packet: [UInt8],
        rest: UInt32 = 0,
        timeToLive: UInt8 = 64,
        quoting limit: Int = 548
    ) -> [UInt8] {
        var builder = PacketBuilder(from: source, to: destination)
        builder.timeToLive = timeToLive
        builder.typeOfService = 0xc0
        builder.flagsAndOffset = 0
        builder.identification = UInt16(truncatingIfNeeded: packet.count &* 257) ^ UInt16(type.rawValue) << 8
        return builder.icmp(type, code: code, rest: rest, payload: Array(packet.prefix(limit)))
    }
}
