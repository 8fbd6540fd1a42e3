import Devices
import Glibc
import Testing
import Wire

@Suite("TUN queues", .enabled(if: Live.isPossible, Live.reason))
struct TunQueueTests {
    private let address = InterfaceAddress(IPv4Address(10, 0, 0, 1), prefixLength: 24)
    private let peer = IPv4Address(10, 0, 0, 2)

    private func configuration(_ options: TunOptions = TunOptions()) -> TunConfiguration {
        TunConfiguration(name: "eth0", addresses: [address], options: options)
    }

    @Test("what is no IP datagram is refused, and so is nothing at all")
    func refused() throws {
        let namespace = try Live.namespace()
        let interface = try TunInterface.create(configuration(), in: namespace)
        var queue = interface.takeQueue()
        #expect(try queue.write([0, 0, 0, 0]) == .refused)
        #expect(try queue.write([]) == .refused)
        #expect(try queue.write(udp(from: (peer, 1), to: (address.address, 2), payload: [])) == .sent)
    }

    @Test("down and deleted are told apart")
    func states() throws {
        let namespace = try Live.namespace()
        let interface = try TunInterface.create(configuration(), in: namespace)
        var queue = interface.takeQueue()
        let datagram = udp(from: (peer, 1), to: (address.address, 2), payload: [1])
        var socket = try RouteSocket(in: namespace)
        let link = try #require(try socket.link(named: "eth0"))
        var buffer = Buffer()

        try socket.setUp(false, link)
        #expect(try queue.write(datagram) == .down)
        #expect(try buffer.result(of: &queue) == .empty)
        try socket.setUp(true, link)
        #expect(try queue.write(datagram) == .sent)

        try socket.delete(link)
        #expect(try queue.write(datagram) == .gone)
        #expect(try buffer.result(of: &queue) == .gone)
        var epoll = try Epoll()
        try epoll.add(queue.pollDescriptor, token: 1)
        #expect(try epoll.wait(milliseconds: 0) == 1)
        #expect(epoll[0].isFailed)
    }

    @Test("a buffer without room takes nothing, and that is no end of file")
    func room() throws {
        let namespace = try Live.namespace()
        let interface = try TunInterface.create(configuration(), in: namespace)
        var queue = interface.takeQueue()
        var none = Buffer(count: 0)
        #expect(try none.result(of: &queue) == .empty)
    }

    @Test("several queues share an interface, and each takes frames")
    func multiQueue() throws {
        let namespace = try Live.namespace()
        let interface = try TunInterface.create(configuration(TunOptions(multiQueue: true)), in: namespace)
        var second = try interface.openQueue(in: namespace)
        var first = interface.takeQueue()
        let socket = try UDPSocket(in: namespace, address: address.address, port: 53)
        #expect(try first.write(udp(from: (peer, 1), to: (address.address, 53), payload: [1])) == .sent)
        #expect(try second.write(udp(from: (peer, 2), to: (address.address, 53), payload: [2])) == .sent)
        var received: [[UInt8]] = []
        for _ in 0..<2 where try becomesReadable(socket.number) { received.append(try socket.receive()) }
        #expect(received == [[1], [2]])
    }

    @Test("a queue with a virtio-net header leaves checksums to its reader")
    func header() throws {
        let namespace = try Live.namespace()
        let options = TunOptions(headerSize: 10, offloads: [.checksum, .tcp4, .udp])
        let interface = try TunInterface.create(configuration(options), in: namespace)
        let offloads = interface.queue.offloads
        #expect(offloads.isSuperset(of: [.checksum, .tcp4]))
        #expect(interface.queue.headerSize == 10)
        var queue = interface.takeQueue()
        let socket = try UDPSocket(in: namespace, address: address.address, port: 40_000)
        try socket.send([7, 8], to: peer, port: 53)
        #expect(try becomesReadable(queue.pollDescriptor))
        var buffer = Buffer()
        let frame = try #require(try buffer.read(&queue))
        // VIRTIO_NET_HDR_F_NEEDS_CSUM, no segmentation, checksum of what follows the IPv4 header at byte 6 of it.
        #expect(Array(frame[..<2]) == [1, 0])
        #expect(Array(frame[6..<10]) == [20, 0, 6, 0])
        #expect(frame.count == 10 + 28 + 2)

        let answer = udp(from: (peer, 53), to: (address.address, 40_000), payload: [9])
        #expect(try queue.write(Array(repeating: 0, count: 10) + answer) == .sent)
        #expect(try becomesReadable(socket.number))
        let received = try socket.receive()
        #expect(received == [9])
        #expect(try queue.write([1, 2, 3]) == .refused)
    }

    /// A datagram of `size` times `count` bytes that is to be cut, behind its header.
    private func superpacket(size: Int, count: Int) -> [UInt8] {
        var bytes = udp(
            from: (peer, 53),
            to: (address.address, 40_000),
            payload: (0..<size * count).map { UInt8($0 / size) }
        )
        let sum = Checksum.pseudoHeader(
            source: peer,
            destination: address.address,
            transport: 17,
            length: bytes.count - 20
        )
        bytes[26] = UInt8(sum >> 8)
        bytes[27] = UInt8(sum & 255)
        var header = VirtioNetHeader.plain
        header.needsChecksum = true
        header.segmentation = .udp
        header.headerLength = 28
        header.segmentSize = UInt16(size)
        header.checksumStart = 20
        header.checksumOffset = 6
        var raw = [UInt8](repeating: 0, count: 10)
        withMutableBytes(of: &raw) { header.write(to: &$0) }
        return raw + bytes
    }

    @Test("datagrams in one frame are received one by one")
    func datagrams() throws {
        let namespace = try Live.namespace()
        let options = TunOptions(headerSize: 10, offloads: [.checksum, .tcp4, .tcpECN, .udp])
        let interface = try TunInterface.create(configuration(options), in: namespace)
        guard interface.queue.offloads.contains(.udp) else { return }
        var queue = interface.takeQueue()
        let socket = try UDPSocket(in: namespace, address: address.address, port: 40_000)
        #expect(try queue.write(superpacket(size: 100, count: 5)) == .sent)
        for number in 0..<5 {
            #expect(try becomesReadable(socket.number))
            let received = try socket.receive()
            #expect(received == [UInt8](repeating: UInt8(number), count: 100))
        }
    }

    @Test("a persistent interface takes the offloads of each new queue, and keeps none of an earlier one")
    func takenOver() throws {
        let namespace = try Live.namespace()
        var old = configuration()
        old.isPersistent = true
        let identity = try TunInterface.create(old, in: namespace).identity
        var answers: [[UInt8]] = []
        for offloads in [[.checksum, .tcp4, .tcpECN, .udp], [], [.checksum]] as [TunOffloads] {
            var next = old
            next.options = TunOptions(headerSize: 10, offloads: offloads)
            let interface = try TunInterface.attach(to: identity, next, in: namespace)
            var queue = interface.takeQueue()
            let socket = try UDPSocket(in: namespace, address: address.address, port: 40_000)
            try socket.send([7, 8], to: peer, port: 53)
            #expect(try becomesReadable(queue.pollDescriptor))
            var buffer = Buffer()
            let frame = try #require(try buffer.read(&queue))
            #expect(frame.count == 10 + 28 + 2)
            answers.append(Array(frame.prefix(1)))
        }
        #expect(answers == [[1], [0], [1]])
        _ = try TunInterface.delete(identity, in: namespace)
    }
}
