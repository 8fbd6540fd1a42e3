/// Writes JSON values as YAML in block style, as kubectl does.
package enum YAMLWriter {
    /// The document, with the end of its last line.
    package static func text(_ value: JSONValue) -> String {
        var text = ""
        write(value, indent: 0, isInline: false, to: &text)
        return text
    }

    /// Writes a value; `isInline` when it begins behind a key or a dash.
    private static func write(_ value: JSONValue, indent: Int, isInline: Bool, to text: inout String) {
        switch value {
        case .object(let members) where !members.isEmpty:
            for (index, member) in members.enumerated() {
                if index > 0 || !isInline { text += String(repeating: " ", count: indent) }
                text += scalar(member.key) + ":"
                writeBehindKey(member.value, indent: indent, to: &text)
            }
        case .array(let values) where !values.isEmpty:
            for (index, element) in values.enumerated() {
                if index > 0 || !isInline { text += String(repeating: " ", count: indent) }
                text += "- "
                write(element, indent: indent + 2, isInline: true, to: &text)
            }
        case .written(let bytes): text += String(decoding: bytes, as: UTF8.self) + "\n"
        default: text += scalar(value) + "\n"
        }
    }

    private static func writeBehindKey(_ value: JSONValue, indent: Int, to text: inout String) {
        switch value {
        case .object(let members) where !members.isEmpty:
            text += "\n"
            write(value, indent: indent + 2, isInline: false, to: &text)
        case .array(let values) where !values.isEmpty:
            text += "\n"
            write(value, indent: indent, isInline: false, to: &text)
        default:
            text += " "
            write(value, indent: indent, isInline: true, to: &text)
        }
    }

    private static func scalar(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .number(let number): "\(number)"
        case .string(let text): scalar(text)
        case .array: "[]"
        default: "{}"
        }
    }

    /// A string plain where nothing could take it for something else, in quotes otherwise.
    private static func scalar(_ text: String) -> String {
        let isPlain =
            text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-./_".utf8.contains(byte)
            } && text.contains { $0.isLetter } && (text.first?.isLetter ?? false)
            && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(text.lowercased())
        if isPlain { return text }
        var quoted = TextBuffer()
        quoted.append(quoted: text)
        return String(decoding: quoted.bytes, as: UTF8.self)
    }
}
