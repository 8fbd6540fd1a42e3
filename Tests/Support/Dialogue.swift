package import Datapath
package import Wire

/// One TCP conversation through the ClusterIP, segment by segment, with the sequence numbers that belong there.
///
/// A step is who sends what: `c:S`, `s:S.`, `c:P.` (ten bytes), `s:F.` and so on; numbers follow from the steps before.
/// A line says all numbers itself, as tcpdump and packetdrill write them, relative to the first of either side:
///
///     c S 0(0) win 65535 wscale 7 sackOK
///     s S. 0(0) ack 1 win 28960
///     c . 1(0) ack 1 sack 1001-2001
package struct Dialogue {
    package let harness: DatapathHarness
    package var port: UInt16 = 40000
    /// In seconds.
    package var clock = 0.0
    /// Where the numbers of either side begin; the client's begin anew with each `c:S`.
    package var base: (client: UInt32, server: UInt32) = (0xffff_ff00, 0x7fff_fff0)
    private var next: (client: UInt32, server: UInt32) = (0, 0)

    package init(_ world: World = World(), describesFlows: Bool = true) {
        harness = DatapathHarness(world, describesFlows: describesFlows)
    }

    /// The state of the flow that was opened last.
    package var state: FlowState? { harness.flows.last?.state }

    /// What the client sends next.
    @discardableResult
    package mutating func client(_ flags: TCPFlags, payload: [UInt8] = []) -> Treatment {
        if flags == .syn { next = (0, 0) }
        let number = next.client
        advance(&next.client, flags, payload)
        return send(true, flags, number, ack: flags.contains(.ack) ? next.server : nil, payload: payload)
    }

    /// What the backend sends next.
    @discardableResult
    package mutating func server(_ flags: TCPFlags, payload: [UInt8] = []) -> Treatment {
        let number = next.server
        advance(&next.server, flags, payload)
        return send(false, flags, number, ack: flags.contains(.ack) ? next.client : nil, payload: payload)
    }

    private func advance(_ number: inout UInt32, _ flags: TCPFlags, _ payload: [UInt8]) {
        number &+= UInt32(payload.count)
        if flags.contains(.fin) { number &+= 1 }
        // A SYN that is sent again has its old number.
        if flags.contains(.syn) { number = 1 }
    }

    /// Plays a step.
    @discardableResult
    package mutating func play(_ step: String) -> Treatment {
        let flags = Self.flags(step.dropFirst(2))
        let payload: [UInt8] = flags.contains(.psh) ? [UInt8](repeating: 7, count: 10) : []
        if flags.contains(.syn) && step.hasPrefix("s") { next.server = 0 }
        return step.hasPrefix("c") ? client(flags, payload: payload) : server(flags, payload: payload)
    }

    /// Plays several steps.
    package mutating func play(all steps: String) {
        for step in steps.split(separator: " ") { play(String(step)) }
    }

    private static func flags(_ text: some StringProtocol) -> TCPFlags {
        var flags: TCPFlags = []
        for letter in text {
            switch letter {
            case "S": flags.insert(.syn)
            case "F": flags.insert(.fin)
            case "R": flags.insert(.rst)
            case "P": flags.insert(.psh)
            case "U": flags.insert(.urg)
            case ".": flags.insert(.ack)
            default: break
            }
        }
        return flags
    }

    private func send(
        _ isClient: Bool,
        _ flags: TCPFlags,
        _ sequence: UInt32,
        ack: UInt32?,
        window: UInt16 = 64240,
        options: [UInt8] = [],
        payload: [UInt8] = []
    ) -> Treatment {
        let source = isClient ? World.client : World.backend
        let destination = isClient ? World.vip : World.client
        let packet = PacketBuilder(from: source, to: destination)
            .tcp(
                isClient ? port : 8080,
                isClient ? 80 : port,
                flags: flags,
                sequence: (isClient ? base.client : base.server) &+ sequence,
                acknowledgment: ack.map { (isClient ? base.server : base.client) &+ $0 } ?? 0,
                window: window,
                tcpOptions: options,
                payload: payload
            )
        return harness.send(packet, at: clock)
    }

    /// Plays a line.
    @discardableResult
    package func line(_ text: String) -> Treatment {
        var words = text.split(separator: " ")[...]
        let isClient = words.removeFirst() == "c"
        let flags = Self.flags(words.removeFirst())
        let range = words.removeFirst().split(whereSeparator: { "()".contains($0) })
        var ack: UInt32?
        var window: UInt16 = 65535
        var options: [UInt8] = []
        while let word = words.popFirst() {
            switch word {
            case "ack": ack = words.popFirst().flatMap { UInt32($0) }
            case "win": window = words.popFirst().flatMap { UInt16($0) } ?? 0
            case "wscale": options += [1, 3, 3, words.popFirst().flatMap { UInt8($0) } ?? 0]
            case "sackOK": options += [1, 1, 4, 2]
            case "ts": options += [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]
            case "sack":
                let edges = (words.popFirst() ?? "").split(separator: "-").compactMap { UInt32($0) }
                options += [1, 1, 5, 10]
                for edge in edges { options += Self.bytes((isClient ? base.server : base.client) &+ edge) }
            default: break
            }
        }
        return send(
            isClient,
            flags,
            UInt32(range[0]) ?? 0,
            ack: ack,
            window: window,
            options: options,
            payload: [UInt8](repeating: 7, count: Int(range[1]) ?? 0)
        )
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
    }
}

/// A conversation as a table: every line with what tracking says of it and the state that it leads to.
///
/// `invalid` is translated all the same in liberal mode and dropped as `ct.invalid` in strict mode; everything else is sent
/// on in both. So one table serves both modes.
package struct ConversationTable: Sendable {
    package var name: String
    package var rows: [(line: String, expected: String)]

    package init(_ name: String, _ rows: [(line: String, expected: String)]) {
        self.name = name
        self.rows = rows
    }

    /// What is otherwise than expected, a line each.
    ///
    /// A line may begin with the seconds that go by before it, `+1.5 c . 1(0) ack 1`.
    package func issues(
        strict: Bool,
        base: (client: UInt32, server: UInt32) = (0xffff_ff00, 0x7fff_fff0),
        _ change: (inout World) -> Void = { _ in }
    ) -> [String] {
        var world = World()
        world.configuration.strict = strict
        // One segment may be as long as a window.
        for place in world.interfaces.indices { world.interfaces[place].mtu = 65535 }
        change(&world)
        var dialogue = Dialogue(world)
        dialogue.base = base
        var found: [String] = []
        for (number, row) in rows.enumerated() {
            var line = row.line[...]
            if line.hasPrefix("+"), let space = line.firstIndex(of: " ") {
                dialogue.clock += Double(line[line.index(after: line.startIndex)..<space]) ?? 0
                line = line[line.index(after: space)...]
            }
            let treatment = dialogue.line(String(line))
            let state = dialogue.state?.name ?? "-"
            let isDropped = strict && row.expected.hasPrefix("invalid")
            let verdict = isDropped ? "drop ct.invalid" : "forward -"
            let expected = "\(verdict) \(row.expected)"
            let seen = "\(treatment.summary) \(state)"
            if seen != expected { found.append("row \(number + 1), \(row.line): \(seen), expected \(expected)") }
            if !isDropped && treatment.sent.count != 1 {
                found.append("row \(number + 1): \(treatment.sent.count) sent")
            }
        }
        return found + harnessIssues(dialogue.harness)
    }

    private func harnessIssues(_ harness: DatapathHarness) -> [String] { harness.accountingIssues }
}
