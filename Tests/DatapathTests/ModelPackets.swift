import Datapath
import TestSupport
import Testing
import Wire

/// The packets of a run against the model, each of which is judged at once.
extension ModelRun {
    /// Somebody asks: for a Service, or somebody outside.
    mutating func begin() {
        let client = generator.pick([W.client, W.client, W.outside, W.outOfRange])
        let port = UInt16(generator.pick([999, 1024, 8443, 30100, 40000, 40001, 40002, 40003, 40004]))
        var targets = [(W.node, UInt16(30070)), (Self.elsewhere, 7000)]
        if client == W.client { targets += [(W.vip, 7000), (W.vip, 7000), (W.outside, 443)] }
        let (address, targetPort) = generator.pick(targets)
        let transport = generator.pick([TransportProtocol.tcp, .tcp, .udp, .udp, .icmp])
        // From outside to outside nothing is to be routed; a query is for somebody outside.
        guard client == W.client || address == W.node else { return }
        var tuple = FlowTuple(source: client, sourcePort: port, destination: address, destinationPort: targetPort)
        if transport == .icmp {
            guard client == W.client else { return }
            tuple.destination = W.outside
            tuple.setIdentifier(port, isReply: false)
        }
        if transport == .tcp, let owner = model.owner(tuple, .tcp) {
            let state = model.entries[owner.place].state
            guard [.synSent, .timeWait, .close].contains(state) else { return }
            // Only a new connection has new numbers.
            if state != .synSent {
                send(tuple, .tcp, .syn, generator.word(), 0, replaces: owner.place)
            } else {
                let number = ends[model.entries[owner.place].identifier]?.next.client ?? 0
                send(tuple, .tcp, .syn, number &- 1, 0)
            }
            return
        }
        send(tuple, transport, .syn, generator.word(), 0)
    }

    /// A flow that lives gets its next packet, or one that has died.
    mutating func goOn() {
        let isLate = generator.chance(10) && !dead.isEmpty
        let all = isLate ? dead : model.live
        guard !all.isEmpty else { return }
        let entry = generator.pick(all)
        let isOriginal = generator.chance(50)
        if entry.transport != .tcp {
            // What nobody has asked for may be for the node itself: see `stray`.
            guard isOriginal || !isLate else { return }
            return send(isOriginal ? entry.original : entry.reply, entry.transport, [], 0, 0)
        }
        if isLate {
            // Anything but a SYN: to a Service it is too late.
            guard isFrontend(entry.original), model.owner(entry.original, .tcp) == nil else { return }
            return send(entry.original, .tcp, .ack, 1, 1)
        }
        segment(entry)
    }

    /// The next segment of a connection, as one of its ends would send it.
    private mutating func segment(_ entry: FlowModel.Entry) {
        if entry.state == .timeWait || entry.state == .close {
            guard let owner = model.owner(entry.original, .tcp) else { return }
            return send(entry.original, .tcp, .syn, generator.word(), 0, replaces: owner.place)
        }
        guard var peers = ends[entry.identifier] else { return }
        var isClient = generator.chance(50)
        var flags: TCPFlags = .ack
        switch entry.state {
        case .synSent: (isClient, flags) = (false, [.syn, .ack])
        case .synReceived: isClient = true
        case .established:
            flags = generator.pick([.ack, [.ack, .psh], [.ack, .fin], [.ack, .fin], [.rst, .ack]])
            if flags.contains(.fin) { peers.finOfClient = isClient }
        case .finWait, .closeWait:
            isClient = peers.finOfClient == false
            flags = generator.pick([.ack, [.ack, .fin]])
        case .lastAck: isClient = peers.finOfClient == true
        default: return
        }
        if entry.state == .synSent { peers.next.server = generator.word() }
        let (sequence, acknowledgment) =
            isClient ? (peers.next.client, peers.next.server) : (peers.next.server, peers.next.client)
        var step: UInt32 = flags.contains(.psh) ? 3 : 0
        if flags.contains(.fin) || flags.contains(.syn) { step = 1 }
        if isClient { peers.next.client &+= step } else { peers.next.server &+= step }
        ends[entry.identifier] = peers
        send(isClient ? entry.original : entry.reply, .tcp, flags, sequence, acknowledgment)
        if entry.state == .lastAck { reached["timeWait", default: 0] += 1 }
    }

    /// A backend sends to a client, unasked: from then on the tuple of an answer is its own.
    mutating func stray() {
        let port = UInt16(40000 + generator.pick(0..<5))
        let from = generator.pick([W.backend, W.otherBackend])
        send(
            FlowTuple(source: from, sourcePort: 5353, destination: W.client, destinationPort: port),
            .udp,
            [],
            0,
            0
        )
    }

