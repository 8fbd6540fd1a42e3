import Datapath
import Dispatch
import Tables
import TestSupport
import Testing
import Wire

/// Several workers at one pipeline: what one would have done, and nothing twice.
///
/// ThreadSanitizer looks on (docs/development.md).
@Suite("Workers at one pipeline")
struct WorkerTests {
    private static let workers = 3
    private static let connections: UInt16 = 40
    private static let turns = 60
    /// Connections that all workers have packets of.
    private static let common: UInt16 = 8

    /// A worker with its batch; what it found wrong.
    private struct Hand: ~Copyable {
        let worker: Int
        let pipeline: SharedPipeline
        var batch = Batch(frameCapacity: 2048)
        var faults: [String] = []
        var sent = 0

        init(_ worker: Int, _ pipeline: SharedPipeline) {
            self.worker = worker
            self.pipeline = pipeline
        }

        /// Sends packets as one batch; what left, in their order.
        mutating func send(_ packets: [[UInt8]]) -> [[UInt8]] {
            batch.clear()
            for bytes in packets {
                var packet = Packet()
                packet.now = DatapathHarness.epoch
                packet.length = Int32(bytes.count)
                packet.wireLength = packet.length
                packet.ingress = World.pods
                let place = batch.append(packet)
                var frame = batch.frames.frame(place, length: bytes.count)
                for (offset, byte) in bytes.enumerated() { frame.store8(byte, at: offset) }
            }
            sent += packets.count
            pipeline.process(&batch, worker: worker)
            var left: [[UInt8]] = []
            for place in 0..<batch.count {
                let packet = batch.packets[place]
                guard packet.verdict == .forward, packet.emissions == 1 else {
                    faults.append("worker \(worker): \(packet.verdict.word) \(packet.reason.id)")
                    continue
                }
                left.append(bytes(of: batch.emissions[Int(packet.firstEmission)]))
            }
            return left
        }

        private mutating func bytes(of emission: Emission) -> [UInt8] {
            let view = batch.bytes(of: emission)
            var copy: [UInt8] = []
            for offset in 0..<view.byteCount { copy.append(view.load8(offset)) }
            return copy
        }

        /// Packets of one direction of some connections, and whether all leave as they must.
        mutating func check(
            _ ports: [UInt16],
            _ flags: TCPFlags,
            fromClient: Bool,
            from client: IPv4Address,
            payload: [UInt8] = []
        ) {
            let (near, far) = fromClient ? (World.vip, World.backend) : (World.backend, World.vip)
            let (nearPort, farPort): (UInt16, UInt16) = fromClient ? (80, 8080) : (8080, 80)
            func packet(_ port: UInt16, _ other: IPv4Address, _ otherPort: UInt16, timeToLive: UInt8) -> [UInt8] {
                fromClient
                    ? tcp(client, port, to: other, otherPort, flags, payload: payload) { $0.timeToLive = timeToLive }
                    : tcp(other, otherPort, to: client, port, flags, payload: payload) { $0.timeToLive = timeToLive }
            }
            let left = send(ports.map { packet($0, near, nearPort, timeToLive: 64) })
            let expected = ports.map { packet($0, far, farPort, timeToLive: 63) }
            if left != expected { faults.append("worker \(worker): \(flags) \(fromClient) left otherwise") }
        }
    }

    private final class Findings: @unchecked Sendable {
        // Safe: under the semaphore while workers run.
        private let lock = DispatchSemaphore(value: 1)
        private(set) var faults: [String] = []
        private(set) var sent = 0

        func add(_ hand: borrowing Hand) {
            lock.wait()
            faults += hand.faults
            sent += hand.sent
            lock.signal()
        }
    }

    private static func makePipeline() -> SharedPipeline {
        let world = World()
        return SharedPipeline(
            Pipeline(
                world.configuration,
                interfaces: InterfaceTable(world.interfaces),
                services: ServiceTable(world.rules, seed: 1)
            ),
            workers: workers
        )
    }

    private static func client(_ worker: Int) -> IPv4Address { IPv4Address(10, 244, 3, UInt8(worker)) }

