import Datapath
import Tables
import TestSupport
import Testing
import Wire

@Suite("Flows of an earlier process")
struct RestorationTests {
    typealias W = World

    /// Flows of every kind, with their answers.
    private static func feeds(_ count: UInt16 = 40) -> [Feed] {
        var feeds: [Feed] = []
        for port in 20_000..<20_000 + count {
            feeds.append(Feed(tcp(W.client, port, to: W.vip, 80)))
            feeds.append(Feed(tcp(W.backend, 8080, to: W.client, port, [.syn, .ack])))
            feeds.append(Feed(tcp(W.client, port, to: W.vip, 80, .ack)))
            feeds.append(Feed(udp(W.client, port, to: W.vip, 53)))
            feeds.append(Feed(tcp(W.outside, port, to: W.node, 30080)))
            feeds.append(Feed(udp(W.client, port, to: W.outside, 9)))
            feeds.append(Feed(echo(W.client, to: W.outside, identifier: port)))
        }
        return feeds
    }

    @Test("go on with their backend, their ports and their number, whatever the new process's seed and capacity")
    func goOn() throws {
        let files = MapFiles()
        let first = DatapathHarness(pinned: files.maps())
        first.send(Self.feeds())
        let before = first.flows
        var world = World()
        world.configuration.seed = 999
        world.configuration.conntrackCapacity = 8192
        let second = DatapathHarness(world)
        let result = try files.restore(into: second)
        #expect(result.flows == before.count && result.expired == 0 && result.refused == 0)
        // The order in the table is the table's own affair.
        func key(_ flow: Flow) -> UInt64 { flow.identifier }
        let after = second.flows.sorted { key($0) < key($1) }
        for (old, new) in zip(before.sorted { key($0) < key($1) }, after) {
            #expect(old.original == new.original && old.reply == new.reply && old.identifier == new.identifier)
            #expect(old.state == new.state && old.flags == new.flags && old.deadline == new.deadline)
            #expect(old.service == new.service && old.frontend == new.frontend)
            #expect(old.windows == new.windows)
            #expect(old.counts == new.counts)
            #expect(old.egress(.original) == new.egress(.original) && old.egress(.reply) == new.egress(.reply))
        }
        // Both see the same next packets in the same way.
        for port in UInt16(20_000)..<20_040 {
            for bytes in [
                tcp(W.client, port, to: W.vip, 80, [.ack, .psh], payload: [1]),
                tcp(W.backend, 8080, to: W.client, port, .ack), udp(W.client, port, to: W.vip, 53),
                tcp(W.outside, port, to: W.node, 30080, .ack),
                echo(W.outside, to: W.client, .echoReply, identifier: port),
            ] {
                let (old, new) = (first.send(bytes, at: 2), second.send(bytes, at: 2))
                #expect(old.sent.map(\.bytes) == new.sent.map(\.bytes) && old.packet.flow == new.packet.flow)
            }
        }
        let next = second.send(udp(W.client, 1, to: W.vip, 53), at: 3)
        #expect(next.packet.flow > (before.map(\.identifier).max() ?? 0))
        #expect(second.accountingIssues.isEmpty)
    }

    @Test("are gone when their time is over, when their Service has no number, and when nothing leads to them")
    func refused() throws {
        let files = MapFiles()
        let first = DatapathHarness(pinned: files.maps())
        first.send(tcp(W.client, 1000, to: W.vip, 80))
        first.send(udp(W.client, 1000, to: W.outside, 9))
        #expect(try files.restore(into: DatapathHarness(), at: 10_000).expired == 2)
        let without = try files.restore(into: DatapathHarness(), servicePorts: 0)
        #expect(without.flows == 1 && without.refused == 1)
        var world = World()
        world.interfaces.removeAll { $0.role == .uplink }
        let isolated = try files.restore(into: DatapathHarness(world))
        #expect(isolated.flows == 1 && isolated.refused == 1)
    }

