/// Loads manifests: what `-f` names, in YAML or JSON, any number of documents and Lists of Service, EndpointSlice,
/// Endpoints, Node and Pod.
///
/// Objects of other kinds are skipped and counted.
///
/// Theory of operation: bytes → `YAMLReader` or `JSONReader` → a `Tree` per document, within `ReadingLimits` → a `Document`
/// that tells kinds and Lists apart → the decoder of the kind → `ManifestSet`. Faults are values and collected, so that
/// one run reports all of them; `finish` throws them together, or returns the set.
package struct ManifestLoader {
    /// How many faults, and how many warnings, are kept; what is beyond is counted only.
    package static let maximumReports = 1000

    private let rules: ClusterRules
    private let limits: ReadingLimits
    private var set = ManifestSet()
    private var faults: [ManifestFault] = []
    private var omitted = 0

    /// A loader that has seen nothing yet; `rules` are what objects are held against.
    package init(rules: ClusterRules = ClusterRules(), limits: ReadingLimits = ReadingLimits()) {
        self.rules = rules
        self.limits = limits
    }

    /// Loads one `-f` argument: a file, a directory (all `*.yaml`, `*.yml` and `*.json` below it, in the order of their
    /// paths; hidden ones are left out) or `-`, standard input.
    package mutating func load(argument: String) {
        let found = ManifestFiles.find(argument)
        if let fault = found.fault { return report(fault) }
        for file in found.files {
            do throws(ManifestFault) {
                load(name: file, bytes: try ManifestFiles.read(file, limit: limits.bytes))
            } catch {
                report(error)
            }
        }
    }

    /// Loads a text; `name` stands for it in messages, and JSON alone is read where it ends in `.json`.
    package mutating func load(name: String, bytes: [UInt8]) {
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
                report(ManifestFault(severity: .warning, file: name, expectation: "holds no objects"))
            }
        } catch {
            report(
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

    /// Holds all objects against each other.
    ///
    /// - Throws: all faults, those of single objects included.
    package consuming func finish() throws(ManifestError) -> ManifestSet {
        set.sort()
        for finding in Conflicts.find(in: set, rules: rules, isComplete: faults.isEmpty) { report(finding) }
        if !faults.isEmpty { throw ManifestError(faults: faults, omitted: omitted, warnings: set.warnings) }
        return set
    }

    /// Loads `-f` arguments in one go.
    package static func load(
        _ arguments: [String],
        rules: ClusterRules,
        limits: ReadingLimits = ReadingLimits()
    ) throws(ManifestError) -> ManifestSet {
        var loader = ManifestLoader(rules: rules, limits: limits)
        for argument in arguments { loader.load(argument: argument) }
        return try loader.finish()
    }

    private mutating func report(_ finding: ManifestFault) {
        switch finding.severity {
        case .error where faults.count < Self.maximumReports: faults.append(finding)
        case .error: omitted += 1
        case .warning where set.warnings.count < Self.maximumReports: set.warnings.append(finding)
        case .warning: break
        }
    }

    /// Takes over what a document holds; false for an empty one.
    private mutating func take(_ tree: Tree, _ origin: Origin) -> Bool {
        let document = Document(tree: tree, origin: origin, rules: rules)
        let isEmpty = !document.read { content in
            switch content {
            case .service(let service): set.services.append(service)
            case .endpointSlice(let slice): set.endpointSlices.append(slice)
            case .endpoints(let endpoints): set.endpoints.append(endpoints)
            case .node(let node): set.nodes.append(node)
            case .pod(let pod): set.pods.append(pod)
            case .unused(let kind): set.skipped[kind, default: 0] += 1
            case .finding(let finding): report(finding)
            }
        }
        return !isEmpty
    }
}
