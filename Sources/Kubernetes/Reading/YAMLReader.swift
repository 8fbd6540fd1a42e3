/// Reads YAML text into trees, document by document.
struct YAMLReader: ~Copyable {
    private var events: YAMLEvents
    private let limits: ReadingLimits
    private var symbols = SymbolTable.fieldNames

    init(_ bytes: [UInt8], limits: ReadingLimits) throws(SyntaxFault) {
        try Encoding.checkDirectives(bytes)
        events = try YAMLEvents(bytes)
        self.limits = limits
    }

    /// The next document, or nil at the end of the text.
    mutating func next() throws(SyntaxFault) -> Tree? {
        while true {
            switch try events.advance() {
            case .documentStart: return try document()
            case .streamEnd: return nil
            default: continue
            }
        }
    }

    private mutating func document() throws(SyntaxFault) -> Tree {
        var builder = TreeBuilder(limits: limits, taking: &symbols)
        while true {
            let kind = try events.advance()
            if kind == .documentEnd { break }
            do {
                try take(kind, into: &builder)
            } catch {
                throw error.located(line: events.line, column: events.column)
            }
        }
        symbols = builder.tree.symbols
        return builder.tree
    }

    private func take(_ kind: YAMLEvents.Kind, into builder: inout TreeBuilder) throws(SyntaxFault) {
        let anchor = events.anchor(kind)
        if builder.expectsKey && kind != .end {
            guard kind == .scalar, anchor == nil else {
                throw SyntaxFault(isGrammatical: false, problem: "a key must be a plain text without an anchor")
            }
            var text: [UInt8] = []
            events.appendScalar(to: &text)
            return try builder.key(String(decoding: text, as: UTF8.self))
        }
        switch kind {
        case .mapping: try builder.beginMapping(anchor: anchor)
        case .list: try builder.beginList(anchor: anchor)
        case .end: try builder.end()
        case .alias: try builder.alias(anchor ?? "")
        case .scalar: try builder.scalar(scalarKind(), anchor: anchor) { events.appendScalar(to: &$0) }
        default: break
        }
    }

    /// How a scalar is read: as a string if it is quoted or tagged so, by its looks otherwise.
    private func scalarKind() -> TreeNode.Kind {
        switch events.scalarTag {
        case nil: events.isPlainScalar ? .plain : .text
        case "!", "tag:yaml.org,2002:str": .text
        case "tag:yaml.org,2002:int", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:null", "tag:yaml.org,2002:float":
            .plain
        default: .tagged
        }
    }
}
