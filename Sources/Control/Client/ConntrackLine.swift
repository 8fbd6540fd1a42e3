/// A flow as a line of conntrack(8) shows it.
package enum ConntrackLine {
    /// The line without its end; `isWide` adds counters and what Culvert knows besides.
    package static func text(_ flow: JSONValue, isWide: Bool) -> String {
        let name = flow["protocol"].string ?? ""
        let number = ["icmp": 1, "tcp": 6, "udp": 17][name] ?? 0
        var parts = [name.padded(to: 8), "\(number)", "\(flow["expiresSeconds"].number ?? 0)"]
        if name == "tcp" { parts.append((flow["state"].string ?? "").padded(to: 11)) }
        let isReplied = flow["replied"].isTrue
        parts += side(flow, name, from: "source", to: "destination", "identifier", isRequest: true)
        if isWide { parts += counters(flow, "packets", "bytes") }
        if !isReplied { parts.append("[UNREPLIED]") }
        parts += side(
            flow,
            name,
            from: "translatedDestination",
            to: "translatedSource",
            "translatedIdentifier",
            isRequest: false
        )
        if isWide { parts += counters(flow, "replyPackets", "replyBytes") }
        if isReplied && isAssured(flow, name) { parts.append("[ASSURED]") }
        if let service = flow["service"].string { parts.append("service=\(service)") }
        if isWide {
            if let frontend = flow["frontend"].string { parts.append("frontend=\(frontend)") }
            if flow["masquerade"].isTrue { parts.append("masquerade=true") }
            parts.append("interface=\(flow["interface"].string ?? "-")")
            parts.append("egress=\(flow["egress"].string ?? "-")")
            parts.append("flow=\(flow["flow"].number ?? 0)")
        }
        return parts.joined(separator: " ")
    }

    /// What a full table keeps, as nf_conntrack marks it: a connection with its handshake, or a datagram's stream.
    private static func isAssured(_ flow: JSONValue, _ name: String) -> Bool {
        switch name {
        case "tcp": !["SYN_SENT", "SYN_RECV", "SYN_SENT2"].contains(flow["state"].string ?? "")
        case "udp": flow["state"].string == "REPLIED"
        default: false
        }
    }

    /// One direction; the addresses of events have their ports behind them.
    private static func side(
        _ flow: JSONValue,
        _ name: String,
        from: String,
        to: String,
        _ identifier: String,
        isRequest: Bool
    ) -> [String] {
        let source = place(flow[from].string)
        let destination = place(flow[to].string)
        let addresses = ["src=\(source.address)", "dst=\(destination.address)"]
        if name == "icmp" {
            return addresses + ["type=\(isRequest ? 8 : 0)", "code=0", "id=\(flow[identifier].number ?? 0)"]
        }
        return addresses + ["sport=\(source.port)", "dport=\(destination.port)"]
    }

    private static func place(_ text: String?) -> (address: String, port: String) {
        let parts = (text ?? "").split(separator: ":", omittingEmptySubsequences: false)
        return (address: String(parts[0]), port: parts.count > 1 ? String(parts[1]) : "0")
    }

    private static func counters(_ flow: JSONValue, _ packets: String, _ bytes: String) -> [String] {
        ["packets=\(flow[packets].number ?? 0)", "bytes=\(flow[bytes].number ?? 0)"]
    }
}

extension String {
    /// The text with spaces behind it up to a width.
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(width - count, 0)) }
}
