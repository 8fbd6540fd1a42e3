/// What a text holds, free of what other texts hold.
struct ParsedText: Hashable, Sendable {
    /// Its objects in order, what is skipped, and what is odd.
    var set = ManifestSet()
    /// What is wrong, at most `ManifestLoader.maximumReports`.
    var faults: [ManifestFault] = []
    /// How many faults more there are.
    var omitted = 0

    mutating func report(_ finding: ManifestFault) {
        switch finding.severity {
        case .error where faults.count < ManifestLoader.maximumReports: faults.append(finding)
        case .error: omitted += 1
        case .warning where set.warnings.count < ManifestLoader.maximumReports: set.warnings.append(finding)
        case .warning: break
        }
    }
}

/// Reads a text: YAML or JSON, any number of documents and Lists.
struct ManifestReader {
    private let rules: ClusterRules
    private let limits: ReadingLimits
    private var result = ParsedText()

    private init(rules: ClusterRules, limits: ReadingLimits) {
        self.rules = rules
        self.limits = limits
    }

    /// What a text holds; `name` stands for it in messages, and JSON alone is read where it ends in `.json`.
    static func read(name: String, bytes: [UInt8], rules: ClusterRules, limits: ReadingLimits) -> ParsedText {
        var reader = ManifestReader(rules: rules, limits: limits)
        reader.load(name: name, bytes: bytes)
        reader.result.set.sort()
        return reader.result
    }

    private mutating func load(name: String, bytes: [UInt8]) {
        var document = 1
        var objects = 0
        do throws(SyntaxFault) {
            if bytes.count > limits.bytes {
                throw SyntaxFault(isGrammatical: false, problem: "larger than the limit of \(limits.bytes >> 20) MiB")
            }
            try Encoding.check(bytes)
            if JSONReader.mayRead(bytes), try loadJSON(name: name, bytes, &document) { return }
            // What was JSON so far has been taken: documents have the same numbers either way.
            let taken = document - 1
            document = 1
            var reader = try YAMLReader(bytes, limits: limits)
            while let tree = try reader.next() {
                let isNew = document > taken
                objects += !isNew || take(tree, Origin(file: name, document: document)) ? 1 : 0
                document += 1
            }
            if objects == 0 {
                result.report(ManifestFault(severity: .warning, file: name, expectation: "holds no objects"))
            }
        } catch {
            result.report(
                ManifestFault(
                    file: name,
                    document: document > 1 || error.line != nil ? document : nil,
                    line: error.line,
                    column: error.column,
                    expectation: error.problem
                )
            )
        }
    }

    /// Loads a text as JSON, as far as it is; false if the rest may be YAML.
    private mutating func loadJSON(name: String, _ bytes: [UInt8], _ document: inout Int) throws(SyntaxFault) -> Bool {
        var reader = JSONReader(bytes, limits: limits)
        do throws(SyntaxFault) {
            while let tree = try reader.next() {
                _ = take(tree, Origin(file: name, document: document))
                document += 1
            }
        } catch {
            if error.isGrammatical, !name.hasSuffix(".json") { return false }
            throw error
        }
        return true
    }

    /// Takes over what a document holds; false for an empty one.
    private mutating func take(_ tree: Tree, _ origin: Origin) -> Bool {
        let document = Document(tree: tree, origin: origin, rules: rules)
        let isEmpty = !document.read { content in
            switch content {
            case .service(let service): result.set.services.append(service)
            case .endpointSlice(let slice): result.set.endpointSlices.append(slice)
            case .endpoints(let endpoints): result.set.endpoints.append(endpoints)
            case .node(let node): result.set.nodes.append(node)
            case .pod(let pod): result.set.pods.append(pod)
            case .serviceCIDR(let block): result.set.serviceCIDRs.append(block)
            case .unused(let kind): result.set.skipped[kind, default: 0] += 1
            case .finding(let finding): result.report(finding)
            }
        }
        return !isEmpty
    }
}
