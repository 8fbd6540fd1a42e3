internal import CTun
internal import Glibc
package import Wire

/// An IPv4 address of an interface and the prefix that is reached through it.
package struct InterfaceAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address itself, host bits included.
    package let address: IPv4Address
    /// 0 to 32; larger values count as 32.
    package let prefixLength: UInt8

    /// An address with the length of its prefix; alone, a /32.
    package init(_ address: IPv4Address, prefixLength: UInt8 = 32) {
        self.address = address
        self.prefixLength = min(prefixLength, 32)
    }

    /// CIDR notation with the host bits: `10.244.0.11/24`.
    package var description: String { "\(address)/\(prefixLength)" }
}

/// A network interface, as the kernel describes it.
package struct NetworkLink: Equatable, Sendable {
    /// The interface's number in its namespace (ifindex); it stays until the interface is deleted.
    package let index: Int32
    /// The name, which an administrator may change.
    package let name: String
    /// In bytes, headers of the link layer not counted.
    package let mtu: UInt32
    /// Whether it is up as far as its administrator is concerned (IFF_UP).
    package let isUp: Bool
    /// The driver's name, such as `tun`; empty where it has none (`lo`).
    package let kind: String

    /// Puts a description together.
    package init(index: Int32, name: String, mtu: UInt32, isUp: Bool, kind: String) {
        self.index = index
        self.name = name
        self.mtu = mtu
        self.isUp = isUp
        self.kind = kind
    }
}

/// A unicast route of the main table that leaves through an interface.
package struct InterfaceRoute: Hashable, Sendable {
    /// Where it leads; 0.0.0.0/0 for the default route.
    package let destination: IPv4Prefix
    /// RTPROT_*: 2 if the kernel made it (with an address), 4 if Culvert or an administrator did.
    package let origin: UInt8
    /// The interface's number.
    package let linkIndex: Int32

    /// Puts a route together.
    package init(destination: IPv4Prefix, origin: UInt8, linkIndex: Int32) {
        self.destination = destination
        self.origin = origin
        self.linkIndex = linkIndex
    }
}

