internal import Tables
internal import Wire

// Stage "answer" (hook egress): what the datapath replies to itself: pings to an address of the node (RFC 1122
// section 3.2.2.6).

extension Pipeline {
    /// Sends an echo request back as a reply, with the same payload; nil when that is left to the node.
    mutating func answerEcho(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        programs.add(.answer)
        if packet.marks.contains(.badChecksum) { return .drop(.checksumL4) }
        // Half of an answer would be wrong; a packet that a capture cut is left to the node.
        guard packet.length == Int32(packet.totalLength), let egress = interfaces.egress(to: packet.tuple.source),
            let buffer = batch.takeScratch(Int(packet.length))
        else { return nil }
        packet.conntrack = .untracked
        let header = Int(packet.headerLength)
        let message = Int(packet.length) - header
        let length = IPv4Packet.minimumHeaderLength + message
        let typeOfService = batch.frames.bytes(number, length: header).load8(IPv4Packet.Field.typeOfService)
        batch.scratch.copy(
            from: batch.frames,
            number,
            header..<Int(packet.length),
            to: buffer,
            at: IPv4Packet.minimumHeaderLength
        )
        var reply = batch.scratch.frame(buffer, length: length)
        let icmp = IPv4Packet.minimumHeaderLength
        reply.store8(ICMPv4Type.echoReply.rawValue, at: icmp)
        // Type 8 becomes 0: the high byte of the first word.
        let delta = Checksum.delta(from: UInt16(0x0800), to: UInt16(0))
        reply.storeBE(Checksum.update(reply.loadBE16(icmp + 2), by: delta), at: icmp + 2)
        writeHeader(
            &reply,
            typeOfService: typeOfService,
            transport: .icmp,
            from: packet.tuple.destination,
            to: packet.tuple.source,
            length: length
        )
        packet.egress = egress
        batch.emit(packet.generated(buffer, length: length, number))
        return .sent(.answer)
    }
}
