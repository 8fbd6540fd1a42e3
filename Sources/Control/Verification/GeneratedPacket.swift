internal import Datapath
internal import Wire

/// A packet that the datapath made: an ICMP error, or the answer to a question.
struct GeneratedPacket {
    enum Kind {
        case error, echo, answer
        /// The RST to the other end of a connection whose endpoint was deleted; its sender gets an answer.
        case reset
    }

    let kind: Kind
    let cause: SightedPacket
    let sent: SightedPacket

    /// Nil if what was sent is the packet itself, translated.
    ///
    /// An error is one where none was received; an answer has the tuple of what was received the other way round.
    init?(cause: SightedPacket, sent: SightedPacket) {
        if let type = sent.icmpType, type.isError, cause.icmpType?.isError != true {
            kind = .error
        } else if cause.icmpType == .echoRequest && sent.icmpType == .echoReply {
            kind = .echo
        } else if cause.transport != .icmp, cause.transport == sent.transport, let asked = cause.tuple(),
            let answered = sent.tuple(), answered == asked.reversed
        {
            kind = .answer
        } else if let received = cause.tcpFlags, let flags = sent.tcpFlags, flags.contains(.rst),
            !received.contains(.rst)
        {
            kind = .reset
        } else {
            return nil
        }
        self.cause = cause
        self.sent = sent
    }

    /// How much of a packet an error quotes (RFC 1812 section 4.3.2.3).
    private static let quoteLimit = 548

    var objections: [Objection] {
        var found: [Objection] = []
        func add(_ check: VerificationCheck, _ message: String) {
            found.append(Objection(check: check, message: message))
        }
        if !sent.isHeaderChecksumValid { add(.checksumIP, "was generated with a wrong IPv4 checksum") }
        if !cause.isHeaderChecksumValid { add(.checksumIP, "was answered, with a wrong IPv4 checksum as received") }
        if kind == .echo {
            // Derived from the question's: as good or bad as that was.
            if cause.transportResidue != sent.transportResidue {
                add(.checksumTransport, "has an ICMP checksum that does not follow from the one received")
            }
        } else if sent.isTransportChecksumValid != true && !sent.hasNoChecksum {
            add(.checksumTransport, "was generated with a wrong \(sent.transport.description.uppercased()) checksum")
        }
        if sent.destination != cause.source && kind != .reset {
            add(.generated, "was generated, but not for the sender")
        }
        if sent.fragment.isFragment { add(.generated, "was generated as a fragment") }
        switch kind {
        case .error: if let message = quoteObjection { add(.generated, message) }
        case .echo: if let message = echoObjection { add(.generated, message) }
        case .answer, .reset: break
        }
        return found
    }

    private var quoteObjection: String? {
        let quote = sent.bytes.dropFirst(sent.headerLength + ICMPv4Message.headerLength)
        if quote.count != min(cause.bytes.count, Self.quoteLimit) { return "quotes \(quote.count) bytes" }
        return quote.elementsEqual(cause.bytes.prefix(quote.count)) ? nil : "does not quote what was received"
    }

    /// Identifier, sequence number and data come back as they were (RFC 792).
    private var echoObjection: String? {
        if sent.source != cause.destination { return "does not answer from where it was asked" }
        let question = cause.bytes.dropFirst(cause.headerLength + ICMPv4Message.Field.identifier)
        let answer = sent.bytes.dropFirst(sent.headerLength + ICMPv4Message.Field.identifier)
        return question.elementsEqual(answer) ? nil : "does not give the data back that were received"
    }
}