/// The rtnetlink messages that Culvert sends and reads (rtnetlink(7)); pure.
package enum RouteMessages {
    private static let routeDestination = Int(RTA_DST.rawValue)
    private static let routeLink = Int(RTA_OIF.rawValue)

    /// Begins a request about a link: `struct ifinfomsg`.
    private static func link(_ type: Int, index: Int32, flags: UInt32 = 0, change: UInt32 = 0) -> NetlinkRequest {
        var request = NetlinkRequest(type: type)
        request.appendField(UInt32(0))
        request.appendField(index)
        request.appendField(flags)
        request.appendField(change)
        return request
    }

    /// Asks for one link by its name.
    package static func getLink(named name: String) -> NetlinkRequest {
        var request = link(RTM_GETLINK, index: 0)
        request.appendAttribute(IFLA_IFNAME, text: name)
        return request
    }

    /// Asks for all links.
    package static func getLinks() -> NetlinkRequest {
        var request = NetlinkRequest(type: RTM_GETLINK, flags: NLM_F_DUMP)
        for _ in 0..<4 { request.appendField(UInt32(0)) }
        return request
    }

    /// Sets a link's MTU, in bytes.
    package static func setMTU(_ mtu: UInt32, index: Int32) -> NetlinkRequest {
        var request = link(RTM_SETLINK, index: index)
        request.appendAttribute(IFLA_MTU, mtu)
        return request
    }

    /// Takes a link up or down.
    package static func setUp(_ up: Bool, index: Int32) -> NetlinkRequest {
        let flag = UInt32(IFF_UP)
        return link(RTM_SETLINK, index: index, flags: up ? flag : 0, change: flag)
    }

    /// Turns a link's IPv6 address generation off (IN6_ADDR_GEN_MODE_NONE).
    package static func disableIPv6AddressGeneration(index: Int32) -> NetlinkRequest {
        var request = link(RTM_SETLINK, index: index)
        request.appendAttribute(IFLA_AF_SPEC) { families in
            families.appendAttribute(Int(AF_INET6)) { family in
                family.appendAttribute(IFLA_INET6_ADDR_GEN_MODE, UInt8(IN6_ADDR_GEN_MODE_NONE.rawValue))
            }
        }
        return request
    }

    /// Deletes a link.
    package static func deleteLink(index: Int32) -> NetlinkRequest {
        link(RTM_DELLINK, index: index)
    }

    /// Asks for all IPv4 addresses: `struct ifaddrmsg`.
    package static func getAddresses() -> NetlinkRequest {
        var request = NetlinkRequest(type: RTM_GETADDR, flags: NLM_F_DUMP)
        request.appendField(UInt8(AF_INET))
        for _ in 0..<3 { request.appendField(UInt8(0)) }
        request.appendField(UInt32(0))
        return request
    }

    /// Adds an address to a link, or takes it off; `struct ifaddrmsg`.
    package static func changeAddress(_ address: InterfaceAddress, adding: Bool, index: Int32) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: adding ? RTM_NEWADDR : RTM_DELADDR,
            flags: adding ? NLM_F_CREATE | NLM_F_EXCL : 0
        )
        request.appendField(UInt8(AF_INET))
        request.appendField(address.prefixLength)
        request.appendField(UInt8(0))
        request.appendField(UInt8(RT_SCOPE_UNIVERSE.rawValue))
        request.appendField(index)
        request.appendAttribute(IFA_LOCAL, address.address.bits.bigEndian)
        request.appendAttribute(IFA_ADDRESS, address.address.bits.bigEndian)
        return request
    }

    /// Asks for all IPv4 routes: `struct rtmsg`.
    package static func getRoutes() -> NetlinkRequest {
        var request = NetlinkRequest(type: RTM_GETROUTE, flags: NLM_F_DUMP)
        request.appendField(UInt8(AF_INET))
        for _ in 0..<7 { request.appendField(UInt8(0)) }
        request.appendField(UInt32(0))
        return request
    }

    /// Adds a route through a link (scope link: no gateway) to the main table, or removes it; `struct rtmsg`.
    package static func changeRoute(to prefix: IPv4Prefix, adding: Bool, index: Int32) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: adding ? RTM_NEWROUTE : RTM_DELROUTE,
            flags: adding ? NLM_F_CREATE | NLM_F_EXCL : 0
        )
        request.appendField(UInt8(AF_INET))
        request.appendField(prefix.length)
        request.appendField(UInt8(0))
        request.appendField(UInt8(0))
        request.appendField(UInt8(RT_TABLE_MAIN.rawValue))
        request.appendField(UInt8(RTPROT_STATIC))
        request.appendField(UInt8(RT_SCOPE_LINK.rawValue))
        request.appendField(UInt8(RTN_UNICAST))
        request.appendField(UInt32(0))
        if prefix.length > 0 { request.appendAttribute(routeDestination, prefix.address.bits.bigEndian) }
        request.appendAttribute(routeLink, index)
        return request
    }

    /// Reads RTM_NEWLINK; nil for other messages.
    package static func parseLink(_ message: NetlinkMessage) throws(NetlinkMalformed) -> NetworkLink? {
        guard Int(message.type) == RTM_NEWLINK else { return nil }
        guard message.payload.count >= 16, let index = message.payload.host32(at: 4),
            let flags = message.payload.host32(at: 8)
        else { throw .structure }
        var name = ""
        var mtu: UInt32 = 0
        var kind = ""
        for attribute in try NetlinkAttribute.parse(message.payload.dropFirst(16)) {
            switch attribute.type {
            case IFLA_IFNAME: name = attribute.text
            case IFLA_MTU:
                guard let value = attribute.host32 else { throw .structure }
                mtu = value
            case IFLA_LINKINFO:
                let information = try NetlinkAttribute.parse(attribute.value)
                kind = information.first { $0.type == IFLA_INFO_KIND }?.text ?? ""
            default: break
            }
        }
        return NetworkLink(
            index: Int32(bitPattern: index),
            name: name,
            mtu: mtu,
            isUp: flags & UInt32(IFF_UP) != 0,
            kind: kind
        )
    }

    /// Reads RTM_NEWADDR of IPv4, with the number of the link that has the address; nil for other messages.
    package static func parseAddress(
        _ message: NetlinkMessage
    ) throws(NetlinkMalformed) -> (address: InterfaceAddress, linkIndex: Int32)? {
        guard Int(message.type) == RTM_NEWADDR else { return nil }
        let payload = message.payload
        guard let family = payload.byte(at: 0), let length = payload.byte(at: 1), let index = payload.host32(at: 4)
        else { throw .structure }
        guard family == UInt8(AF_INET) else { return nil }
        guard length <= 32 else { throw .value }
        let attributes = try NetlinkAttribute.parse(payload.dropFirst(8))
        // IFA_ADDRESS is the peer's on a point-to-point link; IFA_LOCAL is always the own one.
        guard let local = attributes.first(where: { $0.type == IFA_LOCAL }) else { return nil }
        guard let bits = local.host32 else { throw .structure }
        let address = IPv4Address(bits: UInt32(bigEndian: bits))
        return (InterfaceAddress(address, prefixLength: length), Int32(bitPattern: index))
    }

    /// Reads RTM_NEWROUTE of IPv4; nil for other messages and for routes that `InterfaceRoute` does not describe.
    package static func parseRoute(_ message: NetlinkMessage) throws(NetlinkMalformed) -> InterfaceRoute? {
        guard Int(message.type) == RTM_NEWROUTE else { return nil }
        let payload = message.payload
        guard payload.count >= 12, let family = payload.byte(at: 0), let length = payload.byte(at: 1),
            let table = payload.byte(at: 4), let origin = payload.byte(at: 5), let kind = payload.byte(at: 7)
        else { throw .structure }
        guard family == UInt8(AF_INET), table == UInt8(RT_TABLE_MAIN.rawValue), kind == UInt8(RTN_UNICAST) else {
            return nil
        }
        guard length <= 32 else { throw .value }
        var destination = IPv4Address.any
        var link: Int32?
        for attribute in try NetlinkAttribute.parse(payload.dropFirst(12)) {
            guard attribute.type == routeDestination || attribute.type == routeLink else { continue }
            guard let value = attribute.host32 else { throw .structure }
            if attribute.type == routeDestination {
                destination = IPv4Address(bits: UInt32(bigEndian: value))
            } else {
                link = Int32(bitPattern: value)
            }
        }
        guard let link else { return nil }
        return InterfaceRoute(
            destination: IPv4Prefix(destination, length: length),
            origin: origin,
            linkIndex: link
        )
    }
}
