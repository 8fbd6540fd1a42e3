import Devices
import Glibc
import Testing
import Wire

@Suite("TUN interfaces", .enabled(if: Live.isPossible, Live.reason))
struct TunInterfaceTests {
    private let address = InterfaceAddress(IPv4Address(10, 244, 0, 11))
    private let everything = IPv4Prefix(.any, length: 0)
    private let services = IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 16)

    private func configuration(_ name: String = "eth0") -> TunConfiguration {
        TunConfiguration(name: name, addresses: [address], mtu: 1400, routes: [everything, services])
    }

    private func links(of namespace: borrowing NetworkNamespace) throws(SystemError) -> [String] {
        var socket = try RouteSocket(in: namespace)
        return try socket.links().map(\.name).sorted()
    }

    @Test("one is made as configured, in its namespace and nowhere else; closing it removes it")
    func created() throws {
        let namespace = try Live.namespace()
        let before = try links(of: namespace)
        var socket = try RouteSocket(in: namespace)
        do {
            let interface = try TunInterface.create(configuration("culvt-made"), in: namespace)
            let (identity, ipv6) = (interface.identity, interface.ipv6)
            let link = try #require(try socket.link(named: "culvt-made"))
            #expect(link == NetworkLink(index: identity.index, name: "culvt-made", mtu: 1400, isUp: true, kind: "tun"))
            let addresses = try socket.addresses(ofLink: link.index)
            #expect(addresses == [address])
            let routes = try socket.routes(throughLink: link.index)
            #expect(Set(routes.map(\.destination)) == [everything, services])
            // Otherwise /proc/sys is read-only, as in most containers, or there is no IPv6.
            let isWritable = unsafe access("/proc/sys/net/ipv6/conf/all/disable_ipv6", W_OK) == 0
            #expect(isWritable ? ipv6 == .disabled : ipv6 != nil)
            let all = try links(of: namespace)
            #expect(all == (before + ["culvt-made"]).sorted())
            let parent = try links(of: NetworkNamespace())
            #expect(!parent.contains("culvt-made"))
            _ = consume interface
        }
        let after = try links(of: namespace)
        #expect(after == before)
    }

    @Test("IPv6 is off before the interface is up: nothing comes unasked")
    func quiet() throws {
        let namespace = try Live.namespace()
        var silent = configuration()
        silent.routes = [services]
        let interface = try TunInterface.create(silent, in: namespace)
        // A router solicitation would come within a second (RFC 4861 section 6.3.7), a report at once.
        let isReadable = try becomesReadable(interface.queue.pollDescriptor, milliseconds: 1200)
        #expect(!isReadable)

        // The same with IPv6, to be sure that something would have come.
        guard interface.ipv6 != .absent else { return }
        var noisy = configuration("eth1")
        (noisy.routes, noisy.allowsIPv6) = ([], true)
        let other = try TunInterface.create(noisy, in: namespace)
        let isNoisy = try becomesReadable(other.queue.pollDescriptor, milliseconds: 5000)
        #expect(isNoisy)
    }

    @Test("address generation can be switched off instead of IPv6 as a whole")
    func addressGeneration() throws {
        let namespace = try Live.namespace()
        let queue = try TunQueue(.creating, name: "eth0", in: namespace)
        var socket = try RouteSocket(in: namespace)
        let link = try #require(try socket.link(named: "eth0"))
        do throws(SystemError) {
            try socket.disableIPv6AddressGeneration(of: link)
        } catch {
            try #require(error.code == EAFNOSUPPORT)
        }
        try socket.setUp(true, link)
        let isReadable = try becomesReadable(queue.pollDescriptor, milliseconds: 1200)
        #expect(!isReadable)
    }

    @Test("a datagram goes out through it, and the answer comes in")
    func packets() throws {
        let namespace = try Live.namespace()
        let interface = try TunInterface.create(configuration(), in: namespace)
        var queue = interface.takeQueue()
        let peer = IPv4Address(10, 96, 0, 1)
        let socket = try UDPSocket(in: namespace, address: address.address, port: 40_000)
        try socket.send([1, 2, 3], to: peer, port: 53)

        #expect(try becomesReadable(queue.pollDescriptor))
        var buffer = Buffer()
        let frame = try #require(try buffer.read(&queue))
        let expected = udp(from: (address.address, 40_000), to: (peer, 53), payload: [1, 2, 3])
        #expect(frame.count == expected.count)
        #expect(frame[0] == 0x45)
        #expect(frame[12..<20] == expected[12..<20])
        #expect(frame[20..<26] == expected[20..<26])
        #expect(frame.suffix(3) == [1, 2, 3])
        #expect(try buffer.result(of: &queue) == .empty)

        let answer = udp(from: (peer, 53), to: (address.address, 40_000), payload: [4, 5])
        #expect(try queue.write(answer) == .sent)
        #expect(try becomesReadable(socket.number))
        let received = try socket.receive()
        #expect(received == [4, 5])
    }

    @Test("a name in use is an error that names it, and leaves its owner alone")
    func inUse() throws {
        let namespace = try Live.namespace("web-1")
        let first = try TunInterface.create(configuration(), in: namespace)
        let before = try links(of: namespace)
        for name in ["eth0", "lo"] {
            let error = try #require(throws: SystemError.self) {
                _ = try TunInterface.create(configuration(name), in: namespace)
            }
            #expect("\(error)" == "interface \(name) exists already in namespace web-1 (TUNSETIFF: EBUSY)")
        }
        let after = try links(of: namespace)
        #expect(after == before)
        _ = consume first
    }

    @Test("a failed start leaves nothing, wherever it fails")
    func failures() throws {
        let namespace = try Live.namespace("web-1")
        let before = try links(of: namespace)
        var wide = configuration()
        wide.mtu = 70_000
        var twice = configuration()
        twice.routes = [services, services]
        var same = configuration()
        same.addresses = [address, address]
        same.isPersistent = true
        var header = configuration()
        header.options = TunOptions(headerSize: 3)
        let cases: [(TunConfiguration, SystemError.Call)] = [
            (wide, .setLink), (twice, .addRoute), (same, .addAddress), (header, .tunSetHeaderSize),
            (configuration("bad/name"), .tunSetInterface),
        ]
        for (configuration, call) in cases {
            let error = try #require(throws: SystemError.self) {
                _ = try TunInterface.create(configuration, in: namespace)
            }
            #expect(error.call == call)
            let after = try links(of: namespace)
            #expect(after == before)
        }
        let error = try #require(throws: SystemError.self) { _ = try TunInterface.create(twice, in: namespace) }
        #expect(
            "\(error)".hasPrefix(
                "route 10.96.0.0/16 through interface eth0 in namespace web-1: File exists (RTM_NEWROUTE: EEXIST"
            )
        )
    }

    @Test("a persistent one is found again, brought to a new configuration, and deleted")
    func persistent() throws {
        let namespace = try Live.namespace()
        let before = try links(of: namespace)
        var first = configuration()
        first.isPersistent = true
        let identity = try TunInterface.create(first, in: namespace).identity
        var socket = try RouteSocket(in: namespace)
        #expect(try socket.link(named: "eth0")?.index == identity.index)

        var second = first
        second.mtu = 1300
        second.addresses = [InterfaceAddress(IPv4Address(10, 244, 0, 12), prefixLength: 24)]
        second.routes = [everything]
        do {
            let interface = try TunInterface.attach(to: identity, second, in: namespace)
            let busy = try #require(throws: SystemError.self) {
                _ = try TunInterface.attach(to: identity, second, in: namespace)
            }
            #expect("\(busy)" == "interface eth0 in namespace test is in use already (TUNSETIFF: EBUSY)")
            let link = try #require(try socket.link(named: "eth0"))
            let addresses = try socket.addresses(ofLink: link.index)
            let routes = try socket.routes(throughLink: link.index).filter { $0.origin != 2 }.map(\.destination)
            #expect(link.mtu == 1300 && link.isUp && link.index == identity.index)
            #expect(addresses == second.addresses)
            #expect(routes == [everything])
            _ = consume interface
        }
        #expect(try socket.link(named: "eth0") != nil)

        let other = TunIdentity(namespaceInode: identity.namespaceInode, index: identity.index + 1, name: "eth0")
        let error = try #require(throws: SystemError.self) {
            _ = try TunInterface.attach(to: other, second, in: namespace)
        }
        #expect(error.code == ENODEV)
        let elsewhere = TunIdentity(namespaceInode: 1, index: identity.index, name: "eth0")
        for wrong in [other, elsewhere] {
            let isDeleted = try TunInterface.delete(wrong, in: namespace)
            #expect(!isDeleted)
        }
        let isDeleted = try TunInterface.delete(identity, in: namespace)
        let isDeletedAgain = try TunInterface.delete(identity, in: namespace)
        #expect(isDeleted && !isDeletedAgain)
        let missing = try #require(throws: SystemError.self) {
            _ = try TunInterface.attach(to: identity, second, in: namespace)
        }
        #expect("\(missing)" == "interface eth0 in namespace test does not exist (RTM_GETLINK: ENODEV)")
        let after = try links(of: namespace)
        #expect(after == before)
    }

    @Test("attaching without persistence lets the interface go with its queue")
    func released() throws {
        let namespace = try Live.namespace()
        var settings = configuration()
        settings.isPersistent = true
        let identity = try TunInterface.create(settings, in: namespace).identity
        settings.isPersistent = false
        _ = try TunInterface.attach(to: identity, settings, in: namespace)
        let names = try links(of: namespace)
        #expect(!names.contains("eth0"))
    }
}
