import Datapath
import FuzzSupport
import Tables
import TestSupport
import Wire

/// What an earlier datapath has left, damaged: its conntrack map, or the state of a replay.
///
/// Whatever stands in it, it is refused
/// or gives a sound datapath.
///
/// The input says which of both, and is then a list of damages, two bytes for the place and one that is written there. Then
/// packets go through, of the flows that were there and others.
enum StateFuzzer {
    private static let capacity = 32
    private static let byteCount = PinnedMaps.conntrackByteCount(capacity: capacity)
    private static let world = makeWorld()
    private static let packets = makePackets()
    private static let map = MemoryFile(byteCount: byteCount)
    private static let state = makeState()
    private static let services = world.services
    // Safe: libFuzzer has one thread. Each input begins with a pipeline of its own.
    nonisolated(unsafe) private static let harness = DatapathHarness(world, frameCapacity: 2048)

    private static func makeWorld() -> World {
        var world = World()
        world.configuration.conntrackCapacity = capacity
        world.configuration.fragmentCapacity = 8
        world.names = .empty
        return world
    }

    private static func makePackets() -> [[UInt8]] {
        let ports = UInt16(40000)..<40002
        let flows = ports.flatMap { port in
            [
                tcp(World.client, port, to: World.vip, 80),
                tcp(World.backend, 8080, to: World.client, port, [.syn, .ack]),
                tcp(World.client, port, to: World.vip, 80, .ack), udp(World.outside, port, to: World.node, 30053),
                udp(World.client, port, to: World.outside, 53),
                echo(World.client, to: World.outside, identifier: port),
            ]
        }
        let parts = udpFragments(
            World.client,
            41000,
            to: World.vip,
            53,
            payload: [UInt8](repeating: 5, count: 200),
            size: 88
        )
        return flows + parts.dropFirst()
    }

    /// A map that some flows have been written to, and the state of the datapath that did it.
    private static func makeState() -> [UInt8] {
        let maps = PinnedMaps(conntrack: map.region(byteCount: byteCount), affinity: nil)
        let harness = DatapathHarness(world, frameCapacity: 2048, pinned: maps)
        for packet in packets { harness.send(packet) }
        return harness.savedState
    }

    static func run(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        var damaged = state
        let harness = unsafe harness
        harness.begin(world.configuration, services: services)
        let isSaved = input.byte() & 1 == 1
        if isSaved {
            while input.left >= 3 { damaged[input.word() % damaged.count] = input.byte() }
            // A state that is refused takes its datapath along.
            guard harness.resume(damaged, servicePorts: 6) else { return }
        } else {
            var region = map.region(byteCount: byteCount, isPrivate: true)
            do {
                var records = region.mutableBytes
                while input.left >= 3 {
                    let place = PinnedMaps.recordOffset + input.word() % (byteCount - PinnedMaps.recordOffset)
                    records.store8(input.byte(), at: place)
                }
            }
            let result = harness.pipeline.restore(conntrack: region, servicePorts: 6, now: Feed([], at: 1).now)
            precondition(harness.pipeline.flows.count == result.flows, "flows are not accounted for")
            while harness.pipeline.isReconciling { harness.pipeline.reconcile() }
        }
        precondition(harness.sharedTuples.isEmpty && harness.pipeline.flows.areClassesRight)
        for packet in packets {
            for sent in harness.send(packet, at: 1).sent {
                precondition(Dissection(sent.bytes)?.isHeaderChecksumValid == true, "a bad header checksum leaves")
            }
        }
        precondition(harness.areClassesRight, "flows are not accounted for")
        // A saved state is taken as it is, ends of flows included; a map is of another clock.
        if isSaved { return }
        harness.idle(until: 1e9)
        precondition(harness.pipeline.flows.count == 0 && harness.pipeline.heldPackets == 0, "something stays for ever")
    }
}
