import Datapath
import Wire

/// What a plain reader of the rules would know of flows: less than the datapath, but certainly.
///
/// An entry is a flow that must be alive for a while, and how its packets leave. What the model is not sure of it forgets.
struct SequenceModel {
    struct Key: Hashable {
        var tuple: FlowTuple
        var transport: TransportProtocol
    }

    /// How packets with a tuple leave until a time.
    private struct Flow {
        var translated: FlowTuple
        var end: UInt64
        var isAnswered = false
        var isService: Bool
    }

    private var flows: [Key: Flow] = [:]

    /// How a packet must leave; nil where the model does not know.
    func expectation(_ tuple: FlowTuple, _ transport: TransportProtocol, now: UInt64) -> FlowTuple? {
        let key = Key(tuple: tuple, transport: transport)
        if let flow = flows[key] { return flow.end > now ? flow.translated : nil }
        let reversed = flows.first { $0.value.translated.reversed == tuple && $0.key.transport == transport }
        return reversed.flatMap { $0.value.end > now ? $0.key.tuple.reversed : nil }
    }

    /// Takes over a packet that was sent on.
    mutating func note(_ packet: Packet, isService: Bool) {
        guard packet.transport == .tcp || packet.transport == .udp else { return }
        let key = Key(tuple: packet.tuple, transport: packet.transport)
        if packet.marks.contains(.opensFlow) {
            forget(packet)
            let isBeginning = packet.transport == .udp || packet.flags == .syn
            if !isBeginning { return }
            // A UDP flow lives 30 s at least, a connection that begins 60 s (docs/conntrack.md).
            flows[key] = Flow(
                translated: packet.translated,
                end: packet.now + (packet.transport == .udp ? 30 : 60) * Timeouts.second,
                isService: isService
            )
            return
        }
        // A connection that may be ending is left alone.
        if packet.transport == .tcp && !packet.flags.isDisjoint(with: [.fin, .rst]) { return forget(packet) }
        guard packet.transport == .udp else { return }
        let place = packet.conntrack == .reply ? Key(tuple: packet.translated.reversed, transport: .udp) : key
        if flows[place] == nil { return }
        if packet.conntrack == .reply { flows[place]?.isAnswered = true }
        let seconds: UInt64 = flows[place]?.isAnswered == true ? 120 : 30
        flows[place]?.end = packet.now + seconds * Timeouts.second
    }

    /// Forgets the flows that a packet may belong to.
    mutating func forget(_ packet: Packet) {
        for tuple in [packet.tuple, packet.tuple.reversed, packet.translated, packet.translated.reversed] {
            flows[Key(tuple: tuple, transport: packet.transport)] = nil
        }
    }

    /// Forgets everything.
    mutating func forgetAll() { flows.removeAll(keepingCapacity: true) }

    /// Forgets what other rules may end: everything but the flows that they contain as they are.
    mutating func keep(_ cluster: SequenceCluster) {
        flows = flows.filter { key, flow in
            let endpoints = cluster.endpoints(key.tuple.destination, key.tuple.destinationPort, key.transport)
            guard let endpoints else { return !flow.isService || key.transport == .tcp }
            let backend = FlowEndpoint(address: flow.translated.destination, port: flow.translated.destinationPort)
            return flow.isService && (key.transport == .tcp || endpoints.contains(backend))
        }
    }
}
