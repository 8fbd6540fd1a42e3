internal import Datapath
internal import Tables
internal import Wire

/// One packet through the real pipeline, and the answer to it back: what would happen, with nothing happening.
///
/// Theory of operation: a pipeline is made as a replay makes it, the packet is put into a batch of its own, and what
/// is told afterwards is read from the packet, from the programs that ran, and from read-only lookups in the tables.
/// Nothing here decides. Times are fixed and choices seeded, so the same question has the same answer.
struct ProbeSession: ~Copyable {
    private var pipeline: Pipeline
    private var batch = Batch()
    private var sent: UInt64 = 0
    private let uplink: UInt16
    /// The time between a packet and the answer to it, in nanoseconds.
    private static let roundTrip: UInt64 = 1_000_000

    init(_ cluster: Cluster, seed: UInt64) {
        let interfaces = cluster.interfaceTable(isReplay: true)
        pipeline = Pipeline(
            cluster.datapathConfiguration(seed: seed, isReplay: true),
            interfaces: interfaces,
            services: cluster.serviceTable(seed: seed)
        )
        let last = interfaces.interfaces.indices.last ?? 0
        uplink = UInt16(interfaces.interfaces.firstIndex { $0.role == .uplink } ?? last)
    }

    var interfaces: InterfaceTable { pipeline.interfaces }

    /// Sends a packet and tells what became of it.
    mutating func send(_ bytes: [UInt8]) -> ProbeStep {
        batch.clear()
        var frame = batch.frames.frame(0, length: bytes.count)
        for (place, byte) in bytes.enumerated() { frame.store8(byte, at: place) }
        var packet = Packet()
        sent += 1
        packet.number = sent
        packet.time = (sent - 1) * Self.roundTrip
        packet.now = 1_000_000_000 + packet.time
        packet.length = Int32(truncatingIfNeeded: bytes.count)
        packet.wireLength = packet.length
        packet.ingress = uplink
        _ = batch.append(packet)
        let before = runCounts
        pipeline.process(&batch)
        packet = batch.packets[0]
        let after = runCounts
        let ran = Program.allCases.indices.filter { after[$0] > before[$0] }.map { Program.allCases[$0] }
        let emitted = emissions()
        let story = ProbeStory(
            packet: packet,
            ran: ran,
            emitted: emitted,
            flow: flow(packet.flow),
            match: packet.hasPorts ? pipeline.frontendMatch(packet.tuple, packet.transport) : nil,
            sourceRole: pipeline.role(of: packet.tuple.source),
            destinationRole: pipeline.role(of: packet.tuple.destination),
            interfaces: pipeline.interfaces,
            configuration: pipeline.configuration,
            algorithm: pipeline.services.algorithm
        )
        return ProbeStep(
            packet: packet,
            seen: SeenPacket(bytes, interface: label(packet.ingress)),
            stages: story.stages,
            emitted: emitted
        )
    }

    private var runCounts: [UInt64] { Program.allCases.map { pipeline.programs[$0] } }

    private mutating func emissions() -> [SeenPacket] {
        (0..<batch.emissionCount).compactMap { number in
            let emission = batch.emissions[number]
            let span = batch.bytes(of: emission)
            var bytes: [UInt8] = []
            bytes.reserveCapacity(span.byteCount)
            for place in 0..<span.byteCount { bytes.append(span.load8(place)) }
            return SeenPacket(bytes, interface: label(emission.egress), isGenerated: emission.isGenerated)
        }
    }

    private func label(_ interface: UInt16) -> String {
        let all = pipeline.interfaces.interfaces
        return Int(interface) < all.count ? all[Int(interface)].label : ""
    }

    /// The record of a flow by its number in events.
    private func flow(_ identifier: UInt64) -> Flow? {
        guard identifier > 0 else { return nil }
        for number in 1..<pipeline.flows.flows.highWater {
            let flow = pipeline.flows.flows[number]
            if flow.identifier == identifier && flow.transport.rawValue != 0 { return flow }
        }
        return nil
    }
}

/// What became of one packet.
struct ProbeStep: Sendable {
    let packet: Packet
    /// The packet as it came.
    let seen: SeenPacket?
    let stages: [ProbeStage]
    /// What left because of it.
    let emitted: [SeenPacket]

    /// The packet that the far end would answer with, if one was reached.
    var answer: [UInt8]? {
        guard packet.verdict == .forward || packet.verdict == .pass, packet.hasPorts, let sent = emitted.first else {
            return nil
        }
        let builder = PacketBuilder(from: sent.destination, to: sent.source)
        let tuple = packet.translated
        switch packet.transport {
        case .tcp:
            // A RST is not answered; a SYN is with SYN and ACK, the rest with an ACK.
            if packet.flags.contains(.rst) { return nil }
            let isOpening = packet.flags.contains(.syn) && !packet.flags.contains(.ack)
            return builder.tcp(
                tuple.destinationPort,
                tuple.sourcePort,
                flags: isOpening ? [.syn, .ack] : .ack,
                acknowledgment: 2
            )
        case .udp:
            return builder.udp(tuple.destinationPort, tuple.sourcePort)
        default:
            return builder.icmp(.echoReply, rest: UInt32(tuple.sourcePort) << 16 | 1)
        }
    }
}
