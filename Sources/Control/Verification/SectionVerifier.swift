internal import Capture
internal import Datapath
internal import Wire

/// Checks the records of one section of a trace, in their order.
struct SectionVerifier {
    var points = CapturePoints()
    private var window: PacketWindow
    private var flows: FlowLedger
    private var paths = FragmentPaths()
    private var options = OptionUse()
    /// Whether the records are in the order of the packets, as a replay writes them.
    private let isSequential: Bool
    private var lastReceived: UInt64?
    private var lastTime: UInt64 = 0

    init(_ section: PcapngSection) {
        isSequential = section.comment?.hasPrefix("replay") ?? false
        window = PacketWindow(isSequential: isSequential)
        flows = FlowLedger(isSequential: isSequential)
    }

    /// Takes in a record.
    mutating func add(
        _ record: PcapngPacket,
        _ bytes: [UInt8],
        _ comments: [String],
        _ report: inout VerificationReport
    ) {
        report.frames += 1
        func finding(_ check: VerificationCheck, _ message: String) -> VerificationFinding {
            VerificationFinding(check: check, frame: record.number, packet: record.packetID, message: message)
        }
        guard let place = points.count(record.interface) else { return }
        guard let number = record.packetID else { return report.add(finding(.sightings, "has no packet id")) }
        if record.flags != (place.kind == .sent ? 2 : 1) {
            report.add(finding(.sightings, "the direction flags do not fit the capture point"))
        }
        if record.verdict != nil && record.verdictKind != TraceVerdictKind.expressDataPath.rawValue {
            report.add(finding(.verdicts, "the verdict option is not of the kind that Culvert writes"))
        }
        var comment: TraceComment?
        do throws(TraceComment.Fault) {
            comment = try Self.comment(comments)
        } catch {
            report.add(finding(.comments, error.message))
        }
        let sighting = Sighting(record, id: number, place: place, bytes: bytes, comment: comment)
        switch place.kind {
        case .received: receive(sighting, &report)
        case .sent: send(sighting, &report)
        case .dropped: drop(sighting, &report)
        }
    }

    /// Ends the section: what is still open is all that there is of it.
    mutating func finish(_ report: inout VerificationReport) {
        for packet in window.closeAll() { close(packet, &report) }
        points.finish(&report)
        options.finish(&report)
        report.flows += flows.count
        if window.hasForgotten { report.note("more fragments were held than can be kept in mind: some went unchecked") }
        if flows.hasForgotten { report.note("more flows than can be kept in mind: the oldest were forgotten") }
        report.settleMissing(hasLosses: points.hasLosses)
    }

    /// The structured comment among those of a record; people may have added others.
    private static func comment(_ texts: [String]) throws(TraceComment.Fault) -> TraceComment? {
        let meant = texts.filter(TraceComment.isMeant)
        guard let text = meant.first else { return nil }
        if meant.count > 1 { throw TraceComment.Fault(message: "there is more than one structured comment") }
        return try TraceComment(text)
    }

    private mutating func receive(_ sighting: Sighting, _ report: inout VerificationReport) {
        report.packets += 1
        if window[sighting.packet] != nil {
            report.add(sighting.finding(.sightings, "is received twice"))
        } else if isSequential, let last = lastReceived, sighting.packet <= last {
            report.add(sighting.finding(.sightings, "is received after packet \(last)"))
        }
        lastReceived = max(lastReceived ?? 0, sighting.packet)
        lastTime = sighting.time
        if let comment = sighting.comment {
            if comment.verdict != .hold { report.add(sighting.finding(.comments, "is commented before its end")) }
            add(CommentChecks.held(sighting, comment), sighting, &report)
        }
        if sighting.verdictCode != nil { report.add(sighting.finding(.verdicts, "has a verdict before its end")) }
        for packet in window.begin(sighting) { close(packet, &report) }
    }

    /// A packet of which nothing more comes.
    private mutating func close(_ packet: OpenPacket, _ report: inout VerificationReport) {
        let received = packet.received
        if let fragmentation = packet.fragmentation, let ip = received.ip, !fragmentation.isComplete(ip) {
            report.addMissing(received.finding(.fragments, "was sent in fragments that do not add up to it"))
        }
        if packet.sent > 0 || packet.isDropped { return }
        guard packet.mayBeHeld, let ip = received.ip else {
            return report.addMissing(received.finding(.sightings, "is received, and nothing becomes of it"))
        }
        options.endsNotably(received)
        if !ip.isHeaderChecksumValid {
            report.add(received.finding(.checksumIP, "is held, with a wrong IPv4 checksum"))
        }
        add(Self.lengthObjections(received, ip), received, &report)
        window.hold(packet)
    }

