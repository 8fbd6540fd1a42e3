/// A JSON document in memory, small and in a fixed order of keys; for answers, not for streams.
package indirect enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(Int)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])
    /// A document that is written already.
    case written([UInt8])

    /// A text, or null.
    package static func optional(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

    /// A number, or null.
    package static func optional(_ number: Int?) -> JSONValue { number.map { .number($0) } ?? .null }

    /// Appends the document without white space.
    package func append(to text: inout TextBuffer) {
        switch self {
        case .null: text.append("null")
        case .bool(let value): text.append(value ? "true" : "false")
        case .number(let value): text.append("\(value)")
        case .string(let value): text.append(quoted: value)
        case .array(let values):
            text.append("[")
            for (index, value) in values.enumerated() {
                if index > 0 { text.append(",") }
                value.append(to: &text)
            }
            text.append("]")
        case .object(let members):
            text.append("{")
            for (index, member) in members.enumerated() {
                if index > 0 { text.append(",") }
                text.append(quoted: member.key)
                text.append(":")
                member.value.append(to: &text)
            }
            text.append("}")
        case .written(let bytes):
            for byte in bytes { text.append(byte) }
        }
    }

    /// The document as a line.
    package var line: [UInt8] {
        var text = TextBuffer()
        append(to: &text)
        text.append("\n")
        return text.bytes
    }
}
