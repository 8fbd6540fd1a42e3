package import Datapath
internal import Wire

/// Writes flows as JSON, in the words of events.
///
/// `source` and `destination` are what the client sends, `translatedSource` and `translatedDestination` what it leaves as;
/// ICMP has no ports but identifiers. `expiresSeconds` is what is left of the flow's time.
package struct FlowItem: Sendable {
    /// The names of the ServicePorts, by number.
    let names: [String]
    /// The labels of the interfaces, by number.
    let interfaces: [String]

    /// A writer with the names that numbers stand for.
    package init(names: [String], interfaces: [String]) {
        self.names = names
        self.interfaces = interfaces
    }

    /// What events call a flow's ServicePort; empty for none.
    func service(of flow: Flow) -> String { Int(flow.service) < names.count ? names[Int(flow.service)] : "" }

    /// Appends a flow as one object; all keys are always there.
    package func append(_ flow: Flow, now: UInt64, to text: inout TextBuffer) {
        let sent = flow.reply.reversed
        let isICMP = flow.transport == .icmp
        text.append("{\"flow\":")
        text.append(flow.identifier)
        text.append(",\"protocol\":\"")
        text.append(flow.transport.description)
        text.append("\",\"state\":\"")
        text.append(flow.state.name)
        text.append("\",\"replied\":")
        text.append(flow.flags.contains(.seenReply) ? "true" : "false")
        text.append(",\"expiresSeconds\":")
        text.append((flow.deadline &- min(now, flow.deadline)) / Timeouts.second)
        append("source", flow.original.source, isICMP ? nil : flow.original.sourcePort, to: &text)
        append("destination", flow.original.destination, isICMP ? nil : flow.original.destinationPort, to: &text)
        append("translatedSource", sent.source, isICMP ? nil : sent.sourcePort, to: &text)
        append("translatedDestination", sent.destination, isICMP ? nil : sent.destinationPort, to: &text)
        append("identifier", isICMP ? flow.original.sourcePort : nil, to: &text)
        append("translatedIdentifier", isICMP ? flow.reply.destinationPort : nil, to: &text)
        appendWord("service", service(of: flow), to: &text)
        appendWord("frontend", flow.frontend.word, to: &text)
        if flow.service != 0 {
            append("backend", flow.backend.address, isICMP ? nil : flow.backend.port, to: &text)
        } else {
            text.append(",\"backend\":null")
        }
        text.append(",\"masquerade\":")
        text.append(flow.flags.contains(.masquerade) ? "true" : "false")
        appendWord("interface", label(flow.egress(.reply)), to: &text)
        appendWord("egress", label(flow.egress(.original)), to: &text)
        append("packets", UInt64(flow.counts.originalPackets), to: &text)
        append("bytes", flow.counts.originalBytes, to: &text)
        append("replyPackets", UInt64(flow.counts.replyPackets), to: &text)
        append("replyBytes", flow.counts.replyBytes, to: &text)
        text.append("}")
    }

    private func label(_ number: UInt16) -> String { Int(number) < interfaces.count ? interfaces[Int(number)] : "" }

    private func append(_ key: String, _ address: IPv4Address, _ port: UInt16?, to text: inout TextBuffer) {
        begin(key, &text)
        text.append("\"")
        if let port { text.append(address, port: port) } else { text.append(address) }
        text.append("\"")
    }

    private func append(_ key: String, _ number: UInt16?, to text: inout TextBuffer) {
        begin(key, &text)
        if let number { text.append(UInt64(number)) } else { text.append("null") }
    }

    private func append(_ key: String, _ number: UInt64, to text: inout TextBuffer) {
        begin(key, &text)
        text.append(number)
    }

    private func appendWord(_ key: String, _ word: String, to text: inout TextBuffer) {
        begin(key, &text)
        if word.isEmpty { text.append("null") } else { text.append(quoted: word) }
    }

    private func begin(_ key: String, _ text: inout TextBuffer) {
        text.append(",\"")
        text.append(key)
        text.append("\":")
    }
}
