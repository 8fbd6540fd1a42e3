import Datapath
import TestSupport
import Wire

// What must hold, whatever the sequence.

extension SequenceSession {
    /// Something that leaves is a packet, with right checksums, and what is sent on has left the Services' addresses behind.
    func checkSound(_ sent: SentPacket, isSentOn: Bool) {
        guard let packet = Dissection(sent.bytes) else { preconditionFailure("something leaves that is no packet") }
        precondition(packet.isHeaderChecksumValid, "a bad header checksum leaves")
        precondition(packet.isTransportChecksumValid, "a bad transport checksum leaves")
        guard isSentOn else { return }
        precondition(packet.destination.bits >> 16 != 0x0a60, "a packet leaves for a ClusterIP")
    }

    /// A new flow to a Service has one of its endpoints; to a Service without any there is none.
    func checkChoice(_ packet: Packet) {
        let tuple = packet.tuple
        let endpoints = cluster.endpoints(tuple.destination, tuple.destinationPort, packet.transport)
        precondition((endpoints != nil) == (packet.service != 0), "the rules do not say what a new flow is for")
        guard let endpoints else {
            precondition(packet.translated.destination == tuple.destination, "plain traffic goes elsewhere")
            return
        }
        let backend = FlowEndpoint(
            address: packet.translated.destination,
            port: packet.translated.destinationPort
        )
        precondition(endpoints.contains(backend), "a new flow has an endpoint that the Service has not")
    }

    /// A tuple belongs to one live flow.
    func checkTuples() {
        var seen = Set<SequenceModel.Key>()
        for flow in liveFlows {
            for tuple in [flow.original, flow.reply] {
                let isNew = seen.insert(.init(tuple: tuple, transport: flow.transport)).inserted
                precondition(isNew, "two flows share a tuple")
            }
        }
    }

    /// Every UDP flow is as the rules have it.
    func checkAgreement() {
        for flow in liveFlows where flow.transport == .udp {
            let endpoints = cluster.endpoints(flow.original.destination, flow.original.destinationPort, .udp)
            if flow.frontend == .none {
                precondition(endpoints == nil, "a flow is passed on although there is a Service")
            } else {
                precondition(endpoints?.contains(flow.backend) == true, "a flow keeps an endpoint that is gone")
            }
        }
    }
}
