internal import Tables
internal import Wire

// Stage "related" (hook ingress): ICMP errors about a packet of a flow (RFC 5508 section 4). Such a packet is quoted as
// the datapath had sent it; it is turned back into what its sender had sent, and the error goes to that sender. An error
// never changes its flow: not its state, not its time.

extension Pipeline {
    /// The packet inside an error.
    struct Quote {
        var tuple: FlowTuple
        var transport: TransportProtocol
        /// Whether it answers an ICMP query.
        var isQueryReply = false
        /// Where its IP and transport headers begin, in bytes from the beginning of the frame.
        var header: Int
        var segment: Int
        /// Where what is quoted of it ends.
        var end: Int
    }

    /// Translates an ICMP error along its flow, or drops it under the reason why it cannot be; nil for one without a
    /// flow that does not concern a Service, which is plain traffic.
    mutating func related(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Outcome? {
        programs.add(.related)
        // RFC 5508 REQ-3: what a damaged error quotes means nothing.
        if packet.marks.contains(.badChecksum) { return .drop(.checksumL4) }
        if packet.icmpType == .redirect { return .drop(.icmpRedirect) }
        // An error has at most 576 bytes (RFC 1812 section 4.3.2.3), and what follows its first fragment could not be
        // translated.
        if packet.fragment.isFragment { return .drop(.icmpUnsupported) }
        let quote: Quote
        switch readQuote(packet, number, &batch) {
        case .success(let found): quote = found
        case .failure(.icmpUnrelated) where !isServiceAddress(packet.tuple.destination):
            // About a packet of a protocol that is not tracked.
            packet.conntrack = .untracked
            return nil
        case .failure(let reason): return .drop(reason)
        }
        let expected = quote.tuple.reversed
        let reference = flows.find(
            expected,
            quote.transport,
            hash: expected.hash(quote.transport, flows.hash),
            now: packet.now
        )
        guard !reference.isNone else {
            packet.conntrack = .untracked
            return concernsService(packet, quote) ? .drop(.icmpUnrelated) : nil
        }
        if packet.icmpType == .sourceQuench { return .drop(.icmpUnsupported) }
        // An error goes to whoever sent what it quotes (nf_conntrack_inet_error).
        guard packet.tuple.destination == quote.tuple.source else { return .drop(.icmpUnrelated) }
        let direction = reference.direction
        flows.flows[reference.number].describe(&packet, direction)
        packet.conntrack = .related
        let sent = flows.flows[reference.number].tuple(direction == .original ? .reply : .original)
        // An error of the far end itself comes from whom the client knows; one of a router on the way stays the router's.
        let isFromFarEnd = packet.tuple.source == quote.tuple.destination
        packet.translated = packet.tuple
        packet.translated.destination = sent.source
        if isFromFarEnd { packet.translated.source = sent.destination }
        guard let egress = interfaces.egress(to: packet.translated.destination) else { return .drop(.noRoute) }
        packet.egress = egress
        if egress == interfaces.host && !flows.flows[reference.number].isTranslated {
            return leaveToNode(&packet, number, &batch)
        }
        if let outcome = checkForwarding(&packet, number, &batch) { return outcome }
        rewrite(packet, quote, as: sent, outer: packet.translated, timeToLive: packet.timeToLive &- 1, number, &batch)
        guard emitWithinMTU(&packet, number, &batch) else { return .drop(.oversize) }
        return .sent(flows.flows[reference.number].isTranslated ? .forward : .pass)
    }

    /// Whether an error without a flow goes to an address of a Service, or speaks of a packet to or from one: nothing that
    /// is alive has sent such a packet.
    private func concernsService(_ packet: Packet, _ quote: Quote) -> Bool {
        isServiceAddress(packet.tuple.destination) || isServiceAddress(quote.tuple.source)
            || isServiceAddress(quote.tuple.destination)
    }

    private func isServiceAddress(_ address: IPv4Address) -> Bool {
        if isNodeAddress(address) { return false }
        return !services.kind(of: address).isEmpty || isAmongClusterIPs(address)
    }

    enum QuoteResult {
        case success(Quote)
        case failure(DropReason)
    }

    /// Reads the quoted headers: eight bytes of the transport header are enough (RFC 792).
    func readQuote(_ packet: Packet, _ number: Int, _ batch: inout Batch) -> QuoteResult {
        let header = Int(packet.headerLength) + ICMPv4Message.headerLength
        let end = Int(packet.length)
        let short: DropReason = packet.marks.contains(.truncated) ? .traceTruncated : .icmpInnerShort
        guard end - header >= IPv4Packet.minimumHeaderLength else { return .failure(short) }
        let frame = batch.frames.bytes(number, length: end)
        let field = IPv4Packet.Field.self
        let inner = Int(frame.load8(header) & 0xf) * 4
        guard frame.load8(header) >> 4 == 4, inner >= IPv4Packet.minimumHeaderLength, end - header >= inner else {
            return .failure(short)
        }
        guard Checksum.sum(frame, header..<header + inner) == 0xffff else { return .failure(.icmpInnerChecksum) }
        guard FragmentField(bits: frame.loadBE16(header + field.fragment)).offset == 0 else {
            return .failure(.icmpInnerFragment)
        }
        let segment = header + inner
        guard end - segment >= 8 else { return .failure(short) }
        let transport = TransportProtocol(rawValue: frame.load8(header + field.transport))
        var tuple = FlowTuple(
            source: IPv4Address(bits: frame.loadBE32(header + field.source)),
            sourcePort: frame.loadBE16(segment),
            destination: IPv4Address(bits: frame.loadBE32(header + field.destination)),
            destinationPort: frame.loadBE16(segment + 2)
        )
        var isQueryReply = false
        switch transport {
        case .tcp, .udp: break
        case .icmp:
            let type = ICMPv4Type(rawValue: frame.load8(segment))
            if type.isError { return .failure(.icmpErrorAboutError) }
            guard type.isQuery || type.isQueryReply else { return .failure(.icmpUnrelated) }
            isQueryReply = type.isQueryReply
            tuple.setIdentifier(
                frame.loadBE16(segment + ICMPv4Message.Field.identifier),
                isReply: isQueryReply
            )
        default:
            return .failure(.icmpUnrelated)
        }
        return .success(
            Quote(
                tuple: tuple,
                transport: transport,
                isQueryReply: isQueryReply,
                header: header,
                segment: segment,
                end: end
            )
        )
    }

    /// Turns the quoted packet into `sent`, and gives the error around it other addresses and another TTL; all checksums
    /// follow.
    func rewrite(
        _ packet: Packet,
        _ quote: Quote,
        as sent: FlowTuple,
        outer: FlowTuple,
        timeToLive: UInt8,
        _ number: Int,
        _ batch: inout Batch
    ) {
        var frame = batch.frames.frame(number, length: Int(packet.length))
        let field = IPv4Packet.Field.self
        let old = quote.tuple
        let addresses = Checksum.add(
            Checksum.delta(from: old.source.bits, to: sent.source.bits),
            Checksum.delta(from: old.destination.bits, to: sent.destination.bits)
        )
        let ports: UInt16
        let checkPlace: Int
        if quote.transport == .icmp {
            let identifier = quote.isQueryReply ? sent.destinationPort : sent.sourcePort
            ports = Checksum.delta(from: quote.isQueryReply ? old.destinationPort : old.sourcePort, to: identifier)
            frame.storeBE(identifier, at: quote.segment + ICMPv4Message.Field.identifier)
            checkPlace = quote.segment + ICMPv4Message.checksumOffset
        } else {
            ports = Checksum.add(
                Checksum.delta(from: old.sourcePort, to: sent.sourcePort),
                Checksum.delta(from: old.destinationPort, to: sent.destinationPort)
            )
            frame.storeBE(sent.sourcePort, at: quote.segment)
            frame.storeBE(sent.destinationPort, at: quote.segment + 2)
            let offset = quote.transport == .tcp ? TCPSegment.checksumOffset : UDPDatagram.checksumOffset
            checkPlace = quote.segment + offset
        }
        // The quoted IP header keeps its sum: its checksum takes up what the addresses add.
        frame.storeBE(sent.source.bits, at: quote.header + field.source)
        frame.storeBE(sent.destination.bits, at: quote.header + field.destination)
        let headerCheck = frame.loadBE16(quote.header + field.checksum)
        let newHeaderCheck = Checksum.update(headerCheck, by: addresses)
        frame.storeBE(newHeaderCheck, at: quote.header + field.checksum)
        var changed = Checksum.add(
            Checksum.add(addresses, ports),
            Checksum.delta(from: headerCheck, to: newHeaderCheck)
        )
        if quote.end - checkPlace >= 2 {
            let check = frame.loadBE16(checkPlace)
            let delta = quote.transport == .icmp ? ports : Checksum.add(addresses, ports)
            let updated =
                quote.transport == .udp
                ? UDPDatagram.update(check, by: delta) : Checksum.update(check, by: delta)
            frame.storeBE(updated, at: checkPlace)
            changed = Checksum.add(changed, Checksum.delta(from: check, to: updated))
        }
        let outerCheckPlace = Int(packet.headerLength) + ICMPv4Message.checksumOffset
        frame.storeBE(Checksum.update(frame.loadBE16(outerCheckPlace), by: changed), at: outerCheckPlace)

        let outerAddresses = Checksum.add(
            Checksum.delta(from: packet.tuple.source.bits, to: outer.source.bits),
            Checksum.delta(from: packet.tuple.destination.bits, to: outer.destination.bits)
        )
        let change = Checksum.delta(from: UInt16(packet.timeToLive) << 8, to: UInt16(timeToLive) << 8)
        frame.storeBE(outer.source.bits, at: field.source)
        frame.storeBE(outer.destination.bits, at: field.destination)
        frame.store8(timeToLive, at: field.timeToLive)
        let outerCheck = frame.loadBE16(field.checksum)
        frame.storeBE(Checksum.update(outerCheck, by: Checksum.add(outerAddresses, change)), at: field.checksum)
    }
}
