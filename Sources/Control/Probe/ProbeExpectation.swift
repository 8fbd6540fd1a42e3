internal import Foundation
internal import Kubernetes

/// What is expected of an event: `verdict=forward,backend=10.244.1.5:8080`.
package struct ProbeExpectation: Equatable, Sendable {
    private let pairs: [Pair]

    private struct Pair: Equatable, Sendable {
        var key: String
        var value: String
    }

    /// Reads pairs with commas between; of one key the last one counts.
    package init(_ text: String) throws(ProbeError) {
        var pairs: [Pair] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, !sides[0].isEmpty else {
                throw ProbeError("--expect \(text): \(part.isEmpty ? "an empty part" : part) is not KEY=VALUE")
            }
            pairs.removeAll { $0.key == sides[0] }
            pairs.append(Pair(key: String(sides[0]), value: String(sides[1])))
        }
        self.pairs = pairs
    }

    /// Where an event, a line of JSON, differs: a line for each key.
    ///
    /// Values are compared as the event writes them, without quotation marks: `null`, `true`, `40`, `S.`.
    package func differences(from event: [UInt8]) throws(ProbeError) -> [String] {
        let decoded: [String: EventValue]
        do {
            decoded = try JSONDecoder().decode([String: EventValue].self, from: Data(event))
        } catch {
            throw ProbeError("--expect: the event cannot be read: \(error)")
        }
        var lines: [String] = []
        for pair in pairs {
            guard let found = decoded[pair.key]?.text else {
                let meant = Suggestion.nearest(to: pair.key, in: decoded.keys.sorted())
                throw ProbeError(
                    "--expect \(pair.key): is no key of an event",
                    hint: meant.map { "did you mean \($0)?" } ?? decoded.keys.sorted().joined(separator: ", ")
                )
            }
            if found != pair.value { lines.append("expected \(pair.key)=\(pair.value), got \(pair.key)=\(found)") }
        }
        return lines
    }
}

/// A value of an event as text.
private struct EventValue: Decodable {
    let text: String

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            text = "null"
        } else if let value = try? container.decode(Bool.self) {
            text = value ? "true" : "false"
        } else if let value = try? container.decode(UInt64.self) {
            text = "\(value)"
        } else {
            text = try container.decode(String.self)
        }
    }
}