    @Test("are held against the rules: UDP to an endpoint that is gone ends, TCP stays")
    func reconciled() throws {
        let files = MapFiles()
        let first = DatapathHarness(pinned: files.maps())
        first.send(Self.feeds(1))
        var world = World()
        for index in world.rules.servicePorts.indices {
            let old = world.rules.servicePorts[index]
            world.rules.servicePorts[index] = .init(
                identifier: old.identifier,
                name: old.name,
                cluster: [],
                local: [],
                hasAny: false
            )
        }
        let second = DatapathHarness(world)
        _ = try files.restore(into: second)
        #expect(!second.flows.contains { $0.transport == .udp && $0.service != 0 })
        #expect(second.flows.contains { $0.transport == .tcp && $0.service != 0 })
    }

    @Test("that ended are not found, and their records are used again")
    func removed() throws {
        let files = MapFiles(capacity: 4)
        var world = World()
        world.configuration.conntrackCapacity = 4
        let first = DatapathHarness(world, pinned: files.maps())
        for round in 0..<20 {
            first.send(udp(W.client, UInt16(1000 + round), to: W.outside, 9), at: Double(round * 100))
        }
        first.idle(until: 100_000)
        #expect(try files.restore(into: DatapathHarness()) == Restoration())
    }

    @Test("in a table that is too small: as many as there is room for")
    func small() throws {
        let files = MapFiles()
        let first = DatapathHarness(pinned: files.maps())
        first.send(Self.feeds())
        var world = World()
        world.configuration.conntrackCapacity = 10
        let second = DatapathHarness(world)
        let result = try files.restore(into: second)
        #expect(result.flows == 10 && result.refused == first.flows.count - 10)
        #expect(second.flows.count == 10)
    }

