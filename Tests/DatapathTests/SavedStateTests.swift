import Datapath
import Tables
import TestSupport
import Testing
import Wire

@Suite("Saved state")
struct SavedStateTests {
    typealias W = World

    private func world(_ seed: Int) -> World {
        var world = World()
        world.configuration.seed = UInt64(seed + 1)
        world.configuration.conntrackCapacity = [40, 200, 4096][seed % 3]
        world.configuration.midstream = seed % 4 == 0 ? .pickup : .refuse
        world.configuration.reconstructsReplies = seed % 2 == 0
        if seed % 3 == 1 {
            for index in world.rules.servicePorts.indices { world.rules.servicePorts[index].affinitySeconds = 60 }
        }
        return world
    }

    @Test("traffic in two parts is treated as in one, wherever it is cut", arguments: 0..<12)
    func split(seed: Int) {
        var traffic = Traffic(seed: seed &+ 7000)
        let feeds = traffic.feeds(1500)
        let expected = DatapathHarness(world(seed), batchSize: 7).send(feeds)
        for place in [1, 10, 700, 1100, 1499] {
            let first = DatapathHarness(world(seed), batchSize: 7)
            var found = first.send(Array(feeds[..<place]))
            let state = first.savedState
            let second = DatapathHarness(world(seed), batchSize: 7)
            let isWhole = second.resume(state, after: place, now: feeds[place - 1].now)
            #expect(isWhole)
            #expect(second.savedState == state, "what was restored is what was saved")
            #expect(second.areClassesRight && second.pipeline.flows.arePortMapsRight)
            found += second.send(Array(feeds[place...]))
            let different = zip(expected, found).first { !$0.agrees(with: $1) }
            #expect(different == nil, "\(place): \(different?.0.details ?? "")\n\(different?.1.details ?? "")")
        }
    }

    @Test("crowded ports are drawn in the same order before and after")
    func crowded() {
        var feeds: [Feed] = []
        // More flows to one backend than half the ports, so that it gets a map of its own.
        for client in UInt8(1)...9 {
            for port in UInt16(1024)..<8192 {
                feeds.append(Feed(udp(IPv4Address(203, 0, 113, client), port, to: W.node, 30053)))
            }
        }
        var world = World()
        world.configuration.conntrackCapacity = 100_000
        let last = (0..<200).map {
            Feed(udp(IPv4Address(203, 0, 113, 77), UInt16(2000 + $0), to: W.node, 30053), at: 1)
        }
        let first = DatapathHarness(world, batchSize: 64)
        first.send(feeds)
        let state = first.savedState
        let second = DatapathHarness(world, batchSize: 64)
        let isWhole = second.resume(state, after: feeds.count)
        #expect(isWhole)
        let sent = zip(first.send(last), second.send(last)).map { $0.agrees(with: $1) }
        #expect(!sent.contains(false) && second.savedState == first.savedState)
    }

    @Test("damage of any kind is refused, or harms nobody", arguments: 0..<10)
    func damaged(seed: Int) {
        var traffic = Traffic(seed: seed &+ 9000)
        let first = DatapathHarness(world(seed), batchSize: 64)
        first.send(traffic.feeds(600))
        let state = first.savedState
        var generator = TestGenerator(seed: seed)
        for _ in 0..<20 {
            var damaged = state
            switch generator.pick(0..<4) {
            case 0: damaged.removeLast(generator.pick(1..<damaged.count))
            case 1: damaged.append(0)
            default:
                for _ in 0..<generator.pick(1..<5) {
                    damaged[generator.pick(0..<damaged.count)] = UInt8(generator.pick(0..<256))
                }
            }
            let second = DatapathHarness(world(seed), batchSize: 64)
            guard second.resume(damaged) else { continue }
            second.send(traffic.feeds(100))
            second.idle(until: 1e9)
            #expect(second.flows.count == second.pipeline.flows.count)
        }
    }

