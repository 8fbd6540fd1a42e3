import Datapath
import TestSupport
import Testing
import Wire

/// RFC 6864 section 5.3.1: who shares an address must not mix up the datagrams of those who share it.
@Suite("Identification of fragments")
struct IdentificationTests {
    typealias W = World
    private let clients = [IPv4Address(203, 0, 113, 20), IPv4Address(203, 0, 113, 21)]

    private func payload(_ number: Int) -> [UInt8] {
        var generator = TestGenerator(seed: number)
        return generator.bytes(900)
    }

    private func parts(_ number: Int, identification: UInt16 = 99) -> [[UInt8]] {
        udpFragments(
            clients[number],
            50000,
            to: W.node,
            30053,
            payload: payload(number),
            size: 400,
            identification: identification
        )
    }

    /// Puts together what a backend receives, by source, destination, protocol and identification alone.
    private func reassembled(_ sent: [SentPacket]) -> [[UInt8]] {
        struct Key: Hashable {
            var source: IPv4Address
            var destination: IPv4Address
            var identification: UInt16
        }
        var queues: [Key: [[UInt8]]] = [:]
        for packet in sent {
            guard let seen = Dissection(packet.bytes) else { continue }
            let key = Key(source: seen.source, destination: seen.destination, identification: seen.identification)
            queues[key, default: []].append(packet.bytes)
        }
        return queues.values.compactMap { reassemble($0) }
    }

    @Test("two clients with one identification, interleaved in any order: the backend gets both", arguments: 0..<20)
    func twoClients(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var feeds = (parts(0) + parts(1)).map { Feed($0) }
        feeds.shuffle(using: &generator)
        for batchSize in [1, 64] {
            let harness = DatapathHarness(batchSize: batchSize)
            let sent = harness.send(feeds).flatMap(\.sent)
            #expect(sent.count == 6 && sent.allSatisfy { issues(in: $0, .validChecksums, .from(W.node)) == [] })
            let whole = reassembled(sent)
            for number in 0..<2 {
                let found = whole.count { issues(in: $0, .payload(payload(number)), .validChecksums) == [] }
                #expect(found == 1, "the datagram of client \(number)")
            }
        }
    }

    @Test("replies of two backends to one client keep apart as well")
    func replies() {
        var world = World()
        let pair = [W.backend, W.otherBackend].map { Backend(address: $0, port: 7000, isLocal: true) }
        world.add("default/pair:x", pair, pair) { port, rules in
            rules.frontends.append(
                .init(kind: .nodePort, address: W.node, port: 30070, transport: .udp, servicePort: port)
            )
        }
        let harness = DatapathHarness(world)
        var ports: [IPv4Address: UInt16] = [:]
        for port in UInt16(40000)..<40020 {
            let asked = harness.send(udp(clients[0], port, to: W.node, 30070))
            ports[asked.packet.backend.address] = port
        }
        let answers = pair.enumerated().map { number, backend in
            udpFragments(
                backend.address,
                7000,
                to: W.node,
                ports[backend.address] ?? 0,
                payload: payload(number),
                size: 400,
                identification: 5
            )
        }
        let feeds = zip(answers[0], answers[1]).flatMap { [Feed($0), Feed($1)] }
        let whole = reassembled(harness.send(feeds).flatMap(\.sent))
        #expect(whole.count == 2 && whole.allSatisfy { issues(in: $0, .validChecksums, .to(clients[0])) == [] })
    }

    @Test("60,000 datagrams to one backend have 60,000 identifications; another seed gives others")
    func unique() {
        func identifications(_ count: Int, seed: UInt64) -> [UInt16] {
            var world = World()
            world.configuration.seed = seed
            let harness = DatapathHarness(world, batchSize: 64)
            var found: [UInt16] = []
            for number in 0..<count {
                // In one flow: only the first fragments matter.
                let first = parts(0, identification: UInt16(truncatingIfNeeded: number))[0]
                if let sent = harness.send(first, at: Double(number) / 60).only {
                    found.append(Dissection(sent.bytes)?.identification ?? 0)
                }
            }
            return found
        }
        let found = identifications(3000, seed: 1)
        #expect(Set(found).count == 3000)
        #expect(found == identifications(3000, seed: 1) && found.prefix(10) != identifications(10, seed: 2)[...])
        // Not one after the other.
        #expect(zip(found, found.dropFirst()).count { $1 == $0 &+ 1 } < 100)
    }

    @Test("what leaves whole keeps its own, and so do fragments that are not masqueraded")
    func untouched() {
        let harness = DatapathHarness()
        for bits in [0, FragmentField.doNotFragmentBit] {
            let whole = udp(clients[0], 40000, to: W.node, 30053) {
                $0.identification = 0x1234
                $0.flagsAndOffset = bits
            }
            #expect(issues(in: harness.send(whole).only, .unchanged(since: whole)) == [])
        }
        let direct = udpFragments(W.client, 1, to: W.vip, 53, payload: payload(0), size: 400, identification: 0x1234)
        for part in direct {
            #expect(issues(in: harness.send(part).only, .unchanged(since: part), .validChecksums) == [])
        }
    }

    @Test("what the datapath cuts itself follows the same rule")
    func cutHere() {
        var world = World()
        world.interfaces[0].mtu = 500
        let harness = DatapathHarness(world)
        let sent = (0..<2).flatMap { number in
            let whole = udp(clients[number], 50000, to: W.node, 30053, payload: payload(number)) {
                $0.identification = 99
                $0.flagsAndOffset = 0
            }
            return harness.send(whole).sent
        }
        #expect(sent.count == 4 && reassembled(sent).count == 2)
        // Cut again, the parts stay parts of one datagram.
        world.interfaces[0].mtu = 300
        let narrow = DatapathHarness(world)
        let parts = (parts(0) + parts(1)).map { Feed($0) }
        let again = narrow.send(parts.reversed()).flatMap(\.sent)
        #expect(again.count > 6 && reassembled(again).count == 2)
    }
}
