/// The protocol number of an IPv4 header (RFC 791 section 3.1, IANA "Protocol Numbers").
public struct TransportProtocol: Hashable, Sendable, BitwiseCopyable, RawRepresentable {
    /// The number in the header.
    public var rawValue: UInt8

    /// The protocol with a number, one that Culvert knows or not.
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// ICMP (RFC 792).
    @inlinable public static var icmp: Self { Self(rawValue: 1) }
    /// TCP (RFC 9293).
    @inlinable public static var tcp: Self { Self(rawValue: 6) }
    /// UDP (RFC 768).
    @inlinable public static var udp: Self { Self(rawValue: 17) }
}

extension TransportProtocol: CustomStringConvertible {
    /// The name in lower case; `ip-N` for a protocol that Culvert does not know.
    public var description: String {
        switch self {
        case .icmp: "icmp"
        case .tcp: "tcp"
        case .udp: "udp"
        default: "ip-\(rawValue)"
        }
    }
}
