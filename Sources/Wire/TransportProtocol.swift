/// The protocol number of an IPv4 header (RFC 791 section 3.1, IANA "Protocol Numbers").
public struct TransportProtocol: Hashable, Sendable, BitwiseCopyable, RawRepresentable {
    public var rawValue: UInt8

    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable public static var icmp: Self { Self(rawValue: 1) }
    @inlinable public static var tcp: Self { Self(rawValue: 6) }
    @inlinable public static var udp: Self { Self(rawValue: 17) }
}

extension TransportProtocol: CustomStringConvertible {
    public var description: String {
        switch self {
        case .icmp: "icmp"
        case .tcp: "tcp"
        case .udp: "udp"
        default: "ip-\(rawValue)"
        }
    }
}