    private mutating func drop(_ sighting: Sighting, _ report: inout VerificationReport) {
        guard var packet = window[sighting.packet] else { return reportUnknown(sighting, &report) }
        let received = packet.received
        if packet.sent > 0 || packet.isDropped {
            report.add(sighting.finding(.sightings, "is dropped, after frame \(received.frame) had its end"))
        }
        packet.isDropped = true
        window[sighting.packet] = packet
        checkTime(sighting, received, &report)
        if sighting.bytes != received.bytes || sighting.wireLength != received.wireLength {
            report.add(sighting.finding(.unchanged, "is dropped, and not as received in frame \(received.frame)"))
        }
        options.end(sighting)
        options.endsNotably(sighting)
        add(CommentChecks.dropped(sighting, received), sighting, &report)
        if let comment = sighting.comment { checkFlow(of: received, sighting, comment, &report) }
    }

    private mutating func send(_ sighting: Sighting, _ report: inout VerificationReport) {
        guard let ip = sighting.ip else { return report.add(sighting.finding(.lengths, "is sent, and no IPv4 packet")) }
        add(Self.lengthObjections(sighting, ip), sighting, &report)
        guard var packet = window[sighting.packet] else {
            guard let held = window.release(sighting.packet), let original = held.ip else {
                return reportUnknown(sighting, &report)
            }
            checkTime(sighting, nil, &report)
            add(sendObjections(original, ip, held, sighting, isEnd: false), sighting, &report)
            return
        }
        defer { window[sighting.packet] = packet }
        packet.sent += 1
        let received = packet.received
        checkTime(sighting, received, &report)
        if packet.isDropped { report.add(sighting.finding(.sightings, "is sent, and was dropped before")) }
        if packet.sent == 1 { options.end(sighting) }
        guard let original = received.ip else {
            return report.add(sighting.finding(.lengths, "is sent, and was no IPv4 packet in frame \(received.frame)"))
        }
        if let generated = GeneratedPacket(cause: original, sent: ip) {
            if packet.sent > 1 && (generated.kind != .reset || packet.sent > 2) {
                report.add(sighting.finding(.sightings, "is answered more than once"))
            }
            if packet.sent == 1 { options.endsNotably(sighting) }
            options.answers(received)
            add(Self.lengthObjections(received, original) + generated.objections, sighting, &report)
            add(CommentChecks.generated(sighting, received, generated), sighting, &report)
            if let comment = sighting.comment { checkFlow(of: received, sighting, comment, &report) }
            return
        }
        if packet.fragmentation != nil || packet.sent == 1 && Fragmentation.applies(original, ip) {
            sendPart(sighting, ip, original, &packet, &report)
            return
        }
        if packet.sent > 1 { return report.add(sighting.finding(.sightings, "is sent more than once")) }
        add(sendObjections(original, ip, received, sighting, isEnd: true), sighting, &report)
        track(sighting, ip, original, received, &report)
    }

    /// A fragment that the datapath cut.
    private mutating func sendPart(
        _ sighting: Sighting,
        _ ip: SightedPacket,
        _ original: SightedPacket,
        _ packet: inout OpenPacket,
        _ report: inout VerificationReport
    ) {
        if packet.sent == 1 {
            add(Self.receivedObjections(packet.received, original), packet.received, &report)
            add(CommentChecks.sent(sighting, packet.received), sighting, &report)
            track(sighting, ip, original, packet.received, &report)
        }
        var fragmentation = packet.fragmentation ?? Fragmentation()
        add(fragmentation.add(ip, of: original), sighting, &report)
        packet.fragmentation = fragmentation
    }