    @Test("whose records are cut in writing are refused, or whole", arguments: 0..<16)
    func torn(seed: Int) throws {
        let files = MapFiles()
        let first = DatapathHarness(pinned: files.maps())
        first.send(Self.feeds(8))
        let before = first.flows
        var generator = TestGenerator(seed: seed)
        let second = DatapathHarness()
        // A part of each record is as it was before it was used: zeros, or what another flow had left.
        let result = try files.restore(into: second) { bytes in
            let size = PinnedMaps.flowSize
            guard bytes.byteCount == PinnedMaps.conntrackByteCount(capacity: 4096) else { return }
            for record in 1...before.count {
                let begin = PinnedMaps.recordOffset + record * size
                let cut = Int.random(in: 0..<size, using: &generator)
                for offset in cut..<size {
                    bytes.storeBytes(of: 0, toByteOffset: begin + offset, as: UInt8.self)
                }
            }
        }
        #expect(result.flows + result.expired + result.refused <= before.count)
        for flow in second.flows {
            // Whatever is there is one of those that were, to the last bit of its translation.
            #expect(
                before.contains {
                    $0.original == flow.original && $0.reply == flow.reply && $0.transport == flow.transport
                }
            )
        }
        second.send(
            Self.feeds(8).map {
                var feed = $0; feed.now += 1_000_000_000; return feed
            }
        )
        #expect(second.accountingIssues.isEmpty)
    }

    /// What becomes of the flows of a process when something was done to each of their records, at its place.
    private func restore(
        into second: DatapathHarness,
        _ change: (inout MutableRawSpan, Int) -> Void
    ) throws -> (result: Restoration, flows: Int) {
        let files = MapFiles()
        let first = DatapathHarness(pinned: files.maps())
        first.send(Self.feeds(8))
        let count = first.flows.count
        let result = try files.restore(into: second) { bytes in
            guard bytes.byteCount == PinnedMaps.conntrackByteCount(capacity: 4096) else { return }
            for record in 1...count { change(&bytes, PinnedMaps.recordOffset + record * PinnedMaps.flowSize) }
        }
        return (result, count)
    }

    /// Where the deltas stand in a record, which begins with its two sides.
    private static let deltaPlaces: [Int] = (0..<2).flatMap { side in
        let fields: [PartialKeyPath<FlowSide>] = [\.headerDelta, \.transportDelta]
        let offsets = fields.compactMap { MemoryLayout<FlowSide>.offset(of: $0) }
        return offsets.map { side * MemoryLayout<FlowSide>.stride + $0 }
    }

    @Test("with deltas of checksums that are not their tuples' are refused")
    func deltas() throws {
        #expect(Self.deltaPlaces.count == 4)
        for place in Self.deltaPlaces {
            let second = DatapathHarness()
            let (result, count) = try restore(into: second) { bytes, record in
                bytes.store8(bytes.load8(record + place) ^ 1, at: record + place)
            }
            #expect(count > 0 && result.refused == count && result.flows == 0 && second.flows.isEmpty, "\(place)")
        }
    }

    @Test("whose lock the killed process held go on as if they had been seen just now")
    func locked() throws {
        let second = DatapathHarness()
        let (result, count) = try restore(into: second) { bytes, record in
            bytes.storeBytes(of: UInt64.max, toByteOffset: record + FlowLock.deadlineOffset, as: UInt64.self)
        }
        #expect(count > 0 && result.flows == count && result.refused == 0 && result.expired == 0)
        let longest = World().configuration.timeouts.duration(of: .established)
        #expect(second.flows.allSatisfy { $0.deadline <= DatapathHarness.epoch + 1_000_000_000 + longest })
        second.idle(until: 1_000_000)
        #expect(second.flows.isEmpty && second.accountingIssues.isEmpty)
    }

    @Test("that are noise harm nobody", arguments: 0..<16)
    func noise(seed: Int) throws {
        let files = MapFiles()
        let first = DatapathHarness(pinned: files.maps())
        first.send(Self.feeds(8))
        var generator = TestGenerator(seed: seed)
        let second = DatapathHarness()
        _ = try files.restore(into: second) { bytes in
            for _ in 0..<4000 {
                let offset = Int.random(
                    in: PinnedMaps.recordOffset..<PinnedMaps.recordOffset + 80 * 128,
                    using: &generator
                )
                bytes.storeBytes(
                    of: .random(in: .min ... .max, using: &generator),
                    toByteOffset: offset,
                    as: UInt8.self
                )
            }
        }
        second.send(
            Self.feeds(40).map {
                var feed = $0; feed.now += 1_000_000_000; return feed
            }
        )
        second.idle(until: 1_000_000)
        #expect(second.flows.isEmpty && second.accountingIssues.isEmpty)
    }

    @Test("The layout of a record is a file format: whoever changes it counts `PinnedMaps.layout` up")
    func layout() {
        #expect(PinnedMaps.layout == 2)
        #expect(PinnedMaps.flowSize == 128 && PinnedMaps.affinitySize == 40)
        #expect(MemoryLayout<Flow>.offset(of: \.deadline) == 48)
        #expect(MemoryLayout<Flow>.offset(of: \.identifier) == 56)
        #expect(MemoryLayout<Flow>.offset(of: \.counts) == 64)
        #expect(MemoryLayout<Flow>.offset(of: \.windows) == 84)
        #expect(MemoryLayout<Flow>.offset(of: \.nextTimer) == 120)
    }

    @Test("A remembered client keeps its backend, until its time is over")
    func affinity() throws {
        let files = MapFiles()
        var world = World()
        let both = [W.backend, W.otherBackend].map { Backend(address: $0, port: 8080, isLocal: true) }
        let index = try #require(world.rules.servicePorts.firstIndex { $0.name == "default/web:http" })
        world.rules.servicePorts[index].cluster = both
        world.rules.servicePorts[index].local = both
        world.rules.servicePorts[index].known = both.map { .init($0.address, $0.port, isServing: true) }
        world.rules.servicePorts[index].affinitySeconds = 100
        let first = DatapathHarness(world, pinned: files.maps())
        let clients = (1...50).map { IPv4Address(10, 244, 3, UInt8($0)) }
        let chosen = clients.map { first.send(tcp($0, 1000, to: W.vip, 80)).packet.backend }
        #expect(Set(chosen).count == 2)
        world.configuration.seed = 77
        let second = DatapathHarness(world)
        let result = try files.restore(into: second)
        #expect(result.clients == 50)
        #expect(clients.map { second.send(tcp($0, 2000, to: W.vip, 80), at: 2).packet.backend } == chosen)
        #expect(try files.restore(into: DatapathHarness(world), at: 100_000).clients == 0)
    }
}
