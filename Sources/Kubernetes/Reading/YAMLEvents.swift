internal import CYaml

/// The events of a YAML text, one at a time, straight from libyaml.
///
/// Yams offers the whole tree or nothing, which is too late for limits: a tree of aliases has cost its memory before
/// anybody counts. The C library under Yams reports one event after the other; this file is the only one that
/// touches it, and owns its memory.
@safe struct YAMLEvents: ~Copyable {
    enum Kind { case documentStart, documentEnd, mapping, list, end, scalar, alias, streamEnd, other }

    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let event: UnsafeMutablePointer<yaml_event_t>
    private let input: UnsafeMutableBufferPointer<UInt8>

    /// Starts reading `bytes`, of which it keeps a copy.
    init(_ bytes: [UInt8]) throws(SyntaxFault) {
        // Safe: all three are freed in deinit and nowhere else; the parser reads `input` only while it lives.
        unsafe parser = .allocate(capacity: 1)
        unsafe event = .allocate(capacity: 1)
        unsafe event.initialize(to: yaml_event_t())
        unsafe input = .allocate(capacity: bytes.count)
        _ = unsafe input.initialize(from: bytes)
        guard unsafe yaml_parser_initialize(parser) == 1 else {
            unsafe parser.initialize(to: yaml_parser_t())
            throw SyntaxFault(isGrammatical: false, problem: "out of memory")
        }
        // With the encoding given, the mark that a UTF-8 text may begin with is ours to skip.
        let start = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, input.baseAddress.map { unsafe $0 + start }, input.count - start)
    }

    deinit {
        // Safe: both delete functions take zeroed structures, and leave them zeroed.
        unsafe yaml_event_delete(event)
        unsafe yaml_parser_delete(parser)
        unsafe event.deallocate()
        unsafe parser.deallocate()
        unsafe input.deallocate()
    }

    /// Goes to the next event; the accessors below speak of it until the next call.
    mutating func advance() throws(SyntaxFault) -> Kind {
        unsafe yaml_event_delete(event)
        guard unsafe yaml_parser_parse(parser, event) == 1 else { throw fault() }
        return switch unsafe event.pointee.type {
        case YAML_DOCUMENT_START_EVENT: .documentStart
        case YAML_DOCUMENT_END_EVENT: .documentEnd
        case YAML_MAPPING_START_EVENT: .mapping
        case YAML_SEQUENCE_START_EVENT: .list
        case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT: .end
        case YAML_SCALAR_EVENT: .scalar
        case YAML_ALIAS_EVENT: .alias
        case YAML_STREAM_END_EVENT: .streamEnd
        default: .other
        }
    }

    /// The line of the event, from 1.
    var line: Int { unsafe event.pointee.start_mark.line + 1 }
    /// The column of the event, from 1, in characters.
    var column: Int { unsafe event.pointee.start_mark.column + 1 }

    /// The anchor of a scalar, mapping or list, or the name that an alias refers to.
    func anchor(_ kind: Kind) -> String? {
        // Safe: the union's member is chosen by the type of the event; the strings end in NUL.
        switch kind {
        case .scalar: unsafe Self.text(event.pointee.data.scalar.anchor)
        case .mapping: unsafe Self.text(event.pointee.data.mapping_start.anchor)
        case .list: unsafe Self.text(event.pointee.data.sequence_start.anchor)
        case .alias: unsafe Self.text(event.pointee.data.alias.anchor)
        default: nil
        }
    }

    /// The tag of a scalar, if one is written.
    var scalarTag: String? { unsafe Self.text(event.pointee.data.scalar.tag) }
    var isPlainScalar: Bool { unsafe event.pointee.data.scalar.style == YAML_PLAIN_SCALAR_STYLE }

    /// Appends the text of a scalar, in UTF-8.
    func appendScalar(to text: inout [UInt8]) {
        // Safe: libyaml reports the length of the buffer it owns until the event is deleted.
        let scalar = unsafe event.pointee.data.scalar
        unsafe text.append(contentsOf: UnsafeBufferPointer(start: scalar.value, count: scalar.length))
    }

    private static func text(_ pointer: UnsafePointer<UInt8>?) -> String? {
        unsafe pointer.map { unsafe String(decodingCString: $0, as: UTF8.self) }
    }

    private func fault() -> SyntaxFault {
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "unknown error"
        if unsafe parser.pointee.error == YAML_READER_ERROR {
            let value = unsafe parser.pointee.problem_value
            let shown = value < 0 ? "" : " (\(String(value, radix: 16)))"
            return SyntaxFault(problem: "\(problem)\(shown)").located(
                line: unsafe parser.pointee.mark.line + 1,
                column: 1
            )
        }
        let mark = unsafe parser.pointee.problem_mark
        // The scanner looks ahead of the events, and has a limit of its own (1,000 levels).
        if problem.hasPrefix("Maximum nesting level") {
            return SyntaxFault(isGrammatical: false, line: mark.line + 1, problem: "nested too deeply")
        }
        guard let context = unsafe parser.pointee.context.map({ unsafe String(cString: $0) }) else {
            return SyntaxFault(line: mark.line + 1, column: mark.column + 1, problem: problem)
        }
        let start = unsafe parser.pointee.context_mark.line + 1
        return SyntaxFault(
            line: mark.line + 1,
            column: mark.column + 1,
            problem: "\(problem) (\(context) on line \(start))"
        )
    }
}
