internal import Datapath
internal import Wire

/// What a packet with ports did: the tuple it came with, and the one it left with.
struct FlowStep {
    var received: FlowTuple
    var sent: FlowTuple
    var transport: TransportProtocol
    var flags: TCPFlags
    var time: UInt64
    var comment: TraceComment?
}

/// The flows of a trace, learned from its packets, and whether both legs of each agree.
///
/// Theory of operation: a flow is two tuples, as in conntrack. The first packet shows both: what it came with, and, the
/// other way round, what its replies will come with. Every later packet must be translated as one of the two says. A
/// flow takes the place of another only where the trace announces it, by the comment with the next flow number; in a
/// trace without comments by a SYN, or where the older one was idle, unreplied or closing, since timeouts can be set
/// and a full table gives such flows up. A tuple of replies that a new flow took over shows that the older one was
/// gone; if it goes on as if nothing had happened, both had the tuple at a time, and that is what must not be.
/// Limits: 131,072 flows, the oldest is forgotten; `hasForgotten` tells.
struct FlowLedger {
    private struct Key: Hashable {
        var tuple: FlowTuple
        var transport: TransportProtocol
    }

    private struct Entry {
        var original: FlowTuple
        var sent: FlowTuple
        var transport: TransportProtocol
        /// 0 where the trace does not tell.
        var number: UInt64
        var service: String?
        var time: UInt64
        var isReplied = false
        var isClosing = false

        var originalKey: Key { Key(tuple: original, transport: transport) }
        var replyKey: Key { Key(tuple: sent.reversed, transport: transport) }
    }

    private struct Side {
        var entry: UInt64
        var isReply: Bool
    }

    private static let capacity = 131_072
    /// The shortest timeout that can be set.
    private static let shortestIdle: UInt64 = 1_000_000_000

    private let isSequential: Bool
    private var sides: [Key: Side] = [:]
    private var entries: [UInt64: Entry] = [:]
    private var nextEntry: UInt64 = 1
    private var oldestEntry: UInt64 = 1
    private var firstNumber: UInt64 = 0
    private var lastNumber: UInt64 = 0
    private(set) var hasForgotten = false
    /// Flows that were seen to begin.
    private(set) var count: UInt64 = 0

    init(isSequential: Bool) { self.isSequential = isSequential }

    /// Takes in a packet that was sent on; returns what is wrong.
    mutating func follow(_ step: FlowStep) -> String? {
        let number = step.comment?.flow ?? 0
        if number > lastNumber { return begin(step, number) }
        let key = Key(tuple: step.received, transport: step.transport)
        guard let side = sides[key], let entry = entries[side.entry] else { return learn(step, number) }
        let expected = side.isReply ? entry.original.reversed : entry.sent
        if expected != step.sent {
            if lastNumber == 0 && mayReplace(entry, step, isReply: side.isReply) {
                insert(step, number: 0)
                return nil
            }
            return "\(describe(entry)) is translated to \(step.sent.text), not to \(expected.text)"
        }
        if let message = objection(entry, side, step.comment) { return message }
        if lastNumber > 0 && !side.isReply && sides[entry.replyKey].map({ $0.entry != side.entry }) ?? false {
            return "\(describe(entry)) goes on, but its outer tuple belongs to another flow"
        }
        entries[side.entry]?.time = step.time
        if side.isReply { entries[side.entry]?.isReplied = true }
        if !step.flags.isDisjoint(with: [.fin, .rst]) { entries[side.entry]?.isClosing = true }
        return nil
    }

    /// Whether a comment fits the flow of a packet that was not sent on.
    func check(_ received: FlowTuple, _ transport: TransportProtocol, _ comment: TraceComment) -> String? {
        guard comment.flow > 0 else { return nil }
        if comment.flow > lastNumber { return "the comment names flow \(comment.flow), which has not begun" }
        guard let side = sides[Key(tuple: received, transport: transport)], let entry = entries[side.entry] else {
            return hasForgotten ? nil : "the comment names flow \(comment.flow), whose packet this is not"
        }
        return objection(entry, side, comment)
    }

