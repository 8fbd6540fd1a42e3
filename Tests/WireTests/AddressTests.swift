import TestSupport
import Testing
import Wire

@Suite("Addresses and prefixes")
struct AddressTests {
    @Test(
        "the dotted form is read and written",
        arguments: [("0.0.0.0", UInt32(0)), ("255.255.255.255", .max), ("10.0.0.1", 0x0a00_0001), ("1.20.300.4", 0)]
    )
    func dotted(text: String, bits: UInt32) {
        let address = IPv4Address(text)
        if text.contains("300") {
            #expect(address == nil)
        } else {
            #expect(address?.bits == bits)
            #expect(address?.description == text)
        }
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", ".", "...", "1", "1.2", "1.2.3", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4.", "1.2.3.4.5", " 1.2.3.4",
            "1.2.3.4 ", "1.2.3.4\n", "01.2.3.4", "1.2.3.04", "00.0.0.0", "1.2.3.256", "1.2.3.1000", "-1.2.3.4",
            "+1.2.3.4", "0x1.2.3.4", "1.2.3.4/8", "1,2,3,4", "１.2.3.4", "1.2.3.4\u{0}", "::1", "a.b.c.d",
            "99999999999999999999.1.1.1", "1.2.3.4294967296", "1.2.3.4\u{301}",
        ]
    )
    func hostile(text: String) { #expect(IPv4Address(text) == nil) }

    @Test("writing and reading are inverse", arguments: 0..<10)
    func roundTrip(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<200 {
            let address = generator.address()
            #expect(IPv4Address(address.description) == address)
        }
    }

    @Test("random strings never trap, and what is accepted is written the same way", arguments: 0..<20)
    func randomText(seed: Int) {
        var generator = TestGenerator(seed: seed)
        let alphabet = Array("0123456789....//  -+x\u{e9}\u{0}")
        for _ in 0..<500 {
            let text = String((0..<generator.pick(0..<20)).map { _ in generator.pick(alphabet) })
            if let address = IPv4Address(text) { #expect(address.description == text) }
            if let prefix = IPv4Prefix(text) { #expect(prefix.description == text) }
        }
    }

    @Test("special blocks begin and end where their RFCs say")
    func blocks() {
        let edges: [(String, (IPv4Address) -> Bool, String, String)] = [
            ("loopback", \.isLoopback, "127.0.0.0", "127.255.255.255"),
            ("multicast", \.isMulticast, "224.0.0.0", "239.255.255.255"),
            ("link-local", \.isLinkLocal, "169.254.0.0", "169.254.255.255"),
            ("reserved", \.isReserved, "240.0.0.0", "255.255.255.255"),
            ("this network", \.isThisNetwork, "0.0.0.0", "0.255.255.255"),
        ]
        for (name, lies, first, last) in edges {
            guard let first = IPv4Address(first), let last = IPv4Address(last) else {
                Issue.record("\(name): the edges do not parse")
                continue
            }
            #expect(lies(first) && lies(last), "\(name)")
            if first.bits > 0 { #expect(!lies(IPv4Address(bits: first.bits - 1)), "\(name)") }
            if last.bits < .max { #expect(!lies(IPv4Address(bits: last.bits + 1)), "\(name)") }
        }
    }

    @Test("prefixes are read, also with host bits where these are allowed")
    func prefixes() {
        #expect(IPv4Prefix("10.244.0.0/16")?.description == "10.244.0.0/16")
        #expect(IPv4Prefix("0.0.0.0/0")?.contains(.broadcast) == true)
        #expect(IPv4Prefix("10.0.0.1/32")?.count == 1)
        #expect(IPv4Prefix("0.0.0.0/0")?.count == 1 << 32)
        #expect(IPv4Prefix("10.244.1.0/16") == nil)
        #expect(IPv4Prefix("10.244.1.0/16", allowingHostBits: true)?.description == "10.244.0.0/16")
        #expect(IPv4Prefix(IPv4Address(1, 2, 3, 4), length: 200).length == 32)
    }

    @Test(
        "anything else is no prefix",
        arguments: [
            "", "/", "10.0.0.0", "10.0.0.0/", "/8", "10.0.0.0/33", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/-1",
            "10.0.0.0/8/8", "10.0.0.0/256", "10.0.0.0/264", "10.0.0.0/ 8", "10.0.0.0/8 ", "10.0.0/8", "::/0",
            "10.0.0.0/255.0.0.0", "10.0.0.0/٨",
        ]
    )
    func hostilePrefix(text: String) { #expect(IPv4Prefix(text) == nil) }

    @Test("membership agrees with a comparison of leading bits", arguments: 0..<20)
    func contains(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<200 {
            let prefix = IPv4Prefix(generator.address(), length: UInt8(generator.pick(0..<33)))
            var other = generator.address()
            if generator.chance(50) { other.bits = prefix.address.bits ^ (1 << UInt32(generator.pick(0..<32))) }
            let differing: UInt32 = prefix.address.bits ^ other.bits
            let isSame = differing.leadingZeroBitCount >= Int(prefix.length)
            #expect(prefix.contains(other) == isSame)
            #expect(prefix.contains(prefix.address) && prefix.contains(prefix.last))
            let wider = IPv4Prefix(other, length: UInt8(generator.pick(0..<33)))
            let overlaps = prefix.address.bits <= wider.last.bits && wider.address.bits <= prefix.last.bits
            #expect(prefix.overlaps(wider) == overlaps)
        }
    }
}
