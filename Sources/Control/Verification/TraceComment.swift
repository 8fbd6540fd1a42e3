internal import Datapath
internal import Wire

/// A structured comment, read back: `culvert: verdict=drop reason=… interface=…`.
///
/// The writer puts the words in one order and leaves out those without a value; anything else is refused.
struct TraceComment: Equatable {
    var verdict: Verdict = .undecided
    var reason: DropReason = .none
    var interface = ""
    var service: String?
    var frontend: FrontendKind = .none
    var backend: FlowEndpoint?
    var isMasqueraded = false
    var conntrack: ConntrackState = .untracked
    /// 0 for none.
    var flow: UInt64 = 0
    var egress: String?
    var isReconstructed = false

    /// Why a comment is none of Culvert's.
    struct Fault: Error, Equatable { var message: String }

    static let prefix = "culvert: "

    private enum Key: String, CaseIterable {
        case verdict, reason, interface, service, frontend, backend, masquerade, conntrack, flow, egress, reconstructed
        case superpacket
    }

    /// Whether a comment is meant to be one of Culvert's; others may have been added by people.
    static func isMeant(_ text: String) -> Bool {
        text.hasPrefix(prefix) || text.contains("verdict=") || text.contains(" conntrack=") || text.isEmpty
    }

    init(_ text: String) throws(Fault) {
        guard text.hasPrefix(Self.prefix) else { throw Fault(message: "the comment does not begin with culvert:") }
        var expected = Key.allCases[...]
        var seen: Set<Key> = []
        for word in text.dropFirst(Self.prefix.count).split(separator: " ", omittingEmptySubsequences: false) {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let key = Key(rawValue: String(parts[0])), let place = expected.firstIndex(of: key)
            else { throw Fault(message: "the comment has \"\(word)\", which is unknown here") }
            expected = expected[(place + 1)...]
            seen.insert(key)
            guard read(key, String(parts[1])) else {
                throw Fault(message: "the comment has no such \(key): \(parts[1])")
            }
        }
        for key in [Key.verdict, .interface, .conntrack] where !seen.contains(key) {
            throw Fault(message: "the comment has no \(key)")
        }
    }

    /// Takes a value in; false for one that the writer does not write.
    private mutating func read(_ key: Key, _ value: String) -> Bool {
        switch key {
        case .verdict:
            verdict = Verdict.allCases.first { $0.word == value } ?? .undecided
            return verdict != .undecided
        case .reason:
            reason = DropReason(id: value) ?? .none
            return reason != .none
        case .interface: interface = value
        case .service:
            service = value
            return Self.isServicePort(value)
        case .frontend:
            frontend = FrontendKind.allCases.first { $0.word == value } ?? .none
            return frontend != .none
        case .backend:
            backend = Self.endpoint(value)
            return backend != nil
        case .masquerade:
            isMasqueraded = true
            return value == "true"
        case .conntrack:
            guard let state = ConntrackState.allCases.first(where: { $0.word == value }) else { return false }
            conntrack = state
        case .flow:
            flow = UInt64(value) ?? 0
            return flow > 0 && value == "\(flow)"
        case .egress: egress = value
        case .reconstructed:
            isReconstructed = true
            return value == "true"
        case .superpacket:
            let numbers = value.split(separator: "x", omittingEmptySubsequences: false).map { UInt16($0) ?? 0 }
            return numbers.count == 2 && numbers.allSatisfy { $0 > 0 } && value == "\(numbers[0])x\(numbers[1])"
        }
        return true
    }

    /// `namespace/name:port`, in the characters of Kubernetes names.
    private static func isServicePort(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return false }
        let name = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(name.count), !name.contains(where: \.isEmpty) else { return false }
        return (parts[0] + name.joined()).utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "."):
                true
            default: false
            }
        }
    }

    private static func endpoint(_ text: String) -> FlowEndpoint? {
        guard let colon = text.lastIndex(of: ":"), let address = IPv4Address(text[..<colon]),
            let port = UInt16(text[text.index(after: colon)...])
        else { return nil }
        let endpoint = FlowEndpoint(address: address, port: port)
        return endpoint.description == text ? endpoint : nil
    }
}
