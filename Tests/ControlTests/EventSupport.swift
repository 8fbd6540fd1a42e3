import Control
import Datapath
import Foundation
import Testing
import Wire

/// The keys of an event, in their order; `reconstructed` may follow.
let eventKeys = [
    "packet", "time", "interface", "verdict", "reason", "protocol", "flags", "length", "source", "destination",
    "translatedSource", "translatedDestination", "service", "frontend", "backend", "masquerade", "conntrack", "flow",
    "egress",
]

/// The keys of a flat JSON object in the order of the text: strings that a colon follows.
func keys(of line: some StringProtocol) -> [String] {
    var found: [String] = []
    var bytes = line.utf8.makeIterator()
    while let byte = bytes.next() {
        guard byte == UInt8(ascii: "\"") else { continue }
        var text: [UInt8] = []
        while let inside = bytes.next(), inside != UInt8(ascii: "\"") {
            text.append(inside)
            if inside == UInt8(ascii: "\\"), let escaped = bytes.next() { text.append(escaped) }
        }
        if bytes.next() == UInt8(ascii: ":") { found.append(String(decoding: text, as: UTF8.self)) }
    }
    return found
}

/// An event as Foundation reads it: the values by their keys, nulls as nil.
struct ReadEvent {
    let line: String
    private let values: [String: Any]

    init(_ line: some StringProtocol) throws {
        self.line = String(line)
        values = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    /// Text of a key; nil for null.
    func text(_ key: String) -> String? { values[key] as? String }
    /// Number of a key; nil for null.
    func number(_ key: String) -> Int? { values[key] as? Int }
    /// True or false of a key; nil for null and for a key that is not there.
    func flag(_ key: String) -> Bool? { values[key] as? Bool }
    /// The keys that are null, in the order of events.
    var nulls: [String] { eventKeys.filter { values[$0] is NSNull } }
    /// Verdict and reason, for comparisons.
    var summary: String { "\(text("verdict") ?? "?") \(text("reason") ?? "-")" }

    /// Whether the line is an object with exactly the keys of the contract.
    var followsTheContract: Bool {
        let expected = eventKeys + (values["reconstructed"] == nil ? [] : ["reconstructed"])
        return keys(of: line) == expected && values["reconstructed"].map { $0 as? Bool == true } ?? true
    }
}

/// The events of some text, a line each.
func events(_ bytes: [UInt8]) throws -> [ReadEvent] {
    try String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { try ReadEvent($0) }
}

/// One packet as JSON, without the end of the line.
func json(_ packet: Packet, names: [String] = ["", "default/web:http"], labels: [String] = ["pods", "uplink"]) throws
    -> String
{
    let table = InterfaceTable(labels.map { .init(label: $0, role: .pod, prefixes: []) })
    var text = TextBuffer()
    EventFormatter(interfaces: table, names: names).appendJSON(packet, to: &text)
    let line = try #require(String(validating: text.bytes, as: UTF8.self))
    #expect(line.hasSuffix("}\n"))
    return String(line.dropLast())
}
