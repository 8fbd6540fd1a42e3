internal import Datapath
internal import Wire

/// The headers of a packet as it stands on the wire, for people.
struct SeenPacket: Sendable {
    /// The interface that it was sent to, or came from.
    let interface: String
    /// Whether the datapath made it, instead of sending it on.
    let isGenerated: Bool
    let bytes: [UInt8]
    let transport: TransportProtocol
    let source: IPv4Address
    let destination: IPv4Address
    let timeToLive: UInt8
    /// Nil where there is none: ICMP, and fragments but the first one.
    private(set) var ports: (source: UInt16, destination: UInt16)?
    private(set) var flags: TCPFlags?
    private(set) var icmp: (type: UInt8, code: UInt8, rest: UInt32)?

    /// Nil for what is no IPv4 packet.
    init?(_ bytes: [UInt8], interface: String, isGenerated: Bool = false) {
        let field = IPv4Packet.Field.self
        guard bytes.count >= field.end, bytes[field.versionAndLength] >> 4 == 4 else { return nil }
        let header = Int(bytes[field.versionAndLength] & 0xf) * 4
        self.interface = interface
        self.isGenerated = isGenerated
        self.bytes = bytes
        transport = TransportProtocol(rawValue: bytes[field.transport])
        source = IPv4Address(bits: bytes.big32(at: field.source))
        destination = IPv4Address(bits: bytes.big32(at: field.destination))
        timeToLive = bytes[field.timeToLive]
        let fragment = FragmentField(bits: bytes.big16(at: field.fragment))
        guard fragment.offset == 0, bytes.count >= header + 8 else { return }
        switch transport {
        case .tcp, .udp:
            ports = (bytes.big16(at: header), bytes.big16(at: header + 2))
            if transport == .tcp, bytes.count >= header + TCPSegment.minimumHeaderLength {
                flags = TCPFlags(rawValue: bytes[header + TCPSegment.Field.flags])
            }
        case .icmp:
            icmp = (bytes[header], bytes[header + 1], bytes.big32(at: header + 4))
        default:
            break
        }
    }

    /// `192.0.2.10:40000`, or the address alone.
    var sourceText: String { ports.map { "\(source):\($0.source)" } ?? "\(source)" }
    /// `192.0.2.10:40000`, or the address alone.
    var destinationText: String { ports.map { "\(destination):\($0.destination)" } ?? "\(destination)" }

    /// What an ICMP message says.
    var meaning: String? {
        guard let icmp else { return nil }
        switch (icmp.type, icmp.code) {
        case (0, 0): return "echo reply"
        case (8, 0): return "echo request"
        case (3, UnreachableCode.port): return "port unreachable"
        case (3, UnreachableCode.fragmentationNeeded): return "fragmentation needed, mtu \(icmp.rest & 0xffff)"
        case (11, 0): return "time exceeded"
        default: return "type \(icmp.type) code \(icmp.code)"
        }
    }

    /// `tcp S 203.0.113.2:40000 > 192.0.2.10:30080, 40 bytes, ttl 64`.
    var text: String {
        let kind = [transport.description, flags?.description, meaning].compactMap(\.self).joined(separator: " ")
        return "\(kind) \(sourceText) > \(destinationText), \(bytes.count) bytes, ttl \(timeToLive)"
    }

    /// The same, and the bytes in hexadecimal.
    var json: JSONValue {
        .object([
            ("interface", .string(interface)), ("generated", .bool(isGenerated)),
            ("protocol", .string(transport.description)), ("flags", .optional(flags?.description)),
            ("source", .string(sourceText)), ("destination", .string(destinationText)),
            ("length", .number(bytes.count)), ("ttl", .number(Int(timeToLive))),
            (
                "icmp",
                icmp.map { .object([("type", .number(Int($0.type))), ("code", .number(Int($0.code)))]) } ?? .null
            ),
            ("bytes", .string(hexadecimal)),
        ])
    }

    private var hexadecimal: String {
        var text = TextBuffer(capacity: bytes.count * 2)
        let digits = Array("0123456789abcdef".utf8)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text.bytes, as: UTF8.self)
    }
}

extension [UInt8] {
    /// A field in network order.
    fileprivate func big16(at offset: Int) -> UInt16 { UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) }

    /// A field in network order.
    fileprivate func big32(at offset: Int) -> UInt32 {
        UInt32(big16(at: offset)) << 16 | UInt32(big16(at: offset + 2))
    }
}
