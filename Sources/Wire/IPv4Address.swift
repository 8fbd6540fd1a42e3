/// An IPv4 address; `bits` is in host byte order, so that `10.0.0.1` is `0x0a00_0001`.
public struct IPv4Address: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// The 32 bits in host byte order.
    public var bits: UInt32

    /// The address with these bits, in host byte order.
    @inlinable public init(bits: UInt32) { self.bits = bits }

    /// The address `a.b.c.d`.
    @inlinable public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
        bits = UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)
    }

    /// Orders addresses as numbers, 0.0.0.0 first.
    @inlinable public static func < (left: Self, right: Self) -> Bool { left.bits < right.bits }

    /// 0.0.0.0, which stands for no address.
    public static let any = IPv4Address(bits: 0)
    /// 255.255.255.255, the limited broadcast (RFC 919 section 7).
    public static let broadcast = IPv4Address(bits: .max)

    /// Whether the address lies in 127.0.0.0/8 (RFC 1122 section 3.2.1.3).
    @inlinable public var isLoopback: Bool { bits >> 24 == 127 }
    /// Whether the address lies in 224.0.0.0/4 (RFC 5771).
    @inlinable public var isMulticast: Bool { bits >> 28 == 0xe }
    /// Whether the address lies in 169.254.0.0/16 (RFC 3927).
    @inlinable public var isLinkLocal: Bool { bits >> 16 == 0xa9fe }
    /// Whether the address lies in 240.0.0.0/4, the limited broadcast address included (RFC 1112 section 4).
    @inlinable public var isReserved: Bool { bits >> 28 == 0xf }
    /// Whether the address lies in 0.0.0.0/8, "this network" (RFC 1122 section 3.2.1.3).
    @inlinable public var isThisNetwork: Bool { bits >> 24 == 0 }
}

extension IPv4Address: CustomStringConvertible {
    /// Reads the dotted form: four decimal numbers without leading zeros, nothing around them.
    ///
    /// Leading zeros are refused because programs disagree on their base (CVE-2021-29923).
    public init?(_ text: some StringProtocol) {
        var bits: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if digits > 0 && octet == 0 { return nil }
                octet = octet * 10 + UInt32(byte - UInt8(ascii: "0"))
                digits += 1
                if octet > 255 { return nil }
            case UInt8(ascii: "."):
                if digits == 0 || dots == 3 { return nil }
                bits = bits << 8 | octet
                (octet, digits) = (0, 0)
                dots += 1
            default:
                return nil
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        self.init(bits: bits << 8 | octet)
    }

    /// The dotted form, `10.0.0.1`.
    public var description: String {
        "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
    }
}
