internal import Tables
internal import Wire

// Stage "answer" (hook egress), its other half: the cluster's DNS. Whole UDP queries to `dnsAddress` are answered here, live
// and in a replay; what else comes to that address is for the node, whose daemon listens there live (TCP, and queries
// in fragments).

extension Pipeline {
    /// Whether the datapath is the cluster's DNS at an address: a Service that owns it takes precedence.
    @inline(__always) func isNameServer(_ address: IPv4Address) -> Bool {
        configuration.dnsAddress == address && services.kind(of: address).isEmpty
    }

    /// Answers a query; leaves to the node what is none.
    mutating func serveNames(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        if packet.transport == .udp && packet.tuple.destinationPort == DNSHeader.port && packet.hasPorts
            && !packet.fragment.isFragment,
            let outcome = answerQuery(&packet, number, &batch)
        {
            return outcome
        }
        return deliverLocally(&packet, number, &batch)
    }

    /// Sends the response to a query back; nil when that is left to the node.
    private mutating func answerQuery(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        programs.add(.answer)
        packet.conntrack = .untracked
        if packet.marks.contains(.badChecksum) { return .drop(.checksumL4) }
        // RFC 768: nobody waits for an answer.
        if packet.tuple.sourcePort == 0 { return .drop(.malformedPortZero) }
        guard packet.length == Int32(packet.totalLength) else { return nil }
        guard let egress = interfaces.egress(to: packet.tuple.source) else { return .drop(.noRoute) }
        packet.egress = egress
        if let segmentation = Segmentation(packet) {
            return answerQueries(packet, segmentation, number, &batch)
        }
        let header = Int(packet.headerLength)
        let lengthPlace = header + UDPDatagram.Field.length
        // The parser has seen that the length of the datagram is one.
        let end = header + Int(batch.frames.bytes(number, length: lengthPlace + 2).loadBE16(lengthPlace))
        return answerQuery(packet, 0, header + UDPDatagram.headerLength..<end, number, &batch)
    }

    /// Answers each datagram of a super-packet, as far as there is room for answers; what they are together is for the
    /// event of them all.
    private mutating func answerQueries(
        _ packet: Packet,
        _ segmentation: Segmentation,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome? {
        let before = batch.emissionCount
        var outcome: Outcome?
        for index in 0..<segmentation.count {
            guard let one = answerQuery(packet, index, segmentation.payload(index), number, &batch) else { break }
            outcome = one
        }
        return batch.emissionCount > before ? .sent(.answer) : outcome
    }

    /// Sends the response to the query in a part of a frame back, the one of a packet's `index`; nil without room for it.
    private mutating func answerQuery(
        _ packet: Packet,
        _ index: Int,
        _ query: Range<Int>,
        _ number: Int,
        _ batch: inout Batch
    ) -> Outcome? {
        let headers = IPv4Packet.minimumHeaderLength + UDPDatagram.headerLength
        // The answer must fit the way back: it is not cut into fragments.
        let limit = max(Int(interfaces.facts[Int(packet.egress)].mtu), headers + DNSHeader.length)
        guard let buffer = batch.takeScratch(limit) else { return nil }
        let answered = Self.respond(services.names, batch.frames, number, query, &batch.scratch, buffer, limit: limit)
        let length = headers + answered
        batch.shrinkScratch(buffer, to: answered > 0 ? length : 0)
        if answered == 0 { return .drop(.dnsNoQuery) }
        var response = batch.scratch.frame(buffer, length: length)
        writeHeader(
            &response,
            typeOfService: 0,
            transport: .udp,
            from: packet.tuple.destination,
            to: packet.tuple.source,
            length: length
        )
        writeDatagram(&response, packet, length: length)
        var emission = packet.generated(buffer, length: length, number)
        emission.packetNumber &+= UInt64(truncatingIfNeeded: index)
        batch.emit(emission)
        return .sent(.answer)
    }

    /// Writes the response to the query in a part of a frame behind the headers of a buffer; returns its length.
    private static func respond(
        _ names: NameTable,
        _ frames: borrowing FramePool,
        _ number: Int,
        _ query: Range<Int>,
        _ scratch: inout FramePool,
        _ buffer: Int,
        limit: Int
    ) -> Int {
        let bytes = frames.bytes(number, length: query.upperBound).extracting(query)
        var room = scratch.frame(buffer, length: limit)
        let headers = IPv4Packet.minimumHeaderLength + UDPDatagram.headerLength
        var message = room._mutatingExtracting(headers..<room.byteCount)
        return names.respond(to: bytes, into: &message, .datagram)
    }

    /// Writes the UDP header of a response, its checksum included.
    private func writeDatagram(_ response: inout MutableRawSpan, _ packet: Packet, length: Int) {
        let udp = IPv4Packet.minimumHeaderLength
        response.storeBE(packet.tuple.destinationPort, at: udp + UDPDatagram.Field.sourcePort)
        response.storeBE(packet.tuple.sourcePort, at: udp + UDPDatagram.Field.destinationPort)
        response.storeBE(UInt16(truncatingIfNeeded: length - udp), at: udp + UDPDatagram.Field.length)
        response.storeBE(UInt16(0), at: udp + UDPDatagram.Field.checksum)
        let pseudo = Checksum.pseudoHeader(
            source: packet.tuple.destination,
            destination: packet.tuple.source,
            transport: TransportProtocol.udp.rawValue,
            length: length - udp
        )
        let check = ~Checksum.add(pseudo, Checksum.sum(response.bytes, udp..<length))
        response.storeBE(check == 0 ? 0xffff : check, at: udp + UDPDatagram.Field.checksum)
    }

    /// Why a packet of a replay is dropped that is an answer of the cluster's DNS: the datapath has given its own.
    ///
    /// Fed in unchanged it is like every packet from a Service's address. Live such answers come from the daemon.
    func refusalOfAnswer(_ packet: inout Packet) -> DropReason? {
        guard configuration.takesIngressFromSource, packet.hasAddresses, packet.transport == .udp,
            packet.fragment.offset > 0 || packet.hasPorts && packet.tuple.sourcePort == DNSHeader.port,
            isNameServer(packet.tuple.source)
        else { return nil }
        return configuration.reconstructsReplies ? .replayAnswered : .spoofVIP
    }
}
