/// The protocol number of an IPv4 header (RFC 791 section 3.1, IANA "Protocol Numbers").
package struct TransportProtocol: Hashable, Sendable, BitwiseCopyable, RawRepresentable {
    package var rawValue: UInt8

    @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable package static var icmp: Self { Self(rawValue: 1) }
    @inlinable package static var tcp: Self { Self(rawValue: 6) }
    @inlinable package static var udp: Self { Self(rawValue: 17) }
}

extension TransportProtocol: CustomStringConvertible {
    package var description: String {
        switch self {
        case .icmp: "icmp"
        case .tcp: "tcp"
        case .udp: "udp"
        default: "ip-\(rawValue)"
        }
    }
}
