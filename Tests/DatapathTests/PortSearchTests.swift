import Datapath
import TestSupport
import Testing
import Wire

@Suite("The search for free ports")
struct PortSearchTests {
    typealias W = World

    private func client(_ number: Int) -> IPv4Address {
        IPv4Address(bits: IPv4Address(203, 0, 113, 0).bits + 0x1000 + UInt32(number))
    }

    private func world(_ capacity: Int, seed: UInt64 = 1) -> World {
        var world = World()
        world.configuration.conntrackCapacity = capacity
        world.configuration.halfOpenPerSource = capacity
        world.configuration.seed = seed
        return world
    }

    private func port(_ treatment: Treatment) -> UInt16? { treatment.only.flatMap { Dissection($0.bytes)?.sourcePort } }

    private func isUsable(_ port: UInt16) -> Bool { port >= 1024 && !(30000...32767).contains(port) && port != 8443 }

    @Test("5,000 clients with one source port: 5,000 outer tuples, and every reply reaches its own client")
    func oneSourcePort() {
        let harness = DatapathHarness(world(8192), batchSize: 64)
        let treatments = harness.send((0..<5000).map { Feed(udp(client($0), 50000, to: W.node, 30053)) })
        let ports = treatments.compactMap(port)
        #expect(Set(ports).count == 5000 && ports.allSatisfy(isUsable))
        let replies = harness.send(ports.map { Feed(udp(W.backend, 5353, to: W.node, $0)) })
        var wrong = 0
        for (number, reply) in replies.enumerated() where reply.packet.translated.destination != client(number) {
            wrong += 1
        }
        #expect(wrong == 0 && replies.allSatisfy { $0.packet.translated.destinationPort == 50000 })
        #expect(harness.sharedTuples.isEmpty && harness.pipeline.counters.portsChanged == 4999)
    }

    /// A NodePort with two backends, as kube-proxy would serve it.
    private func twoBackends(_ capacity: Int) -> World {
        var world = world(capacity)
        let pair = [W.backend, W.otherBackend].map { Backend(address: $0, port: 7000, isLocal: true) }
        world.add("default/pair:x", pair, pair) { port, rules in
            rules.frontends.append(
                .init(kind: .nodePort, address: W.node, port: 30070, transport: .udp, servicePort: port)
            )
        }
        return world
    }

    @Test("60,000 flows from four clients to one NodePort with two backends: all work, none is misdelivered")
    func manyFlows() {
        let harness = DatapathHarness(twoBackends(65536), batchSize: 64)
        let feeds = (0..<60000).map { Feed(udp(client($0 % 4), UInt16(1024 + $0 / 4), to: W.node, 30070)) }
        let treatments = harness.send(feeds)
        #expect(treatments.allSatisfy { $0.verdict == .forward })
        let replies = harness.send(
            treatments.map { treatment in
                let sent = treatment.packet.translated
                return Feed(udp(sent.destination, sent.destinationPort, to: sent.source, sent.sourcePort))
            }
        )
        var wrong = 0
        for (asked, reply) in zip(treatments, replies) {
            let (from, to) = (asked.packet.tuple, reply.packet.translated)
            if to.destination != from.source || to.destinationPort != from.sourcePort || to.sourcePort != 30070 {
                wrong += 1
            }
        }
        #expect(wrong == 0)
        #expect(harness.sharedTuples.isEmpty && harness.flows.count == 60000)
    }

    @Test("20,000 connections to two Services and to their backend, with overlapping ports: none is misdelivered")
    func clashes() {
        let harness = DatapathHarness(world(32768), batchSize: 64)
        let targets = [(W.vip, UInt16(80)), (W.localVIP, 8000), (W.backend, 8080)]
        let feeds = (0..<20000).map { number in
            let (address, port) = targets[number % 3]
            return Feed(tcp(W.client, UInt16(1024 + number / 3), to: address, port))
        }
        let treatments = harness.send(feeds)
        #expect(treatments.allSatisfy { $0.verdict == .forward || $0.verdict == .pass })
        #expect(treatments.allSatisfy { $0.packet.translated.source == W.client && !$0.packet.masquerade })
        let replies = harness.send(
            treatments.map { Feed(tcp(W.backend, 8080, to: W.client, $0.packet.translated.sourcePort, [.syn, .ack])) }
        )
        var wrong = 0
        for (asked, reply) in zip(treatments, replies) where reply.packet.translated != asked.packet.tuple.reversed {
            wrong += 1
        }
        #expect(wrong == 0 && harness.sharedTuples.isEmpty)
    }

    /// Fills one destination from many clients, all with one port, so that every port has to be searched.
    private func fill(_ harness: DatapathHarness, _ count: Int, from first: Int = 0, at seconds: Double = 0) -> [UInt16]
    {
        harness.send((first..<first + count).map { Feed(udp(client($0), 999, to: W.node, 30053), at: seconds) })
            .compactMap(port)
    }