    /// What is wrong with a packet that was sent in one piece.
    private mutating func sendObjections(
        _ original: SightedPacket,
        _ ip: SightedPacket,
        _ received: Sighting,
        _ sighting: Sighting,
        isEnd: Bool
    ) -> [Objection] {
        var found = Self.receivedObjections(received, original)
        let isSame = sighting.bytes == received.bytes
        if isEnd { found += CommentChecks.sent(sighting, received) }
        // Left to the node: as received. A fragment that is released does not say whether it is.
        if CommentChecks.isLocal(sighting) ?? isSame {
            options.endsNotably(sighting, unless: !isEnd)
            if !isSame { found.append(Objection(check: .timeToLive, message: "is left to the node, not as received")) }
            if !ip.isHeaderChecksumValid {
                found.append(Objection(check: .checksumIP, message: "is left to the node with a wrong IPv4 checksum"))
            }
        } else {
            found += Translation(received: original, sent: ip).objections
        }
        if sighting.wireLength != received.wireLength {
            let message = "has \(sighting.wireLength) bytes on the wire, received with \(received.wireLength)"
            found.append(Objection(check: .lengths, message: message))
        }
        if let message = paths.follow(original, ip) { found.append(Objection(check: .fragments, message: message)) }
        return found
    }

    /// Puts a packet that was sent on into its flow.
    private mutating func track(
        _ sighting: Sighting,
        _ ip: SightedPacket,
        _ original: SightedPacket,
        _ received: Sighting,
        _ report: inout VerificationReport
    ) {
        if CommentChecks.isLocal(sighting) ?? (sighting.bytes == received.bytes) { return }
        if let before = original.tuple(), let after = ip.tuple() {
            let step = FlowStep(
                received: before,
                sent: after,
                transport: original.transport,
                flags: original.tcpFlags ?? [],
                time: sighting.time,
                comment: sighting.comment
            )
            if let message = flows.follow(step) { report.addMissing(sighting.finding(.flows, message)) }
            return
        }
        if let comment = sighting.comment { checkFlow(of: received, sighting, comment, &report) }
        guard let before = original.quote, let after = ip.quote, let quoted = before.tuple(isQuoted: true),
            let expected = flows.original(ofQuote: quoted, before.transport)
        else { return }
        if after.tuple(isQuoted: true) != expected {
            report.add(sighting.finding(.flows, "quotes what is not the packet of the flow, \(expected.text)"))
        } else if ip.destination != expected.source {
            report.add(sighting.finding(.flows, "does not go to who sent what it quotes, \(expected.source)"))
        }
    }

    private func checkFlow(
        of received: Sighting,
        _ sighting: Sighting,
        _ comment: TraceComment,
        _ report: inout VerificationReport
    ) {
        guard comment.flow > 0, let ip = received.ip else { return }
        if let tuple = ip.tuple() {
            guard let message = flows.check(tuple, ip.transport, comment) else { return }
            report.addMissing(sighting.finding(.flows, message))
        } else if let quote = ip.quote, let tuple = quote.tuple(isQuoted: true) {
            let number = flows.number(ofQuote: tuple, quote.transport)
            if number == 0 || number == comment.flow { return }
            report.addMissing(sighting.finding(.flows, "quotes a packet of flow \(number), not \(comment.flow)"))
        }
    }

    /// All records of a packet have the time of the packet; what is released has that of the packet that releases it.
    private func checkTime(_ sighting: Sighting, _ received: Sighting?, _ report: inout VerificationReport) {
        let isWrong = isSequential ? sighting.time != lastTime : received.map { sighting.time < $0.time } ?? false
        if isWrong { report.add(sighting.finding(.sightings, "has another time than when it was received")) }
    }

    private func reportUnknown(_ sighting: Sighting, _ report: inout VerificationReport) {
        guard !window.hasForgotten else { return }
        report.addMissing(sighting.finding(.sightings, "was not received before"))
    }

    /// What has to hold for a packet as received before anything can be sent for it.
    private static func receivedObjections(_ received: Sighting, _ ip: SightedPacket) -> [Objection] {
        var found = lengthObjections(received, ip)
        if !ip.isHeaderChecksumValid {
            let message = "was sent on, with a wrong IPv4 checksum as received in frame \(received.frame)"
            found.append(Objection(check: .checksumIP, message: message))
        }
        return found
    }

    private static func lengthObjections(_ sighting: Sighting, _ ip: SightedPacket) -> [Objection] {
        if sighting.wireLength == ip.totalLength { return [] }
        let message = "has \(sighting.wireLength) bytes, and \(ip.totalLength) by its header"
        return [Objection(check: .lengths, message: message)]
    }

    private func add(_ objections: [Objection], _ sighting: Sighting, _ report: inout VerificationReport) {
        for objection in objections { report.add(sighting.finding(objection.check, objection.message)) }
    }
}
