package import Datapath
internal import Wire

/// Writes what became of packets as events: an object of JSON or a line of text each (DESIGN section 5 is the contract).
package struct EventFormatter: Sendable {
    private let interfaces: [String]
    /// Whether lines for people mark what was not simply sent on; JSON never is colored.
    package var isColored = false
    private let names: [String]

    /// `names` are those of the ServicePorts, by number.
    package init(interfaces: InterfaceTable, names: [String]) {
        self.interfaces = interfaces.interfaces.map(\.label)
        self.names = names
    }

    /// Appends an event as one line of JSON; all keys are always there.
    package func appendJSON(_ packet: Packet, to text: inout TextBuffer) {
        text.append("{\"packet\":")
        text.append(packet.number)
        text.append(",\"time\":\"")
        text.append(time: packet.time)
        text.append("\",\"interface\":")
        text.append(quoted: label(packet.ingress))
        text.append(",\"verdict\":\"")
        text.append(packet.verdict.word)
        text.append("\",\"reason\":")
        appendWord(packet.reason.id, to: &text)
        text.append(",\"protocol\":")
        if packet.hasAddresses { appendQuoted(packet.transport, to: &text) } else { text.append("null") }
        text.append(",\"flags\":")
        if packet.transport == .tcp && packet.hasPorts {
            text.append("\"")
            text.append(packet.flags.description)
            text.append("\"")
        } else {
            text.append("null")
        }
        text.append(",\"length\":")
        text.append(packet.hasAddresses ? UInt64(packet.totalLength) : UInt64(max(packet.length, 0)))
        text.append(",\"source\":")
        appendEndpoint(packet, packet.tuple.source, packet.tuple.sourcePort, isThere: packet.hasAddresses, to: &text)
        text.append(",\"destination\":")
        appendEndpoint(
            packet,
            packet.tuple.destination,
            packet.tuple.destinationPort,
            isThere: packet.hasAddresses,
            to: &text
        )
        let isSent = packet.isSent
        text.append(",\"translatedSource\":")
        appendEndpoint(packet, packet.translated.source, packet.translated.sourcePort, isThere: isSent, to: &text)
        text.append(",\"translatedDestination\":")
        appendEndpoint(
            packet,
            packet.translated.destination,
            packet.translated.destinationPort,
            isThere: isSent,
            to: &text
        )
        appendService(packet, to: &text)
        text.append(",\"conntrack\":\"")
        text.append(packet.conntrack.word)
        text.append("\",\"flow\":")
        if packet.flow > 0 { text.append(packet.flow) } else { text.append("null") }
        text.append(",\"egress\":")
        if packet.emissions > 0 { text.append(quoted: label(packet.egress)) } else { text.append("null") }
        if packet.marks.contains(.reconstructed) { text.append(",\"reconstructed\":true") }
        text.append("}\n")
    }

    private func appendService(_ packet: Packet, to text: inout TextBuffer) {
        text.append(",\"service\":")
        let name = serviceName(packet)
        if name.isEmpty { text.append("null") } else { text.append(quoted: name) }
        text.append(",\"frontend\":")
        appendWord(packet.frontend.word, to: &text)
        text.append(",\"backend\":")
        if packet.hasBackend {
            text.append("\"")
            text.append(packet.backend.address, port: packet.backend.port)
            text.append("\"")
        } else {
            text.append("null")
        }
        text.append(packet.masquerade ? ",\"masquerade\":true" : ",\"masquerade\":false")
    }

    /// Appends an event as one line for people: what came, what it became, and why.
    package func appendLine(_ packet: Packet, to text: inout TextBuffer) {
        text.append(packet.number)
        text.append(" ")
        text.append(time: packet.time)
        text.append(" ")
        text.append(label(packet.ingress))
        text.append(" ")
        let color = isColored ? packet.verdict.color : nil
        if let color { text.append("\u{1B}[\(color)m") }
        text.append(packet.verdict.word)
        if packet.reason != .none {
            text.append("(")
            text.append(packet.reason.id)
            text.append(")")
        }
        if color != nil { text.append("\u{1B}[0m") }
        if packet.hasAddresses {
            text.append(" ")
            text.append(packet.transport.description)
            if packet.transport == .tcp && packet.hasPorts {
                text.append(" ")
                text.append(packet.flags.description)
            }
            text.append(" ")
            appendTuple(packet.tuple, packet, to: &text)
        }
        if packet.isSent && packet.translated != packet.tuple {
            text.append(" => ")
            appendTuple(packet.translated, packet, to: &text)
        }
        appendFields(packet, to: &text)
        text.append("\n")
    }

    private func appendTuple(_ tuple: FlowTuple, _ packet: Packet, to text: inout TextBuffer) {
        appendPlain(packet, tuple.source, tuple.sourcePort, to: &text)
        text.append(" > ")
        appendPlain(packet, tuple.destination, tuple.destinationPort, to: &text)
    }

    private func appendFields(_ packet: Packet, to text: inout TextBuffer) {
        let name = serviceName(packet)
        if !name.isEmpty {
            text.append(" service=")
            text.append(name)
            text.append(" frontend=")
            text.append(packet.frontend.word)
        }
        if packet.hasBackend {
            text.append(" backend=")
            text.append(packet.backend.address, port: packet.backend.port)
        }
        if packet.masquerade { text.append(" masquerade") }
        text.append(" conntrack=")
        text.append(packet.conntrack.word)
        if packet.flow > 0 {
            text.append(" flow=")
            text.append(packet.flow)
        }
        if packet.emissions > 0 {
            text.append(" egress=")
            text.append(label(packet.egress))
        }
        if packet.marks.contains(.reconstructed) { text.append(" reconstructed") }
    }

    private func serviceName(_ packet: Packet) -> String {
        Int(packet.service) < names.count ? names[Int(packet.service)] : ""
    }

    private func label(_ interface: UInt16) -> String {
        Int(interface) < interfaces.count ? interfaces[Int(interface)] : ""
    }

    private func appendWord(_ word: String, to text: inout TextBuffer) {
        if word.isEmpty { return text.append("null") }
        text.append("\"")
        text.append(word)
        text.append("\"")
    }

    private func appendQuoted(_ transport: TransportProtocol, to text: inout TextBuffer) {
        text.append("\"")
        text.append(transport.description)
        text.append("\"")
    }

    private func appendEndpoint(
        _ packet: Packet,
        _ address: IPv4Address,
        _ port: UInt16,
        isThere: Bool,
        to text: inout TextBuffer
    ) {
        guard isThere else { return text.append("null") }
        text.append("\"")
        appendPlain(packet, address, port, to: &text)
        text.append("\"")
    }

    /// Addresses of ICMP and of fragments without their transport header have no port.
    private func appendPlain(_ packet: Packet, _ address: IPv4Address, _ port: UInt16, to text: inout TextBuffer) {
        if packet.hasPorts && packet.transport != .icmp {
            text.append(address, port: port)
        } else {
            text.append(address)
        }
    }
}

extension Packet {
    /// Whether the packet itself went on, so that its translation means something.
    var isSent: Bool { verdict == .forward || verdict == .pass || verdict == .local }

    var hasBackend: Bool { service != 0 && backend.port != 0 }
}

extension Verdict {
    /// The color of a verdict that deserves a look, as SGR knows it: red for what was lost, yellow for what was refused.
    fileprivate var color: Int? {
        switch self {
        case .drop: 31
        case .reject: 33
        case .hold: 36
        case .forward, .pass, .local, .answer, .undecided: nil
        }
    }
}
