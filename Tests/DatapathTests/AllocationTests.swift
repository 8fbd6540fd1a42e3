import CAllocationCounter
import Datapath
import TestSupport
import Testing
import Wire

/// Whether the compiler optimized this build.
///
/// Only then is "no allocation" a property of the code: else the compiler boxes what it would keep in registers, and
/// generic code asks for memory on its own.
private let isOptimized: Bool = {
    #if DEBUG
        false
    #else
        true
    #endif
}()

@Suite("Memory")
struct AllocationTests {
    /// A pipeline, a batch, and packets to fill it with, all made before anything is counted.
    private struct Bench: ~Copyable {
        var pipeline: Pipeline
        var batch = Batch(frameCapacity: 2048)
        var templates: FramePool
        var lengths: [Int32]
        var next = 0
        var number: UInt64 = 0

        init(_ world: World, _ packets: [[UInt8]]) {
            pipeline = Pipeline(
                world.configuration,
                interfaces: InterfaceTable(world.interfaces),
                services: ServiceTable(world.rules, seed: 1, names: world.names)
            )
            templates = FramePool(count: packets.count, capacity: 2048)
            lengths = packets.map { Int32($0.count) }
            for (place, packet) in packets.enumerated() {
                var frame = templates.frame(place, length: packet.count)
                for (offset, byte) in packet.enumerated() { frame.store8(byte, at: offset) }
            }
        }

        /// Sends the templates round and round; time goes on by a microsecond a packet.
        mutating func run(_ count: Int) {
            var left = count
            while left > 0 {
                batch.clear()
                for _ in 0..<min(left, Batch.maximumCount) {
                    number += 1
                    var packet = Packet()
                    packet.number = number
                    packet.now = DatapathHarness.epoch + number * 1000
                    packet.length = lengths[next]
                    packet.wireLength = lengths[next]
                    packet.ingress = World.pods
                    let place = batch.append(packet)
                    batch.frames.copy(from: templates, next, 0..<Int(lengths[next]), to: place, at: 0)
                    next += 1
                    if next == lengths.count { next = 0 }
                }
                left -= batch.count
                pipeline.process(&batch)
            }
        }
    }

    /// Packets of all kinds: most belong to flows, some begin one, some are refused, dropped, held or answered.
    private static func mix() -> [[UInt8]] {
        typealias W = World
        var packets: [[UInt8]] = []
        for port in UInt16(2000)..<2200 {
            packets.append(tcp(W.client, port, to: W.vip, 80))
            packets.append(tcp(W.backend, 8080, to: W.client, port, [.syn, .ack]))
            packets.append(tcp(W.client, port, to: W.vip, 80, .ack, payload: [1, 2, 3]))
            packets.append(tcp(W.client, port, to: W.vip, 80, .rst))
            packets.append(udp(W.client, port, to: W.vip, 53))
            packets.append(udp(W.backend, 5353, to: W.client, port))
            packets.append(icmpError(W.client, to: W.vip, code: 3, about: udp(W.vip, 53, to: W.client, port)))
            packets.append(tcp(W.backend, port, to: W.vip, 80))
            packets.append(tcp(W.client, port, to: W.localVIP, 8000))
            packets.append(udp(W.client, port, to: W.emptyVIP, 80))
            packets.append(tcp(W.client, port, to: W.vip, 81))
            packets.append(echo(W.client, to: W.node))
            packets.append(tcp(W.client, 0, to: W.vip, 80))
            packets.append(udp(W.vip, port, to: W.client, 1))
            packets.append(udp(W.client, port, to: W.outside, 9) { $0.timeToLive = 1 })
            for name in ["web.default.svc.cluster.local", "no.cluster.local", "many.svc.cluster.local"] {
                packets.append(udp(W.client, port, to: W.dns, 53, payload: DNSQuestion(name, payloadSize: 1232).bytes))
            }
            packets.append(udp(W.client, port, to: W.dns, 53, payload: Array(repeating: 0xc0, count: 40)))
            packets += udpFragments(
                W.client,
                port,
                to: W.vip,
                53,
                payload: [UInt8](repeating: 0, count: 100),
                size: 40,
                identification: port
            ).reversed()
        }
        return packets
    }

    @Test("the counter counts", .enabled(if: culvert_allocation_counter_works() == 1))
    func counter() {
        let before = culvert_allocation_count()
        var kept: [[UInt8]] = []
        for count in 1...100 { kept.append([UInt8](repeating: 1, count: count * 100)) }
        let after = culvert_allocation_count()
        #expect(kept.count == 100)
        #expect(after - before >= 100)
    }

    @Test(
        "a million packets of all kinds ask for no memory",
        .enabled(
            if: isOptimized && culvert_allocation_counter_works() == 1,
            "needs an optimized build without sanitizers"
        )
    )
    func noAllocation() {
        var bench = Bench(World(), Self.mix())
        let before = culvert_allocation_count()
        bench.run(1_000_000)
        let after = culvert_allocation_count()
        #expect(after - before == 0)
        expectVariety(bench)
    }

    @Test("the mix of that test is one of all kinds")
    func variety() {
        var bench = Bench(World(), Self.mix())
        bench.run(10_000)
        expectVariety(bench)
    }

    private func expectVariety(_ bench: borrowing Bench) {
        for verdict in Verdict.allCases where verdict != .undecided && verdict != .hold && verdict != .local {
            let count = bench.pipeline.counters[verdict]
            #expect(count > 0 || verdict == .pass, "\(verdict)")
        }
        let created = bench.pipeline.counters.flowsCreated
        let suppressed = bench.pipeline.counters.errorsSuppressed
        #expect(created > 100 && suppressed > 0)
    }
}
