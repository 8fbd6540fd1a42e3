/// The fields of a mapping.
///
/// A field that is missing, or null, reads as nil; one of a wrong type is reported, and reads as nil.
struct Fields {
    let decoder: ObjectDecoder
    let node: NodeID

    /// The value of a field, unless it is null.
    func value(_ name: FieldName) -> NodeID? {
        guard let value = decoder.tree.value(name, in: node), !decoder.isNull(value) else { return nil }
        return value
    }

    /// Whether a field is written, and not null.
    func has(_ name: FieldName) -> Bool { value(name) != nil }

    /// Whether a list is missing, or has no entries.
    func isEmpty(_ name: FieldName) -> Bool { value(name).map { decoder.tree.count($0) == 0 } ?? true }

    func string(_ name: FieldName) -> String? {
        value(name).flatMap { node in decoder.at(name) { Self.string(node, decoder) } }
    }

    /// A string that is not empty; an empty one counts as not written, as in Go.
    func text(_ name: FieldName) -> String? { string(name).flatMap { $0.isEmpty ? nil : $0 } }

    /// A string of a given form that is not empty.
    func text(_ name: FieldName, _ form: NameForm) -> String? {
        guard let text = text(name) else { return nil }
        if form.accepts(text) { return text }
        decoder.at(name) { decoder.fault(Quoting.quoted(text), "is not \(form.description)") }
        return nil
    }

    func bool(_ name: FieldName) -> Bool? {
        guard let node = value(name) else { return nil }
        if decoder.tree.kind(node) == .plain, case .bool(let value) = ScalarValue(decoder.tree.string(node)) {
            return value
        }
        decoder.at(name) { decoder.fault(decoder.shown(node), "is not true or false (without quotes)") }
        return nil
    }

    /// An integer in a range.
    func integer(_ name: FieldName, in range: ClosedRange<Int>) -> Int? {
        value(name).flatMap { node in decoder.at(name) { Self.integer(node, in: range, decoder) } }
    }

    /// A port number; 0 counts as not written, as in Go, where `zeroIsNone`.
    func port(_ name: FieldName, zeroIsNone: Bool = false) -> UInt16? {
        integer(name, in: (zeroIsNone ? 0 : 1)...65535).flatMap { $0 == 0 ? nil : UInt16($0) }
    }

    /// One of the words of an enumeration; an empty string counts as not written.
    func word<Word: RawRepresentable & CaseIterable>(_ name: FieldName) -> Word? where Word.RawValue == String {
        guard let text = text(name) else { return nil }
        if let word = Word(rawValue: text) { return word }
        let words = Word.allCases.map(\.rawValue)
        let list = words.dropLast().joined(separator: ", ") + " or " + (words.last ?? "")
        decoder.at(name) {
            decoder.fault(Quoting.quoted(text), "is not \(list)\(Suggestion.hint(for: text, in: words))")
        }
        return nil
    }

    /// The fields of a mapping inside this one; `known` are those that may stand there.
    func mapping<T>(_ name: FieldName, known: [FieldName], _ body: (Fields) -> T) -> T? {
        value(name).flatMap { node in decoder.at(name) { Self.mapping(node, known, decoder, body) } }
    }

    /// What `body` makes of each entry of a list of mappings, without what it makes nothing of.
    func mappings<T>(_ name: FieldName, known: [FieldName], _ body: (Int, Fields) -> T?) -> [T] {
        list(name) { index, node in Self.mapping(node, known, decoder) { body(index, $0) } ?? nil }
    }

    /// What `body` makes of each entry of a list of strings.
    func strings<T>(_ name: FieldName, _ body: (Int, String) -> T?) -> [T] {
        list(name) { index, node in Self.string(node, decoder).flatMap { body(index, $0) } }
    }

    /// What `body` makes of each entry of a list.
    func list<T>(_ name: FieldName, _ body: (Int, NodeID) -> T?) -> [T] {
        guard let node = value(name) else { return [] }
        return decoder.at(name) {
            guard decoder.tree.kind(node) == .list else {
                decoder.fault(decoder.shown(node), "is not a list")
                return []
            }
            var result: [T] = []
            result.reserveCapacity(decoder.tree.count(node))
            for (index, element) in decoder.tree.elements(node).enumerated() {
                if decoder.isFull { break }
                if let value = decoder.at(index: index, { body(index, element) }) { result.append(value) }
            }
            return result
        }
    }

    /// A mapping of strings: labels, annotations, selectors.
    func stringMap(_ name: FieldName, checking check: (String, String) -> Void = { _, _ in }) -> [String: String] {
        guard let node = value(name) else { return [:] }
        return decoder.at(name) {
            guard decoder.tree.kind(node) == .mapping else {
                decoder.fault(decoder.shown(node), "is not a mapping")
                return [:]
            }
            var result: [String: String] = [:]
            for key in decoder.tree.keys(node) where decoder.tree.symbol(key) != FieldName.mergeKey.rawValue {
                let text = decoder.tree.keyText(key)
                let value = decoder.tree.value(ofKey: key)
                decoder.at(key: text) {
                    let string = decoder.isNull(value) ? "" : Self.string(value, decoder)
                    guard let string else { return }
                    result[text] = string
                    check(text, string)
                }
            }
            return result
        }
    }
}

// Values of the node that the decoder stands at.
extension Fields {
    static func string(_ node: NodeID, _ decoder: ObjectDecoder) -> String? {
        switch decoder.tree.kind(node) {
        case .text: return decoder.tree.string(node)
        case .plain:
            let text = decoder.tree.string(node)
            if ScalarValue(text) == .string { return text }
            decoder.fault(decoder.shown(node), "is not a string; put it in quotes")
        default: decoder.fault(decoder.shown(node), "is not a string")
        }
        return nil
    }

    static func integer(_ node: NodeID, in range: ClosedRange<Int>, _ decoder: ObjectDecoder) -> Int? {
        guard decoder.tree.kind(node) == .plain,
            case .integer(let value, let isPlain) = ScalarValue(decoder.tree.string(node))
        else {
            let isNumber = decoder.tree.kind(node) == .plain && ScalarValue(decoder.tree.string(node)) == .number
            decoder.fault(
                decoder.shown(node),
                isNumber ? "is not an integer in range" : "is not a number (without quotes)"
            )
            return nil
        }
        guard range.contains(value) else {
            decoder.fault(Quoting.bare(decoder.tree.string(node)), "is outside \(range.lowerBound)-\(range.upperBound)")
            return nil
        }
        if !isPlain {
            decoder.warn(decoder.tree.string(node), "is read as \(value); write it as a plain decimal number")
        }
        return value
    }

    static func mapping<T>(
        _ node: NodeID,
        _ known: [FieldName],
        _ decoder: ObjectDecoder,
        _ body: (Fields) -> T
    ) -> T? {
        guard decoder.tree.kind(node) == .mapping else {
            decoder.fault(decoder.shown(node), "is not a mapping")
            return nil
        }
        decoder.checkFields(of: node, known: known)
        return body(Fields(decoder: decoder, node: node))
    }
}
