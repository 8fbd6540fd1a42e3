/// A block of IPv4 addresses in CIDR notation (RFC 4632); the host bits of `address` are zero.
public struct IPv4Prefix: Hashable, Sendable, BitwiseCopyable {
    /// The first address of the block.
    public let address: IPv4Address
    /// The number of leading bits that all addresses of the block share, 0 to 32.
    public let length: UInt8

    /// The block that `address` lies in; lengths over 32 count as 32.
    @inlinable public init(_ address: IPv4Address, length: UInt8) {
        self.length = min(length, 32)
        self.address = IPv4Address(bits: address.bits & Self.mask(length: self.length))
    }

    /// The netmask of a length, in host byte order; lengths over 32 count as 32.
    @inlinable public static func mask(length: UInt8) -> UInt32 {
        length == 0 ? 0 : UInt32.max << (32 - UInt32(min(length, 32)))
    }

    /// The netmask, in host byte order.
    @inlinable public var mask: UInt32 { Self.mask(length: length) }

    /// How many addresses the block has, the first and the last one included.
    @inlinable public var count: UInt64 { 1 << (32 - UInt64(length)) }

    /// The last address of the block.
    @inlinable public var last: IPv4Address { IPv4Address(bits: address.bits | ~mask) }

    /// Whether an address lies in the block.
    @inlinable public func contains(_ other: IPv4Address) -> Bool { other.bits & mask == address.bits }

    /// Whether all of another block lies in this one.
    @inlinable public func contains(_ other: IPv4Prefix) -> Bool {
        other.length >= length && contains(other.address)
    }

    /// Whether the blocks have an address in common: then one contains the other.
    @inlinable public func overlaps(_ other: IPv4Prefix) -> Bool { contains(other) || other.contains(self) }
}

extension IPv4Prefix: CustomStringConvertible {
    /// Reads `a.b.c.d/n`; nil also when bits behind the prefix are set, unless `allowingHostBits`.
    public init?(_ text: some StringProtocol, allowingHostBits: Bool = false) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPv4Address(parts[0]), (1...2).contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            parts[1].utf8.count == 1 || parts[1].utf8.first != UInt8(ascii: "0"),
            let length = UInt8(parts[1]), length <= 32
        else { return nil }
        self.init(address, length: length)
        if !allowingHostBits && self.address != address { return nil }
    }

    /// The CIDR form, `10.0.0.0/8`.
    public var description: String { "\(address)/\(length)" }
}
