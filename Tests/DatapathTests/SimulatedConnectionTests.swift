import Datapath
import TestSupport
import Testing
import Wire

/// Two ends that obey the rules, over a network that loses, repeats and reorders: whatever they come to send, strict tracking
/// lets it through.
@Suite("Connections over a bad network")
struct SimulatedConnectionTests {
    typealias W = World

    private struct Connection {
        var harness: DatapathHarness
        var ends: [SimulatedEnd] = []
        var generator: TestGenerator
        /// What is on its way to the datapath, and from it, by the sender.
        var before: [[SimulatedEnd.Segment]] = [[], []]
        var behind: [[SimulatedEnd.Segment]] = [[], []]
        var clock = 0.0
        var refused: [String] = []

        private static func scale(_ shift: UInt8?) -> [UInt8] { shift.map { [1, 3, 3, $0] } ?? [] }

        init(seed: Int, strict: Bool) {
            var world = World()
            world.configuration.strict = strict
            harness = DatapathHarness(world)
            var generator = TestGenerator(seed: seed)
            // Some numbers begin shortly before the end of all numbers.
            let firsts = (0..<2).map { _ in
                generator.chance(50) ? generator.word() : 0 &- UInt32(generator.pick(1..<20000))
            }
            let offers: [UInt8?] = (0..<2).map { _ in generator.chance(75) ? UInt8(generator.pick(0..<9)) : nil }
            let shifts = offers.contains(nil) ? [0, 0] : offers.map { $0 ?? 0 }
            let permits = (0..<2).map { _ in generator.chance(75) }
            let timestamps = generator.chance(50)
            let windows = (0..<2).map { _ in UInt16(generator.pick([1000, 5000, 29200, 65535])) }
            for side in 0..<2 {
                ends.append(
                    SimulatedEnd(
                        first: firsts[side],
                        otherFirst: firsts[1 - side],
                        total: generator.pick([0, 1, 3000, 60000, 150_000]),
                        shift: shifts[side],
                        otherShift: shifts[1 - side],
                        usesSACK: permits[0] && permits[1],
                        usesTimestamps: timestamps,
                        window: windows[side],
                        otherWindow: windows[1 - side]
                    )
                )
            }
            self.generator = generator
            for (side, flags) in [(0, TCPFlags.syn), (1, [.syn, .ack]), (0, .ack)] {
                let isSYN = flags.contains(.syn)
                let segment = SimulatedEnd.Segment(
                    flags: flags,
                    sequence: firsts[side] &+ (isSYN ? 0 : 1),
                    acknowledgment: flags.contains(.ack) ? firsts[1 - side] &+ 1 : 0,
                    window: isSYN ? windows[side] : UInt16(UInt64(windows[side]) >> UInt64(shifts[side])),
                    length: 0,
                    options: isSYN ? Self.scale(offers[side]) + (permits[side] ? [1, 1, 4, 2] : []) : []
                )
                _ = pass(segment, side)
            }
        }

        /// Sends a segment through the datapath; false when it does not come out.
        mutating func pass(_ segment: SimulatedEnd.Segment, _ side: Int) -> Bool {
            let isClient = side == 0
            let packet = PacketBuilder(from: isClient ? W.client : W.backend, to: isClient ? W.vip : W.client)
                .tcp(
                    isClient ? 40000 : 8080,
                    isClient ? 80 : 40000,
                    flags: segment.flags,
                    sequence: segment.sequence,
                    acknowledgment: segment.acknowledgment,
                    window: segment.window,
                    tcpOptions: segment.options,
                    payload: [UInt8](repeating: 0, count: segment.length)
                )
            let treatment = harness.send(packet, at: clock)
            if treatment.verdict != .forward || treatment.conntrack == .invalid {
                refused.append("\(isClient ? "client" : "server") \(segment): \(treatment.summary)")
            }
            return treatment.verdict == .forward
        }

        /// One of those that are on their way, mostly the first; now and then it is lost or comes twice.
        private static func take(
            _ queue: inout [SimulatedEnd.Segment],
            _ generator: inout TestGenerator
        ) -> SimulatedEnd.Segment? {
            guard !queue.isEmpty else { return nil }
            let place = generator.chance(80) ? 0 : generator.pick(0..<min(queue.count, 6))
            let segment = queue[place]
            if !generator.chance(4) { queue.remove(at: place) }
            return generator.chance(6) ? nil : segment
        }

        mutating func step() {
            clock += 0.01
            let side = generator.pick(0..<2)
            switch generator.pick(0..<3) {
            case 0:
                if before[side].count < 20 {
                    let segment = ends[side].send(&generator)
                    before[side].append(segment)
                }
            case 1:
                if let segment = Self.take(&before[side], &generator), pass(segment, side) {
                    behind[side].append(segment)
                }
            default:
                if let segment = Self.take(&behind[side], &generator) { ends[1 - side].receive(segment) }
            }
        }
    }

    @Test("nothing that two ends send in earnest is invalid", arguments: 0..<24)
    func conformance(seed: Int) {
        var connection = Connection(seed: seed, strict: seed % 2 == 0)
        var steps = 0
        while steps < 60000 && !(connection.ends[0].isDone && connection.ends[1].isDone) {
            connection.step()
            steps += 1
        }
        #expect(connection.refused == [])
        #expect(connection.ends[0].isDone && connection.ends[1].isDone, "after \(steps) steps")
        // In LAST_ACK where the last acknowledgment came with a FIN that was sent again, as in nf_conntrack.
        let state = connection.harness.flows.first?.state
        #expect(state == .timeWait || state == .lastAck)
    }
}
