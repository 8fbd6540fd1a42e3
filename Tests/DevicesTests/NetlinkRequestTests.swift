import Devices
import Testing
import Wire

/// The expected bytes are those of a little-endian host, as strace(1) shows ip(8) to send them.
@Suite("Netlink requests", .enabled(if: 1.littleEndian == 1, "written down for little-endian hosts"))
struct NetlinkRequestTests {
    private let header: (UInt8, UInt8, [UInt8]) -> [UInt8] = { length, type, flags in
        [length, 0, 0, 0, type, 0] + flags + [0, 0, 0, 0, 0, 0, 0, 0]
    }

    @Test("a number goes into the header and nowhere else")
    func numbered() {
        let request = RouteMessages.deleteLink(index: 7)
        let numbered = request.numbered(0x0102_0304).bytes
        #expect(numbered[8..<12] == [4, 3, 2, 1])
        #expect(numbered[..<8] == request.bytes[..<8] && numbered[12...] == request.bytes[12...])
    }

    @Test("MTU: RTM_SETLINK, struct ifinfomsg, IFLA_MTU")
    func mtu() {
        let expected =
            header(40, 19, [5, 0]) + [0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + [8, 0, 4, 0, 0xdc, 5, 0, 0]
        #expect(RouteMessages.setMTU(1500, index: 3).bytes == expected)
    }

    @Test("up: IFF_UP in the flags and in the change mask", arguments: [(true, UInt8(1)), (false, 0)])
    func up(isUp: Bool, flag: UInt8) {
        let expected = header(32, 19, [5, 0]) + [0, 0, 0, 0, 3, 0, 0, 0, flag, 0, 0, 0, 1, 0, 0, 0]
        #expect(RouteMessages.setUp(isUp, index: 3).bytes == expected)
    }

    @Test("a name ends with a zero byte and is padded to four bytes, which its length does not count")
    func name() {
        let expected =
            header(44, 18, [5, 0]) + Array(repeating: 0, count: 16)
            + [9, 0, 3, 0] + Array("eth0".utf8) + [0, 0, 0, 0]
        #expect(RouteMessages.getLink(named: "eth0").bytes == expected)
    }

    @Test("address: RTM_NEWADDR, struct ifaddrmsg, IFA_LOCAL and IFA_ADDRESS in network byte order")
    func address() {
        let address = InterfaceAddress(IPv4Address(10, 244, 0, 11), prefixLength: 24)
        let body: [UInt8] = [2, 24, 0, 0, 3, 0, 0, 0, 8, 0, 2, 0, 10, 244, 0, 11, 8, 0, 1, 0, 10, 244, 0, 11]
        let adding = RouteMessages.changeAddress(address, adding: true, index: 3).bytes
        let removing = RouteMessages.changeAddress(address, adding: false, index: 3).bytes
        #expect(adding == header(40, 20, [5, 6]) + body)
        #expect(removing == header(40, 21, [5, 0]) + body)
    }

    @Test("route: RTM_NEWROUTE, struct rtmsg with table main, origin static, scope link; RTA_DST and RTA_OIF")
    func route() {
        let prefix = IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 16)
        let expected =
            header(44, 24, [5, 6]) + [2, 16, 0, 0, 254, 4, 253, 1, 0, 0, 0, 0]
            + [8, 0, 1, 0, 10, 96, 0, 0] + [8, 0, 4, 0, 3, 0, 0, 0]
        #expect(RouteMessages.changeRoute(to: prefix, adding: true, index: 3).bytes == expected)
    }

    @Test("a default route has no RTA_DST")
    func defaultRoute() {
        let prefix = IPv4Prefix(.any, length: 0)
        let expected = header(36, 24, [5, 6]) + [2, 0, 0, 0, 254, 4, 253, 1, 0, 0, 0, 0] + [8, 0, 4, 0, 3, 0, 0, 0]
        #expect(RouteMessages.changeRoute(to: prefix, adding: true, index: 3).bytes == expected)
    }

    @Test("IPv6 address generation: IFLA_AF_SPEC { AF_INET6 { IFLA_INET6_ADDR_GEN_MODE } }")
    func nested() {
        let expected =
            header(48, 19, [5, 0]) + [0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            + [16, 0, 26, 0] + [12, 0, 10, 0] + [5, 0, 8, 0, 1, 0, 0, 0]
        #expect(RouteMessages.disableIPv6AddressGeneration(index: 3).bytes == expected)
    }

    @Test("lists are asked for with NLM_F_DUMP")
    func lists() {
        for request in [RouteMessages.getLinks(), RouteMessages.getAddresses(), RouteMessages.getRoutes()] {
            #expect(request.bytes[6..<8] == [5, 3])
            #expect(request.bytes.count == Int(request.bytes[0]))
        }
    }

    @Test("an attribute that would not fit its length field is cut")
    func oversized() {
        var request = NetlinkRequest(type: 16)
        request.appendAttribute(1, bytes: Array(repeating: 1, count: 70_000))
        #expect(request.bytes.count == 16 + 65_536)
        #expect(request.bytes[16..<18] == [0xff, 0xff])
    }
}