    private static func bytes(
        _ tuple: FlowTuple,
        _ transport: TransportProtocol,
        _ flags: TCPFlags,
        _ sequence: UInt32,
        _ acknowledgment: UInt32
    ) -> [UInt8] {
        let builder = PacketBuilder(from: tuple.source, to: tuple.destination)
        switch transport {
        case .tcp:
            return builder.tcp(
                tuple.sourcePort,
                tuple.destinationPort,
                flags: flags,
                sequence: sequence,
                acknowledgment: flags.contains(.ack) ? acknowledgment : 0,
                payload: flags.contains(.psh) ? [1, 2, 3] : []
            )
        case .udp: return builder.udp(tuple.sourcePort, tuple.destinationPort, payload: [4, 5, 6])
        default:
            let isReply = tuple.destinationPort &+ 1 == tuple.sourcePort
            let identifier = isReply ? tuple.destinationPort : tuple.sourcePort
            return builder.icmp(isReply ? .echoReply : .echoRequest, rest: UInt32(identifier) << 16, payload: [7])
        }
    }

    /// The tuple of a packet, read by the book.
    private static func tuple(_ packet: Dissection) -> FlowTuple {
        var tuple = FlowTuple(
            source: packet.source,
            sourcePort: packet.sourcePort,
            destination: packet.destination,
            destinationPort: packet.destinationPort
        )
        if packet.transport == 1 {
            tuple.setIdentifier(UInt16(packet.icmpRest >> 16), isReply: packet.icmpType == 0)
        }
        return tuple
    }

    /// Sends a packet, and holds what becomes of it against the model.
    private mutating func send(
        _ tuple: FlowTuple,
        _ transport: TransportProtocol,
        _ flags: TCPFlags,
        _ sequence: UInt32,
        _ acknowledgment: UInt32,
        replaces: Int? = nil
    ) {
        operation = "\(transport) \(tuple) \(flags)"
        packets += 1
        reached["packet", default: 0] += 1
        let bytes = Self.bytes(tuple, transport, flags, sequence, acknowledgment)
        var feed = Feed(bytes)
        feed.now = model.now
        let treatment = harness.send([feed])[0]
        let owner = replaces == nil ? model.owner(tuple, transport) : nil
        if owner == nil && transport == .tcp && flags != .syn {
            reached["nostate", default: 0] += 1
            check(treatment.summary == "drop ct.nostate invalid", "is \(treatment.summary)")
            return
        }
        guard let sent = treatment.only.flatMap({ Dissection($0.bytes) }) else {
            issues.append("nothing was sent: \(treatment.summary)")
            return
        }
        let seen = Self.tuple(sent)
        issues += TestSupport.issues(in: sent.bytes, .validChecksums, .unchanged(since: bytes), .timeToLive(63))
        if let owner {
            let entry = model.entries[owner.place]
            let expected = owner.isOriginal ? entry.reply.reversed : entry.original.reversed
            check(seen == expected, "sent as \(seen), expected \(expected)")
            check(treatment.packet.flow == entry.identifier, "flow \(treatment.packet.flow), not \(entry.identifier)")
            check(treatment.verdict == (tuple == seen ? .pass : .forward), "verdict \(treatment.verdict)")
            if !owner.isOriginal { reached["reply", default: 0] += 1 }
            model.follow(owner.place, isOriginal: owner.isOriginal, flags)
        } else {
            if let replaces {
                let old = model.entries[replaces].identifier
                model.remove { $0.identifier == old }
                reached["replaced", default: 0] += 1
            }
            accept(tuple, seen, transport, treatment)
            ends[treatment.packet.flow] = Ends(next: (client: sequence &+ 1, server: 0), finOfClient: nil)
        }
    }

    /// Judges the choices of a new flow, which are free within rules, and enters it into the model.
    private mutating func accept(
        _ tuple: FlowTuple,
        _ seen: FlowTuple,
        _ transport: TransportProtocol,
        _ treatment: Treatment
    ) {
        reached["new", default: 0] += 1
        let isService = transport != .icmp && isFrontend(tuple)
        let isMasqueraded = isService && tuple.destination != W.vip
        var wanted = tuple
        if isService {
            check(backends.contains(seen.destination), "to \(seen.destination), which is no backend")
            (wanted.destination, wanted.destinationPort) = (seen.destination, transport == .tcp ? 8080 : 5353)
        }
        if isMasqueraded { wanted.source = W.node }
        func isUsable(_ port: UInt16) -> Bool { port >= 1024 && !(30000...32767).contains(port) && port != 8443 }
        let isFree = model.owner(wanted.reversed, transport) == nil
        if isFree && (!isMasqueraded || isUsable(tuple.sourcePort)) {
            check(seen == wanted, "sent as \(seen), expected \(wanted)")
        } else {
            reached["port", default: 0] += 1
            wanted.sourcePort = seen.sourcePort
            if transport == .icmp { wanted.destinationPort = seen.destinationPort }
            check(seen == wanted && isUsable(seen.sourcePort), "sent as \(seen), expected \(wanted) with another port")
            check(model.owner(seen.reversed, transport) == nil, "the answer to \(seen) is another flow's")
        }
        let identifier = treatment.packet.flow
        check(identifier > model.lastIdentifier, "flow \(identifier) after \(model.lastIdentifier)")
        check(treatment.conntrack == .new, "is \(treatment.conntrack)")
        let service = isService ? world.service(Self.names[transport] ?? "") : 0
        model.begin(tuple, seen.reversed, transport, identifier: identifier, service: service)
    }
}
