package import Wire

/// A TCP segment between two endpoints, in one line.
///
/// The numbers are those of a connection whose sides both begin at 1000: a SYN, the answer to it, and first data.
package func tcp(
    _ from: IPv4Address,
    _ port: UInt16,
    to: IPv4Address,
    _ toPort: UInt16,
    _ flags: TCPFlags = .syn,
    payload: [UInt8] = [],
    _ change: (inout PacketBuilder) -> Void = { _ in }
) -> [UInt8] {
    var builder = PacketBuilder(from: from, to: to)
    builder.identification = 0x1234
    change(&builder)
    return builder.tcp(
        port,
        toPort,
        flags: flags,
        sequence: flags.contains(.syn) ? 1000 : 1001,
        acknowledgment: flags.contains(.ack) ? 1001 : 0,
        payload: payload
    )
}

/// A UDP datagram between two endpoints, in one line.
package func udp(
    _ from: IPv4Address,
    _ port: UInt16,
    to: IPv4Address,
    _ toPort: UInt16,
    payload: [UInt8] = [1, 2, 3],
    checksum: Bool = true,
    _ change: (inout PacketBuilder) -> Void = { _ in }
) -> [UInt8] {
    var builder = PacketBuilder(from: from, to: to)
    builder.identification = 0x4321
    change(&builder)
    return builder.udp(port, toPort, payload: payload, checksum: checksum)
}

/// An echo request or reply, in one line.
package func echo(
    _ from: IPv4Address,
    to: IPv4Address,
    _ type: ICMPv4Type = .echoRequest,
    identifier: UInt16 = 77,
    payload: [UInt8] = [9, 8, 7],
    _ change: (inout PacketBuilder) -> Void = { _ in }
) -> [UInt8] {
    var builder = PacketBuilder(from: from, to: to)
    change(&builder)
    return builder.icmp(type, rest: UInt32(identifier) << 16 | 1, payload: payload)
}

/// An ICMP error about a packet, which it quotes with `count` bytes.
package func icmpError(
    _ from: IPv4Address,
    to: IPv4Address,
    _ type: ICMPv4Type = .destinationUnreachable,
    code: UInt8 = 1,
    rest: UInt32 = 0,
    about packet: [UInt8],
    count: Int = 28,
    _ change: (inout PacketBuilder) -> Void = { _ in }
) -> [UInt8] {
    var builder = PacketBuilder(from: from, to: to)
    change(&builder)
    return builder.icmp(type, code: code, rest: rest, payload: Array(packet.prefix(count)))
}

/// The fragments of a UDP datagram, don't-fragment clear.
package func udpFragments(
    _ from: IPv4Address,
    _ port: UInt16,
    to: IPv4Address,
    _ toPort: UInt16,
    payload: [UInt8],
    size: Int,
    identification: UInt16 = 7,
    _ change: (inout PacketBuilder) -> Void = { _ in }
) -> [[UInt8]] {
    var builder = PacketBuilder(from: from, to: to)
    builder.identification = identification
    change(&builder)
    let datagram = builder.udpDatagram(port, toPort, payload: payload)
    return builder.fragments(.udp, payload: datagram, size: size)
}
