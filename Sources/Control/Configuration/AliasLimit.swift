internal import CYaml

/// Counts what the aliases of a YAML text stand for, before Yams makes a tree of it.
///
/// Yams looks for duplicate keys by their hash, which takes a walk through all that a key stands for; with aliases of
/// aliases that is two to the power of their number. So the events of libyaml are counted first: a scalar is one value,
/// a mapping or list one more than what is in it, and an alias as many as its anchor.
enum AliasLimit {
    /// How many values all aliases together may stand for; as in manifests.
    static let values = 100_000

    /// Whether the aliases stand for too many values; false for what is no YAML, which Yams will say.
    static func isExceeded(by bytes: [UInt8]) -> Bool {
        // Safe: the parser keeps its own address, so it stays where it was allocated; it reads the bytes within the
        // closure only, and is deleted there.
        unsafe bytes.withUnsafeBufferPointer { buffer in
            let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
            defer { unsafe parser.deallocate() }
            guard unsafe yaml_parser_initialize(parser) == 1 else { return false }
            defer { unsafe yaml_parser_delete(parser) }
            unsafe yaml_parser_set_input_string(parser, buffer.baseAddress, buffer.count)
            var count = Count()
            while !count.isExceeded {
                var event = unsafe yaml_event_t()
                // Safe: an event owns its strings until it is deleted, and they end in NUL.
                guard unsafe yaml_parser_parse(parser, &event) == 1 else { return false }
                defer { unsafe yaml_event_delete(&event) }
                switch unsafe event.type {
                case YAML_SCALAR_EVENT: count.add(1, unsafe text(event.data.scalar.anchor))
                case YAML_ALIAS_EVENT: count.alias(unsafe text(event.data.alias.anchor))
                case YAML_MAPPING_START_EVENT: count.begin(unsafe text(event.data.mapping_start.anchor))
                case YAML_SEQUENCE_START_EVENT: count.begin(unsafe text(event.data.sequence_start.anchor))
                case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT: count.end()
                case YAML_STREAM_END_EVENT: return false
                default: break
                }
            }
            return true
        }
    }

    private static func text(_ pointer: UnsafePointer<UInt8>?) -> String? {
        unsafe pointer.map { unsafe String(decodingCString: $0, as: UTF8.self) }
    }

    /// The values so far, by their anchors.
    private struct Count {
        private var anchored: [String: Int] = [:]
        private var open: [(anchor: String?, values: Int)] = []
        private var aliased = 0

        var isExceeded: Bool { aliased > AliasLimit.values }

        mutating func add(_ values: Int, _ anchor: String?) {
            if let anchor { anchored[anchor] = values }
            if !open.isEmpty { open[open.count - 1].values += values }
        }

        /// An alias of an anchor that is not known is Yams' to refuse.
        mutating func alias(_ anchor: String?) {
            let values = anchor.flatMap { anchored[$0] } ?? 0
            aliased += values
            add(values, nil)
        }

        mutating func begin(_ anchor: String?) { open.append((anchor: anchor, values: 1)) }

        mutating func end() {
            if let last = open.popLast() { add(last.values, last.anchor) }
        }
    }
}
