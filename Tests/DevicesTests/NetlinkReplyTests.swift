import Devices
import Testing
import Wire

@Suite("Netlink replies", .enabled(if: 1.littleEndian == 1, "written down for little-endian hosts"))
struct NetlinkReplyTests {
    /// A message with a right length.
    private func message(type: UInt8, flags: [UInt8] = [0, 0], sequence: UInt8 = 1, _ payload: [UInt8]) -> [UInt8] {
        let length = UInt16(16 + payload.count)
        var bytes = [UInt8(length & 255), UInt8(length >> 8), 0, 0, type, 0] + flags
        bytes += [sequence, 0, 0, 0, 9, 0, 0, 0] + payload
        while bytes.count % 4 != 0 { bytes.append(0) }
        return bytes
    }

    private func progress(_ datagram: [UInt8]) throws -> NetlinkExchange.Progress {
        var exchange = NetlinkExchange(sequence: 1)
        return try exchange.take(datagram[...])
    }

    private let header = Array(repeating: UInt8(0), count: 16)

    @Test("status zero is an acknowledgement")
    func acknowledgement() throws {
        #expect(try progress(message(type: 2, [0, 0, 0, 0] + header)) == .done)
    }

    @Test("a negative status is an errno")
    func refusal() throws {
        #expect(try progress(message(type: 2, [0xef, 0xff, 0xff, 0xff] + header)) == .failed(17, nil))
    }

    @Test("the kernel's words are behind the request's header (NLM_F_CAPPED) or the whole request")
    func words() throws {
        let text: [UInt8] = [9, 0, 1, 0] + Array("oops".utf8) + [0, 0, 0, 0]
        let capped = message(type: 2, flags: [0, 3], [0xea, 0xff, 0xff, 0xff] + header + text)
        #expect(try progress(capped) == .failed(22, "oops"))
        let quoted: [UInt8] = [20] + Array(repeating: 0, count: 19)
        let whole = message(type: 2, flags: [0, 2], [0xea, 0xff, 0xff, 0xff] + quoted + text)
        #expect(try progress(whole) == .failed(22, "oops"))
        var lying = quoted
        lying.replaceSubrange(0..<4, with: [0xff, 0xff, 0xff, 0xff])
        let lie = message(type: 2, flags: [0, 2], [0xea, 0xff, 0xff, 0xff] + lying + text)
        #expect(try progress(lie) == .failed(22, nil))
    }

    @Test("messages with another number are passed over")
    func sequence() throws {
        let stale = message(type: 2, sequence: 9, [0xef, 0xff, 0xff, 0xff] + header)
        #expect(try progress(stale) == .more)
        #expect(try progress(stale + message(type: 2, [0, 0, 0, 0] + header)) == .done)
    }

    @Test("a list goes on until NLMSG_DONE, which may carry an errno")
    func list() throws {
        var exchange = NetlinkExchange(sequence: 1)
        let item = message(type: 16, flags: [2, 0], header)
        #expect(try exchange.take((item + item)[...]) == .more)
        #expect(try exchange.take(item[...]) == .more)
        #expect(try exchange.take(message(type: 3, flags: [2, 0], [0, 0, 0, 0])[...]) == .done)
        #expect(exchange.messages.count == 3)
        #expect(!exchange.isInconsistent)
        #expect(try progress(message(type: 3, [0xf4, 0xff, 0xff, 0xff])) == .failed(12, nil))
        #expect(try progress(message(type: 3, [])) == .done)
    }

    @Test("a list that changed meanwhile is marked (NLM_F_DUMP_INTR)")
    func inconsistent() throws {
        var exchange = NetlinkExchange(sequence: 1)
        _ = try exchange.take(message(type: 3, flags: [0x12, 0], [0, 0, 0, 0])[...])
        #expect(exchange.isInconsistent)
    }

