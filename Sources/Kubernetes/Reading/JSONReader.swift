/// Reads JSON text (RFC 8259) into trees: one document, or several after each other, as `kubectl` accepts.
///
/// YAML's grammar is close to a superset of JSON's but not one (escaped surrogate pairs, tabs), hence a reader of its own.
struct JSONReader {
    private let bytes: [UInt8]
    private let limits: ReadingLimits
    private var place = 0
    private var symbols = SymbolTable.fieldNames

    init(_ bytes: [UInt8], limits: ReadingLimits) {
        self.bytes = bytes
        self.limits = limits
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) { place = 3 }
    }

    /// Whether a text is to be tried as JSON: its first character opens an object or an array.
    static func mayRead(_ bytes: [UInt8]) -> Bool {
        let start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        let first = bytes.dropFirst(start).first { !isSpace($0) }
        return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }

    /// The next document, or nil at the end of the text.
    mutating func next() throws(SyntaxFault) -> Tree? {
        skipSpace()
        skipSeparator()
        guard place < bytes.count else { return nil }
        var builder = TreeBuilder(limits: limits, taking: &symbols)
        do {
            repeat { try step(&builder) } while !builder.isComplete
        } catch {
            let line = Encoding.line(of: place, in: bytes)
            let start = bytes[..<min(place, bytes.count)].lastIndex(of: UInt8(ascii: "\n")) ?? -1
            throw error.located(line: line, column: place - start)
        }
        symbols = builder.tree.symbols
        return builder.tree
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0a).contains(byte) || byte == 0x0d }

    private mutating func skipSpace() {
        while place < bytes.count, Self.isSpace(bytes[place]) { place += 1 }
    }

    /// Skips the line `---` that YAML has between documents: JSON documents in a YAML stream are JSON all the same.
    private mutating func skipSeparator() {
        guard place > 0, bytes[place - 1] == UInt8(ascii: "\n"), bytes[place...].starts(with: "---\n".utf8) else {
            return
        }
        place += 4
        skipSpace()
    }

    private var current: UInt8 { place < bytes.count ? bytes[place] : 0 }

    private func fault(_ problem: String) -> SyntaxFault {
        SyntaxFault(problem: place < bytes.count ? problem : "the text ends too early: \(problem)")
    }

    /// Reads one value with the key before it and what closes behind it.
    private mutating func step(_ builder: inout TreeBuilder) throws(SyntaxFault) {
        skipSpace()
        if builder.isInMapping {
            guard current == UInt8(ascii: "\"") else { throw fault("expected a key in quotation marks") }
            var key: [UInt8] = []
            try string(into: &key)
            try builder.key(String(decoding: key, as: UTF8.self))
            skipSpace()
            guard current == UInt8(ascii: ":") else { throw fault("expected ':'") }
            place += 1
            skipSpace()
        }
        try value(&builder)
        try closings(&builder)
    }

    private mutating func value(_ builder: inout TreeBuilder) throws(SyntaxFault) {
        switch current {
        case UInt8(ascii: "{"):
            try builder.beginMapping()
            try opened(UInt8(ascii: "}"), &builder)
        case UInt8(ascii: "["):
            try builder.beginList()
            try opened(UInt8(ascii: "]"), &builder)
        case UInt8(ascii: "\""):
            var failure: SyntaxFault?
            try builder.scalar(.text) { text in
                do throws(SyntaxFault) { try string(into: &text) } catch { failure = error }
            }
            if let failure { throw failure }
        default:
            let start = place
            while place < bytes.count, !Self.isSpace(bytes[place]), !#",]}:[{""#.utf8.contains(bytes[place]) {
                place += 1
            }
            let word = bytes[start..<place]
            guard Self.isLiteral(word) else {
                place = start
                throw fault("expected a value")
            }
            try builder.scalar(.plain) { $0.append(contentsOf: word) }
        }
    }

    /// After an opening bracket: closes at once if the container is empty, otherwise reads its first value.
    private mutating func opened(_ closing: UInt8, _ builder: inout TreeBuilder) throws(SyntaxFault) {
        place += 1
        skipSpace()
        if current == closing {
            place += 1
            try builder.end()
        } else {
            justOpened = true
        }
    }

    /// Whether the last thing read was an opening bracket, so that no comma is due.
    private var justOpened = false

    /// After a value: a comma, or the brackets that close here.
    private mutating func closings(_ builder: inout TreeBuilder) throws(SyntaxFault) {
        if justOpened {
            justOpened = false
            return
        }
        while builder.depth > 0 {
            skipSpace()
            if current == UInt8(ascii: ",") {
                place += 1
                return
            }
            guard current == UInt8(ascii: builder.isInMapping ? "}" : "]") else {
                throw fault("expected ',' or '\(builder.isInMapping ? "}" : "]")'")
            }
            place += 1
            try builder.end()
        }
    }

    /// Whether a word is true, false, null or a number of JSON's form.
    private static func isLiteral(_ word: ArraySlice<UInt8>) -> Bool {
        if word.elementsEqual("true".utf8) || word.elementsEqual("false".utf8) || word.elementsEqual("null".utf8) {
            return true
        }
        var rest = word
        func digits() -> Int {
            let count = rest.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }.count
            rest = rest.dropFirst(count)
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let leadingZero = rest.first == UInt8(ascii: "0")
        let whole = digits()
        if whole == 0 || (leadingZero && whole > 1) { return false }
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            if digits() == 0 { return false }
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            if digits() == 0 { return false }
        }
        return rest.isEmpty
    }
}

// Strings.
extension JSONReader {
    /// Reads a string from its opening to behind its closing quotation mark.
    private mutating func string(into text: inout [UInt8]) throws(SyntaxFault) {
        place += 1
        while true {
            let start = place
            while place < bytes.count, bytes[place] != UInt8(ascii: "\""), bytes[place] != UInt8(ascii: "\\"),
                bytes[place] >= 0x20
            { place += 1 }
            text.append(contentsOf: bytes[start..<place])
            switch current {
            case UInt8(ascii: "\""):
                place += 1
                return
            case UInt8(ascii: "\\"):
                place += 1
                try escape(into: &text)
            default:
                throw fault("a control character inside a string")
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(SyntaxFault) {
        let byte = current
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: Character(try codePoint()).utf8)
        default:
            place -= 1
            throw fault("an unknown escape in a string")
        }
    }

    /// A code point after `\u`, with the second half of a surrogate pair if one follows.
    private mutating func codePoint() throws(SyntaxFault) -> Unicode.Scalar {
        let high = try hexadecimal()
        if let scalar = Unicode.Scalar(high) { return scalar }
        guard (0xd800..<0xdc00).contains(high), bytes[place...].starts(with: #"\u"#.utf8) else {
            throw fault("half of a surrogate pair in a string")
        }
        place += 2
        let low = try hexadecimal()
        guard (0xdc00..<0xe000).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (high - 0xd800) << 10 + (low - 0xdc00))
        else { throw fault("half of a surrogate pair in a string") }
        return scalar
    }

    private mutating func hexadecimal() throws(SyntaxFault) -> UInt32 {
        let word = bytes[place...].prefix(4)
        guard word.count == 4, word.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(String(decoding: word, as: UTF8.self), radix: 16)
        else { throw fault(#"expected four hexadecimal digits after \u"#) }
        place += 4
        return value
    }
}