    /// Each is a field of the state that holds a time: the deadline of a flow, of a client, of a datagram, the clock of a wheel, ….
    @Test("no time in it lies further ahead than it can")
    func times() {
        var world = world(1)
        world.configuration.fragmentCapacity = 64
        world.configuration.resourceErrors = .icmp
        world.configuration.conntrackCapacity = 4
        let first = DatapathHarness(world)
        // A remembered client, a flow, a datagram that waits, an error about a closed port, and one about a full table.
        first.send(tcp(W.client, 1000, to: W.vip, 80))
        first.send(
            udpFragments(W.client, 2000, to: W.outside, 9, payload: [UInt8](repeating: 1, count: 900), size: 400)[1]
        )
        first.send(udp(W.client, 2001, to: W.vip, 9999))
        for port in UInt16(1)...4 {
            first.send(udp(W.client, port, to: W.outside, 9))
            first.send(udp(W.outside, 9, to: W.client, port))
        }
        first.send(udp(W.client, 5, to: W.outside, 9))
        let state = first.savedState
        let now = DatapathHarness.epoch
        let isTaken = DatapathHarness(world).resume(state, now: now)
        let isFromFuture = !DatapathHarness(world).resume(state, now: now - 1)
        #expect(isTaken && isFromFuture)
        let second: UInt64 = 1_000_000_000
        let times: [(what: String, value: UInt64, refusals: Int)] = [
            ("a flow's end", now + 120 * second, 4), ("a client's end", now + 60 * second, 1),
            ("a datagram's end", now + 30 * second, 1), ("when a source may be told again", now + second, 1),
            // The other one is when a fragment came, which decides nothing.
            ("the last error", now, 1), ("the clocks of two wheels", now >> 28, 2),
        ]
        for time in times {
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: time.value >> UInt64(8 * $0)) }
            let places = (0...state.count - 8).filter { state[$0..<$0 + 8].elementsEqual(bytes) }
            let refusals = places.count { place in
                var damaged = state
                damaged[place + 5] = 0x7f
                return !DatapathHarness(world).resume(damaged, now: now)
            }
            #expect(refusals == time.refusals, "\(time.what): \(places.count) places")
        }
    }

    @Test("of a larger table is refused as a whole")
    func tooLarge() {
        let first = DatapathHarness()
        for port in UInt16(1)...100 { first.send(udp(W.client, port, to: W.outside, 9)) }
        var world = World()
        world.configuration.conntrackCapacity = 99
        let isWhole = DatapathHarness(world).resume(first.savedState)
        #expect(!isWhole)
    }
}

@Suite("Numbers of a saved state")
struct StateCodingTests {
    @Test("come back in their order")
    func roundTrip() {
        var encoder = StateEncoder()
        encoder.put(UInt8.max)
        encoder.put(UInt16(0x1234))
        encoder.put(UInt32.max)
        encoder.put(UInt64(1) << 63)
        encoder.put(Int32(-2))
        encoder.put(true)
        encoder.putCount(3)
        for byte in UInt8(1)...3 { encoder.put(byte) }
        var decoder = StateDecoder(encoder.bytes)
        let read = (decoder.get(UInt8.self), decoder.get(UInt16.self), decoder.get(UInt32.self))
        #expect(read == (UInt8.max, 0x1234, UInt32.max))
        let rest = (decoder.get(UInt64.self), decoder.get(Int32.self), decoder.getBool())
        #expect(rest == (1 << 63, -2, true))
        let count = decoder.getCount(limit: 3, size: 1)
        let bytes = Array(decoder.getBytes(3))
        let (isWhole, isAtEnd) = (decoder.isWhole, decoder.isAtEnd)
        #expect(count == 3 && bytes == [1, 2, 3] && isWhole && isAtEnd)
    }

    @Test("that are not there, or lead beyond the end, clear `isWhole`")
    func hostile() {
        var short = StateDecoder([1, 2, 3])
        let nothing = short.get(UInt32.self)
        let isShortWhole = short.isWhole
        #expect(nothing == 0 && !isShortWhole)
        var counted = StateDecoder([255, 255, 255, 255, 0])
        let count = counted.getCount(limit: .max, size: 1)
        let isCountedWhole = counted.isWhole
        #expect(count == 0 && !isCountedWhole)
        var truth = StateDecoder([2])
        let value = truth.getBool()
        let isTruthWhole = truth.isWhole
        #expect(!value && !isTruthWhole)
    }
}
