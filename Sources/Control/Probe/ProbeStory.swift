internal import Datapath
internal import Wire

/// What one program of the pipeline found, and what it did about it.
struct ProbeStage: Sendable {
    let program: String
    let hook: String
    let match: String
    let action: String
}

/// Tells what the programs did with a packet, from what they left behind.
struct ProbeStory: Sendable {
    let packet: Packet
    /// The programs that ran, in the order of the pipeline.
    let ran: [Program]
    let emitted: [SeenPacket]
    /// The packet's flow as it is now.
    let flow: Flow?
    /// The rules for its destination, if it is a Service's.
    let match: FrontendMatch?
    let sourceRole: AddressRole
    let destinationRole: AddressRole
    let interfaces: InterfaceTable
    let configuration: DatapathConfiguration
    let algorithm: BalancingAlgorithm

    /// A stage for each program that ran.
    var stages: [ProbeStage] {
        ran.map { program in
            let (match, action) = tell(program)
            return ProbeStage(
                program: program.name,
                hook: program.hook.name,
                match: match,
                action: program == deciding && isEnded ? ending : action
            )
        }
    }

    /// The last program that could let the packet go on; those behind it only carry out what it decided.
    private var deciding: Program? { ran.last { $0 != .reject && $0 != .answer } }

    /// Whether the packet's way ended before it was sent on.
    private var isEnded: Bool {
        switch packet.verdict {
        case .drop, .reject, .local, .answer, .hold: true
        default: false
        }
    }

    /// The verdict, with its reason in words.
    private var ending: String {
        if packet.reason == .none {
            return packet.verdict == .local ? "local: left to the node's own stack" : packet.verdict.word
        }
        return "\(packet.verdict.word) \(packet.reason.id): \(packet.reason.explanation.meaning)"
    }

    private func tell(_ program: Program) -> (match: String, action: String) {
        switch program {
        case .parse: (parsed, "in on \(label(packet.ingress))")
        case .screen: (addresses, "goes on")
        case .track: (tracked, trackAction)
        case .balance: (balanced, balanceAction)
        case .route: (routed, "leaves by \(label(packet.egress))")
        case .masquerade: (masqueraded, masqueradeAction)
        case .commit: committed
        case .translate: (translated, translateAction)
        case .reject: ("the sender is told", told)
        case .answer: (packet.transport == .udp ? "a query to the cluster's DNS" : "a ping to the node", told)
        default: ("", packet.conntrack.word)
        }
    }

    func label(_ interface: UInt16) -> String {
        Int(interface) < interfaces.interfaces.count ? interfaces.interfaces[Int(interface)].label : "none"
    }

    /// `203.0.113.2:40000 > 192.0.2.10:30080`, without ports where there are none.
    func text(_ tuple: FlowTuple) -> String {
        guard packet.hasPorts && packet.transport != .icmp else { return "\(tuple.source) > \(tuple.destination)" }
        return "\(tuple.source):\(tuple.sourcePort) > \(tuple.destination):\(tuple.destinationPort)"
    }

    private var parsed: String {
        guard packet.hasAddresses else { return "no IPv4 header" }
        let flags = packet.transport == .tcp ? " \(packet.flags)" : ""
        return
            "\(packet.transport)\(flags) \(text(packet.tuple)), \(packet.totalLength) bytes, ttl \(packet.timeToLive)"
    }

    private var addresses: String {
        "source is \(sourceRole.words), destination is \(destinationRole.words)"
    }

    private var isOfFlow: Bool { !ran.contains(.balance) && packet.flow > 0 }

    private var tracked: String {
        guard isOfFlow else { return "no flow has this tuple" }
        return "flow \(packet.flow), \(packet.conntrack == .reply ? "reply" : "original") direction"
    }

    private var trackAction: String {
        guard isOfFlow else { return "goes on" }
        return "\(packet.conntrack.word), \(flow?.state.name ?? "gone"), leaves by \(label(packet.egress))"
    }

    private var routed: String {
        let destination = packet.frontend == .none ? packet.tuple.destination : packet.backend.address
        guard let egress = interfaces.egress(to: destination) else { return "no interface leads to \(destination)" }
        let interface = interfaces.interfaces[Int(egress)]
        return "\(interface.label) leads to \(destination), mtu \(interface.mtu)"
    }

    private var committed: (match: String, action: String) {
        guard let flow, packet.flow > 0 else { return ("nothing that is tracked", "sent on without a flow") }
        let lifetime = (flow.deadline - packet.now) / 1_000_000_000
        return (
            "flow \(packet.flow), \(flow.state.name), kept \(lifetime) s", "replies are \(text(flow.reply))"
        )
    }

    private var translated: String { packet.translated == packet.tuple ? "nothing to rewrite" : text(packet.tuple) }

    private var translateAction: String {
        let addresses = packet.translated == packet.tuple ? "" : "\(text(packet.translated)), "
        let timeToLive = emitted.first.map { "ttl \(packet.timeToLive) becomes \($0.timeToLive)" } ?? "not sent"
        let parts = emitted.count > 1 ? ", in \(emitted.count) fragments" : ""
        return addresses + timeToLive + parts
    }

    /// What the datapath itself sent.
    private var told: String {
        guard let made = emitted.first(where: \.isGenerated) else {
            return "nothing is sent: the rules allow no answer"
        }
        return "\(made.text), by \(made.interface)"
    }
}

extension AddressRole {
    /// The role in a sentence.
    var words: String {
        switch self {
        case .node: "an address of the node"
        case .nameServer: "the cluster's DNS"
        case .clusterIP: "an allocated ClusterIP"
        case .external: "a load balancer's or external address"
        case .unallocated: "an unallocated ClusterIP"
        case .pod: "a pod's address"
        case .other: "outside the cluster"
        }
    }
}