    /// What the packet that an ICMP error quotes must be turned into: the one that its sender had sent.
    func original(ofQuote quote: FlowTuple, _ transport: TransportProtocol) -> FlowTuple? {
        guard let side = sides[Key(tuple: quote.reversed, transport: transport)], let entry = entries[side.entry] else {
            return nil
        }
        return side.isReply ? entry.original : entry.sent.reversed
    }

    /// The number of the flow that a quoted packet belongs to; 0 where it is not known.
    func number(ofQuote quote: FlowTuple, _ transport: TransportProtocol) -> UInt64 {
        guard let side = sides[Key(tuple: quote.reversed, transport: transport)] else { return 0 }
        return entries[side.entry]?.number ?? 0
    }

    private mutating func begin(_ step: FlowStep, _ number: UInt64) -> String? {
        defer { lastNumber = number }
        if firstNumber == 0 { firstNumber = number }
        insert(step, number: number)
        if step.comment?.conntrack != .new {
            return "flow \(number) begins with a packet that is \(step.comment?.conntrack.word ?? "")"
        }
        guard isSequential, lastNumber > 0, number != lastNumber + 1 else { return nil }
        return "flow \(number) begins, but the one before it was \(lastNumber)"
    }

    /// A packet of a flow whose beginning the trace does not show.
    private mutating func learn(_ step: FlowStep, _ number: UInt64) -> String? {
        insert(step, number: number)
        // Numbers count from 1: a trace that has flow 1 has the beginning of every flow.
        guard isSequential, firstNumber == 1, !hasForgotten else { return nil }
        return "belongs to no flow that was announced"
    }

    private mutating func insert(_ step: FlowStep, number: UInt64) {
        let entry = Entry(
            original: step.received,
            sent: step.sent,
            transport: step.transport,
            number: number,
            service: step.comment?.service,
            time: step.time
        )
        if let old = sides[entry.originalKey] { remove(old.entry) }
        while entries.count >= Self.capacity {
            if remove(oldestEntry) { hasForgotten = true }
            oldestEntry += 1
        }
        entries[nextEntry] = entry
        sides[entry.replyKey] = Side(entry: nextEntry, isReply: true)
        sides[entry.originalKey] = Side(entry: nextEntry, isReply: false)
        nextEntry += 1
        count += 1
    }

    @discardableResult private mutating func remove(_ number: UInt64) -> Bool {
        guard let entry = entries.removeValue(forKey: number) else { return false }
        for key in [entry.originalKey, entry.replyKey] where sides[key]?.entry == number {
            sides.removeValue(forKey: key)
        }
        return true
    }

    private func mayReplace(_ entry: Entry, _ step: FlowStep, isReply: Bool) -> Bool {
        if step.transport == .tcp && step.flags.intersection([.syn, .ack]) == .syn { return true }
        let idle = step.time >= entry.time ? step.time - entry.time : .max
        return idle >= Self.shortestIdle || !entry.isReplied && !isReply || entry.isClosing
    }

    private func objection(_ entry: Entry, _ side: Side, _ comment: TraceComment?) -> String? {
        guard let comment else { return nil }
        if comment.flow > 0 && entry.number > 0 && comment.flow != entry.number {
            return "the comment names flow \(comment.flow), the packet is of flow \(entry.number)"
        }
        if comment.flow > 0, let service = entry.service, let named = comment.service, named != service {
            return "the comment names service \(named), the flow is of \(service)"
        }
        if comment.flow > 0, let backend = comment.backend, backend != entry.sent.target {
            return "the comment names backend \(backend), the flow goes to \(entry.sent.target)"
        }
        switch comment.conntrack {
        case .reply where !side.isReply, .new where side.isReply, .established where side.isReply:
            return "the comment says \(comment.conntrack.word), the packet goes the other way"
        default: return nil
        }
    }

    private func describe(_ entry: Entry) -> String {
        entry.number > 0 ? "flow \(entry.number)" : "the flow of \(entry.original.text)"
    }
}

extension FlowTuple {
    var target: FlowEndpoint { FlowEndpoint(address: destination, port: destinationPort) }
    var text: String { "\(source):\(sourcePort) > \(destination):\(destinationPort)" }
}