    @Test("a status that is no errno is refused", arguments: [[0, 0, 0, 0x80], [1, 0, 0, 0], [0, 0xf0, 0xff, 0xff]])
    func nonsense(status: [UInt8]) {
        let status = status == [0, 0xf0, 0xff, 0xff] ? [0xff, 0xef, 0xff, 0xff] : status
        #expect(throws: NetlinkMalformed.value) { try progress(message(type: 2, status + header)) }
    }

    @Test("an error message without a status is refused")
    func short() {
        #expect(throws: NetlinkMalformed.structure) { try progress(message(type: 2, [])) }
    }

    @Test("message lengths that lie", arguments: [0, 15, 21, 255, 65_535])
    func messageLength(length: Int) {
        var bytes = message(type: 16, [1, 2, 3, 4])
        bytes[0] = UInt8(length & 255)
        bytes[1] = UInt8(length >> 8)
        #expect(throws: NetlinkMalformed.message) { try NetlinkMessage.parse(bytes[...]) }
    }

    @Test("attribute lengths that lie", arguments: [UInt8(0), 3, 13, 255])
    func attributeLength(length: UInt8) {
        let bytes: [UInt8] = [length, 0, 1, 0, 1, 2, 3, 4]
        #expect(throws: NetlinkMalformed.attribute) { try NetlinkAttribute.parse(bytes[...]) }
    }

    @Test("a link")
    func link() throws {
        let attributes: [UInt8] =
            [9, 0, 3, 0] + Array("eth0".utf8) + [0, 0, 0, 0] + [8, 0, 4, 0, 0xdc, 5, 0, 0]
            + [12, 0, 18, 0x80] + [8, 0, 1, 0] + Array("tun".utf8) + [0]
        let bytes = message(type: 16, [0, 0, 0xfe, 0xff, 3, 0, 0, 0, 0x91, 0, 1, 0, 0, 0, 0, 0] + attributes)
        let parsed = try #require(try NetlinkMessage.parse(bytes[...]).first)
        let expected = NetworkLink(index: 3, name: "eth0", mtu: 1500, isUp: true, kind: "tun")
        #expect(try RouteMessages.parseLink(parsed) == expected)
    }

    @Test("an address and a route with impossible prefix lengths are refused")
    func prefixLength() throws {
        let address = message(type: 20, [2, 33, 0, 0, 1, 0, 0, 0])
        let route = message(type: 24, [2, 33, 0, 0, 254, 4, 253, 1, 0, 0, 0, 0])
        let messages = try NetlinkMessage.parse((address + route)[...])
        #expect(throws: NetlinkMalformed.value) { _ = try RouteMessages.parseAddress(messages[0]) }
        #expect(throws: NetlinkMalformed.value) { _ = try RouteMessages.parseRoute(messages[1]) }
    }

    @Test("no bytes trap, cut or changed", arguments: 0..<200)
    func hostile(seed: UInt64) {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
        func random(_ bound: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(bound))
        }
        var bytes =
            message(type: 16, header + [9, 0, 3, 0] + Array("eth0".utf8) + [0, 0, 0, 0, 8, 0, 4, 0, 0xdc, 5, 0, 0])
            + message(type: 20, [2, 24, 0, 0, 3, 0, 0, 0, 8, 0, 2, 0, 10, 0, 0, 1])
            + message(
                type: 24,
                [2, 16, 0, 0, 254, 4, 253, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 96, 0, 0, 8, 0, 4, 0, 3, 0, 0, 0]
            )
            + message(type: 2, flags: [0, 3], [0xea, 0xff, 0xff, 0xff] + header + [5, 0, 1, 0, 65, 0, 0, 0])
        for _ in 0..<random(6) { bytes[random(bytes.count)] = UInt8(random(256)) }
        let cut = bytes.dropFirst(random(4) * 4).prefix(random(bytes.count + 1))
        var exchange = NetlinkExchange(sequence: 1)
        _ = try? exchange.take(cut)
        for message in exchange.messages {
            _ = try? RouteMessages.parseLink(message)
            _ = try? RouteMessages.parseAddress(message)
            _ = try? RouteMessages.parseRoute(message)
        }
    }
}
