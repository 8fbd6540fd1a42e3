internal import Tables
internal import Wire

// Stage "reset" (hook egress): the end of a TCP connection whose endpoint was deleted, where the configuration asks for it
// (`conntrack.resetDeletedEndpoints`).
//
// A reload only marks such a flow, because nobody knows then which sequence numbers both ends expect. The next segment of
// either end tells: its sender expects what it acknowledges, and the other end what it begins with. So both get a RST that
// RFC 5961 section 3.2 takes without a challenge. The flow lives on as a closed one, for segments that were on their way.

extension Pipeline {
    /// Sends a RST to both ends of an orphaned connection; nil for every other packet.
    mutating func reset(
        _ packet: inout Packet,
        _ reference: FlowReference,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome? {
        let flow = flows.flows[reference.number]
        // A RST is never answered, and without ACK nothing is known of what its sender expects.
        guard flow.flags.contains(.orphaned), packet.flags.contains(.ack), !packet.flags.contains(.rst),
            !packet.fragment.isFragment
        else { return nil }
        programs.add(.reset)
        flow.describe(&packet, reference.direction)
        if packet.marks.contains(.badChecksum) { return .drop(.checksumL4) }
        guard let back = batch.takeScratch(), let forth = batch.takeScratch() else { return .drop(.conntrackReset) }

        let sequence = word(TCPSegment.Field.sequence, of: packet, number, &batch)
        let acknowledgment = word(TCPSegment.Field.acknowledgment, of: packet, number, &batch)
        writeReset(packet.tuple.reversed, acknowledgment, acknowledging: nil, back, &batch)
        writeReset(packet.translated, sequence, acknowledging: acknowledgment, forth, &batch)
        let onward = packet.generated(forth, length: Self.resetLength, number)
        // The answer comes first: its interface is the one that the event names.
        packet.egress = flow.ingress(reference.direction)
        batch.emit(packet.generated(back, length: Self.resetLength, number))
        batch.emit(onward)

        tracker.close(&flows.flows[reference.number], now: packet.now)
        flows.follow(reference.number, from: flow.evictionClass, deadline: flow.deadline)
        return Outcome(verdict: .reject, reason: .conntrackReset)
    }

    /// A word of a packet's TCP header, which the parser found whole.
    private func word(_ offset: Int, of packet: Packet, _ number: Int, _ batch: inout Batch) -> UInt32 {
        let header = Int(packet.headerLength)
        return batch.frames.bytes(number, length: header + TCPSegment.minimumHeaderLength).loadBE32(header + offset)
    }

    private static var resetLength: Int { IPv4Packet.minimumHeaderLength + TCPSegment.minimumHeaderLength }

    /// Builds a RST in a scratch buffer (RFC 9293 section 3.10.7.1).
    private func writeReset(
        _ tuple: FlowTuple,
        _ sequence: UInt32,
        acknowledging acknowledgment: UInt32?,
        _ buffer: Int,
        _ batch: inout Batch
    ) {
        let header = IPv4Packet.minimumHeaderLength
        let tcp = TCPSegment.Field.self
        var bytes = batch.scratch.frame(buffer, length: Self.resetLength)
        bytes.storeBE(tuple.sourcePort, at: header + tcp.sourcePort)
        bytes.storeBE(tuple.destinationPort, at: header + tcp.destinationPort)
        bytes.storeBE(sequence, at: header + tcp.sequence)
        bytes.storeBE(acknowledgment ?? 0, at: header + tcp.acknowledgment)
        bytes.store8(UInt8(TCPSegment.minimumHeaderLength / 4) << 4, at: header + tcp.dataOffset)
        let flags: TCPFlags = acknowledgment == nil ? .rst : [.rst, .ack]
        bytes.store8(flags.rawValue, at: header + tcp.flags)
        bytes.storeBE(UInt16(0), at: header + tcp.window)
        bytes.storeBE(UInt32(0), at: header + tcp.checksum)
        let pseudo = Checksum.pseudoHeader(
            source: tuple.source,
            destination: tuple.destination,
            transport: TransportProtocol.tcp.rawValue,
            length: TCPSegment.minimumHeaderLength
        )
        let sum = Checksum.add(pseudo, Checksum.sum(bytes.bytes, header..<Self.resetLength))
        bytes.storeBE(~sum, at: header + tcp.checksum)
        writeHeader(
            &bytes,
            typeOfService: 0,
            transport: .tcp,
            from: tuple.source,
            to: tuple.destination,
            length: Self.resetLength
        )
    }
}
