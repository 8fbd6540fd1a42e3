internal import Datapath
internal import Wire

/// Random traffic for property tests: conversations that make sense, packets that do not, and mutations of both.
package struct Traffic {
    package var generator: TestGenerator
    private var now = 0.0
    private var waiting: [Feed] = []
    private static let clients = [
        World.client, World.backend, World.outside, World.outOfRange, World.node, World.router,
    ]
    private static let targets: [(IPv4Address, [UInt16])] = [
        (World.vip, [80, 53, 81]), (World.node, [30080, 30053, 30081, 30082, 30083, 22]), (World.emptyVIP, [80]),
        (World.localVIP, [80, 8000]), (World.loadBalancer, [80, 83, 8080]), (World.externalIP, [80]),
        (World.unallocated, [80]), (World.backend, [8080, 5353, 7]), (World.outside, [443, 53]),
        (World.remoteBackend, [8080]), (World.dns, [53, 53, 80]),
    ]

    package init(seed: Int) { generator = TestGenerator(seed: seed) }

    /// The next `count` packets, with times that never go back.
    package mutating func feeds(_ count: Int) -> [Feed] {
        var made: [Feed] = []
        while made.count < count {
            if generator.chance(60) { now += Double(generator.pick(0..<1000)) / 1000 }
            if generator.chance(1) { now += Double(generator.pick(0..<400)) }
            if generator.chance(20) && !waiting.isEmpty {
                made.append(stamped(waiting.remove(at: generator.pick(0..<waiting.count))))
                continue
            }
            var feed = Feed(packet())
            if generator.chance(15) { mutate(&feed) }
            if generator.chance(3) { feed.ingress = UInt16(generator.pick(0..<3)) }
            if generator.chance(2) { cut(&feed) }
            made.append(stamped(feed))
        }
        return made
    }

    private func stamped(_ feed: Feed) -> Feed {
        var feed = feed
        feed.now = Feed([], at: now).now
        return feed
    }

    private mutating func packet() -> [UInt8] {
        let client = generator.pick(Self.clients)
        let (target, ports) = generator.pick(Self.targets)
        // Few ports, so that flows meet again.
        let port = UInt16(generator.pick([1000, 30100, 40000]) + generator.pick(0..<3))
        let targetPort = generator.pick(ports)
        let (from, fromPort, to, toPort) =
            generator.chance(35) ? (target, targetPort, client, port) : (client, port, target, targetPort)
        let flags = generator.pick([TCPFlags.syn, .syn, [.syn, .ack], .ack, [.psh, .ack], [.fin, .ack], .rst])
        let payload = targetPort == 53 && generator.chance(50) ? query() : generator.bytes(generator.pick(0..<40))
        let lifetime = UInt8(generator.pick([64, 64, 64, 64, 64, 2, 1, 0]))
        let options: [UInt8] = generator.chance(10) ? [148, 4, 0, 0, 7, 3, 4, 0] : []
        let change: (inout PacketBuilder) -> Void = {
            $0.timeToLive = lifetime
            $0.options = options
        }
        switch generator.pick(0..<12) {
        case 0..<5: return tcp(from, fromPort, to: to, toPort, flags, payload: payload, change)
        case 5..<8: return udp(from, fromPort, to: to, toPort, payload: payload, checksum: generator.chance(80), change)
        case 8:
            return echo(
                from,
                to: to,
                generator.chance(50) ? .echoRequest : .echoReply,
                identifier: port,
                payload: payload,
                change
            )
        case 9: return fragments(from, fromPort, to, toPort)
        case 10:
            let long = generator.bytes(generator.pick(1400..<4000))
            return udp(from, fromPort, to: to, toPort, payload: long) {
                $0.flagsAndOffset = lifetime == 64 ? 0 : FragmentField.doNotFragmentBit
            }
        default:
            // Half of them about what a flow may have sent to a backend.
            let sender = generator.chance(50) ? client : World.node
            let about =
                generator.chance(50)
                ? udp(to, toPort, to: from, fromPort)
                : generator.chance(50)
                    ? udp(sender, port, to: World.backend, 5353) : tcp(sender, port, to: World.backend, 8080)
            let reporter = generator.chance(50) ? World.router : from
            let listener = generator.chance(50) ? to : sender
            return icmpError(
                reporter,
                to: listener,
                code: 1,
                about: about,
                count: generator.pick([28, 28, 31, 20, 10]),
                change
            )
        }
    }

    private mutating func query() -> [UInt8] {
        let name = generator.pick(["web.default.svc.cluster.local", "no.svc.cluster.local", "many.svc.cluster.local"])
        return DNSQuestion(name, payloadSize: generator.chance(50) ? 4096 : nil).bytes
    }

    /// The first-come fragment of a datagram; the others come later, in any order, some twice, some never.
    private mutating func fragments(
        _ from: IPv4Address,
        _ fromPort: UInt16,
        _ to: IPv4Address,
        _ toPort: UInt16
    ) -> [UInt8] {
        var parts = udpFragments(
            from,
            fromPort,
            to: to,
            toPort,
            payload: generator.bytes(generator.pick(20..<2500)),
            size: generator.pick([24, 200, 1480]),
            identification: UInt16(generator.pick(0..<50))
        )
        parts.shuffle(using: &generator)
        if generator.chance(20) { parts.append(parts[0]) }
        if generator.chance(20) { parts.removeLast() }
        guard let first = parts.popLast() else { return [] }
        waiting += parts.map { Feed($0) }
        return first
    }

    /// Changes bytes; the header checksum is mostly made right again, so that the change is seen.
    private mutating func mutate(_ feed: inout Feed) {
        guard !feed.bytes.isEmpty else { return }
        for _ in 0..<generator.pick(1..<4) {
            let place = generator.pick(0..<min(feed.bytes.count, 48))
            feed.bytes[place] =
                generator.chance(50) ? feed.bytes[place] ^ (1 << UInt8(generator.pick(0..<8))) : generator.bytes(1)[0]
        }
        if generator.chance(10) { feed.bytes.removeLast(generator.pick(0..<feed.bytes.count)) }
        if generator.chance(80) && feed.bytes.count >= 20 { feed.bytes = withHeaderChecksum(feed.bytes) }
    }

    /// Cuts a packet as a capture with a short snaplen does.
    private mutating func cut(_ feed: inout Feed) {
        feed.wireLength = feed.bytes.count
        feed.bytes = Array(feed.bytes.prefix(generator.pick(10..<80)))
        if feed.bytes.count < feed.wireLength ?? 0 { feed.marks = .truncated }
    }
}