    @Test("every port is given away, each once; then the flow is refused; what ends gives its port back")
    func allPorts() {
        let usable = (1024...65535).count(where: { isUsable(UInt16($0)) })
        let harness = DatapathHarness(world(131_072), batchSize: 64)
        var ports = fill(harness, usable)
        #expect(ports.count == usable && Set(ports).count == usable && ports.allSatisfy(isUsable))
        let before = harness.pipeline.counters[.snatPortsExhausted]
        #expect(before == 0)
        #expect(harness.isPortMapRight && harness.portMapCount == 1)
        for number in 0..<100 {
            let refused = harness.send(udp(client(70000 + number), 999, to: W.node, 30053))
            #expect(refused.summary == "drop snat.ports_exhausted new")
        }
        // Another backend, and another protocol, have ports of their own.
        #expect(harness.send(tcp(client(1), 999, to: W.node, 30080)).verdict == .forward)
        // Refreshed flows live on; the others end, and their ports are found.
        harness.send(ports.prefix(usable - 5).map { Feed(udp(W.backend, 5353, to: W.node, $0), at: 20) })
        let free = Set(ports.suffix(5))
        ports = fill(harness, 5, from: 80000, at: 31)
        #expect(Set(ports) == free)
        #expect(harness.send(udp(client(90000), 999, to: W.node, 30053), at: 31).verdict == .drop)
        #expect(harness.isPortMapRight && harness.sharedTuples.isEmpty)
        // At the end of all of them the map goes too.
        harness.idle(until: 1000)
        #expect(harness.flows.isEmpty && harness.portMapCount == 0)
    }

    @Test("a map agrees with the table after any mixture of beginnings and ends", arguments: 0..<3)
    func model(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var world = world(8192, seed: UInt64(seed + 1))
        world.configuration.nodePortRange = 2024...65535
        let harness = DatapathHarness(world, batchSize: 7)
        var now = 0.0
        var next = 0
        var wasCrowded = false
        for _ in 0..<60 {
            let ports = fill(harness, generator.pick(0..<200), from: next, at: now)
            next += 200
            // Some are answered, and stay longer.
            harness.send(
                ports.filter { _ in generator.chance(50) }.map { Feed(udp(W.backend, 5353, to: W.node, $0), at: now) }
            )
            // Connections of the backend itself take tuples that answers would have.
            let taken = UInt16(generator.pick(1024..<2024))
            harness.send(udp(W.backend, 5353, to: W.node, taken), at: now)
            wasCrowded = wasCrowded || harness.portMapCount > 0
            #expect(harness.isPortMapRight && harness.sharedTuples.isEmpty)
            now += Double(generator.pick(0..<20))
        }
        #expect(wasCrowded)
    }

    @Test("without a map the search still finds every port")
    func noMapLeft() {
        // 40 ports only, and a table that has three maps.
        var crowded = world(4096)
        crowded.configuration.nodePortRange = 1064...65535
        let backends = (1...6).map { Backend(address: IPv4Address(10, 244, 3, UInt8($0)), port: 9, isLocal: true) }
        for (number, backend) in backends.enumerated() {
            crowded.add("default/b\(number):x", [backend], [backend]) { port, rules in
                rules.frontends.append(
                    .init(
                        kind: .nodePort,
                        address: W.node,
                        port: UInt16(30000 + number),
                        transport: .udp,
                        servicePort: port
                    )
                )
            }
        }
        let many = DatapathHarness(crowded)
        for number in 0..<6 {
            let ports = (0..<40).map { many.send(udp(client($0), 999, to: W.node, UInt16(30000 + number))) }.compactMap(
                port
            )
            #expect(Set(ports).count == 40, "destination \(number)")
            let refused = many.send(udp(client(99), 999, to: W.node, UInt16(30000 + number)))
            #expect(refused.summary == "drop snat.ports_exhausted new")
        }
        #expect(many.portMapCount <= 3 && many.sharedTuples.isEmpty)
    }

    @Test("ports are drawn at random: no longer runs than chance has, and another seed draws others")
    func randomness() {
        func drawn(_ seed: UInt64) -> [UInt16] { fill(DatapathHarness(world(4096, seed: seed)), 1000) }
        let ports = drawn(1)
        #expect(ports == drawn(1) && ports != drawn(2))
        // Neighbours in time that are neighbours in number: half a pair of 999 is expected.
        let steps = zip(ports, ports.dropFirst()).count { abs(Int($0) - Int($1)) <= 16 }
        #expect(steps <= 6)
        // Runs up and runs down: of random numbers a third of the steps turns at least; no run is longer than 9.
        var (longest, run) = (1, 1)
        for place in 2..<ports.count {
            let rose = ports[place] > ports[place - 1]
            run = rose == (ports[place - 1] > ports[place - 2]) ? run + 1 : 1
            longest = max(longest, run)
        }
        #expect(longest < 10)
        // Eight equal parts of the range get their share: chi squared of 7 degrees of freedom, p = 0.001 is 24.3.
        let usable = (UInt16(1024)...65535).filter(isUsable)
        var parts = [Int](repeating: 0, count: 8)
        for port in ports { parts[(usable.firstIndex(of: port) ?? 0) * 8 / usable.count] += 1 }
        let chi = parts.reduce(0.0) { $0 + (Double($1) - 125) * (Double($1) - 125) / 125 }
        #expect(chi < 24.3)
    }
}
