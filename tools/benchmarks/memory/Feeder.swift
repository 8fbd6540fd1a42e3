import Datapath
import Wire

/// Makes packets from a template and tuples, as a read() would put them into a batch.
struct Feeder: ~Copyable {
    var batch = Batch(frameCapacity: 2048, describesFlows: false)
    /// Addresses and ports of the packets, flow by flow.
    var tuples: [Tuple]
    /// The clock of the packets.
    var now: UInt64 = 1_000_000_000
    private var position = 0

    init(_ tuples: [Tuple]) { self.tuples = tuples }

    /// Flows in the order of their opening would be records in the order of memory, which no network sends.
    mutating func shuffle(seed: UInt64) {
        var generator = FlowOrder(seed: seed)
        tuples.shuffle(using: &generator)
    }

    @inline(never) mutating func fill(
        _ template: borrowing Template,
        _ first: Int,
        _ end: Int,
        _ ingress: UInt16
    ) {
        batch.clear()
        var packet = emptyPacket(template.length, ingress)
        for number in first..<end {
            packet.number &+= 1
            let place = batch.append(packet)
            template.write(tuples[number], to: &batch.frames, place)
        }
    }

    /// A whole batch from where the last one has ended, and from the first tuple again after the last.
    @inline(never) mutating func fillAround(
        _ template: borrowing Template,
        _ ingress: UInt16
    ) {
        batch.clear()
        var packet = emptyPacket(template.length, ingress)
        for _ in 0..<Batch.maximumCount {
            packet.number &+= 1
            let place = batch.append(packet)
            template.write(tuples[position], to: &batch.frames, place)
            position &+= 1
            if position == tuples.count { position = 0 }
        }
    }

    private func emptyPacket(_ length: Int, _ ingress: UInt16) -> Packet {
        var packet = Packet()
        packet.length = Int32(length)
        packet.wireLength = packet.length
        packet.now = now
        packet.ingress = ingress
        return packet
    }
}

/// The order in which flows are used: the same in every run.
struct FlowOrder: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = 0x9e37_79b9_7f4a_7c15 &+ seed }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