    @Test("Connections of their own and common ones, opened, used and closed side by side")
    func connections() {
        let pipeline = Self.makePipeline()
        let findings = Findings()
        let commonPorts = Array(20000..<20000 + Self.common)
        var opener = Hand(0, pipeline)
        opener.check(commonPorts, .syn, fromClient: true, from: World.client)
        opener.check(commonPorts, [.syn, .ack], fromClient: false, from: World.client)
        opener.check(commonPorts, .ack, fromClient: true, from: World.client)
        findings.add(opener)
        DispatchQueue.concurrentPerform(iterations: Self.workers) { worker in
            var hand = Hand(worker, pipeline)
            let client = Self.client(worker)
            for turn in 0..<Self.turns {
                let ports = (0..<Self.connections).map { 30000 + UInt16(turn) * Self.connections + $0 }
                hand.check(ports, .syn, fromClient: true, from: client)
                hand.check(ports, [.syn, .ack], fromClient: false, from: client)
                hand.check(ports, .ack, fromClient: true, from: client)
                for _ in 0..<5 {
                    hand.check(ports, [.ack, .psh], fromClient: true, from: client, payload: [1, 2, 3])
                    hand.check(ports, .ack, fromClient: false, from: client)
                    hand.check(commonPorts, .ack, fromClient: true, from: World.client)
                    hand.check(commonPorts, .ack, fromClient: false, from: World.client)
                }
                hand.check(ports, [.rst, .ack], fromClient: true, from: client)
            }
            findings.add(hand)
        }
        #expect(findings.faults == [])
        pipeline.exclusively { pipeline in
            let created = Self.workers * Self.turns * Int(Self.connections) + Int(Self.common)
            #expect(pipeline.counters.received == UInt64(findings.sent))
            #expect(pipeline.counters[.forward] == UInt64(findings.sent))
            #expect(pipeline.counters.flowsCreated == UInt64(created))
            #expect(pipeline.programs[.parse] == UInt64(findings.sent))
            let isSound = pipeline.flows.areClassesRight && pipeline.flows.arePortMapsRight
            #expect(isSound)
            // A lock that was not given back would be a deadline that no clock comes near.
            var late = 0
            for number in 1..<pipeline.flows.flows.highWater where pipeline.flows.flows[number].deadline >> 62 != 0 {
                late += 1
            }
            #expect(late == 0)
        }
    }

    @Test("Packets of the common connections are all counted, whoever had them")
    func counts() {
        let pipeline = Self.makePipeline()
        let port: [UInt16] = [20000]
        let findings = Findings()
        var opener = Hand(0, pipeline)
        opener.check(port, .syn, fromClient: true, from: World.client)
        opener.check(port, [.syn, .ack], fromClient: false, from: World.client)
        opener.check(port, .ack, fromClient: true, from: World.client)
        DispatchQueue.concurrentPerform(iterations: Self.workers) { worker in
            var hand = Hand(worker, pipeline)
            for _ in 0..<500 {
                hand.check(port, .ack, fromClient: true, from: World.client)
                hand.check(port, .ack, fromClient: false, from: World.client)
                // Somebody who inspects, or reloads, comes in between.
                if worker == 0 { pipeline.exclusively { $0.expire(now: DatapathHarness.epoch) } }
            }
            findings.add(hand)
        }
        #expect(findings.faults == [])
        let counts = pipeline.exclusively { $0.flows.flows[1].counts }
        #expect(counts.originalPackets == UInt32(500 * Self.workers + 2))
        #expect(counts.replyPackets == UInt32(500 * Self.workers + 1))
    }

    @Test("A frontend that was looked up in other rules is looked up again, be it beyond the end of these")
    func frontendOfOtherRules() {
        var rules = World().rules
        rules.frontends = rules.frontends.filter { $0.address == World.vip && $0.transport == .tcp }
        let table = ServiceTable(rules, seed: 1)
        for number: UInt32 in [0, 1, 2, 1000, .max - 1] {
            #expect(table.frontend(World.vip, 80, .tcp, likely: FrontendHint(number)) == 0)
            #expect(table.frontend(World.vip, 81, .tcp, likely: FrontendHint(number)) == nil)
        }
    }

    @Test("The place of the lock is that of the deadline")
    func lockPlace() {
        #expect(MemoryLayout<Flow>.offset(of: \.deadline) == FlowLock.deadlineOffset)
    }

    @Test("What is read of a record that another worker may have locked are its tuples")
    func tuplesOfRecords() {
        let original = FlowTuple(addresses: 0x0102_0304_0506_0708, ports: 0x090a_0b0c)
        let reply = FlowTuple(addresses: 0x1112_1314_1516_1718, ports: 0x191a_1b1c)
        var flow = Flow(original: original, reply: reply, transport: .udp, identifier: 1)
        // Safe: the record is there while it is read.
        unsafe withUnsafePointer(to: &flow) { record in
            #expect(unsafe Flow.tuple(of: record, .original) == original)
            #expect(unsafe Flow.tuple(of: record, .reply) == reply)
        }
    }
}
