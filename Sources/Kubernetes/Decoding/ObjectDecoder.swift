/// What decoding one object has in common: the tree, where in it decoding stands, and what was found wrong.
///
/// Decoders go on after a fault, so that one run reports them all; an object with faults is thrown away at the end.
final class ObjectDecoder {
    private enum Step {
        case field(FieldName)
        case key(String)
        case index(Int)
    }

    let tree: Tree
    let origin: Origin
    let rules: ClusterRules
    /// Whether unknown fields are warned of.
    let checksFields: Bool
    /// The object, as soon as its name was read.
    var object: ObjectReference?
    /// How many faults, and how many warnings, of one object are kept.
    private static let maximumReports = 100
    private(set) var faults: [ManifestFault] = []
    private(set) var warnings: [ManifestFault] = []
    private var path: [Step] = []

    init(tree: Tree, origin: Origin, rules: ClusterRules, checksFields: Bool) {
        self.tree = tree
        self.origin = origin
        self.rules = rules
        self.checksFields = checksFields
    }

    /// The path of the value at hand, `spec.ports[0].nodePort`.
    var field: String {
        var result = ""
        for step in path {
            switch step {
            case .field(let name): result += result.isEmpty ? name.text : ".\(name.text)"
            case .key(let key) where Self.isSimple(key): result += result.isEmpty ? key : ".\(key)"
            case .key(let key): result += "[\(Quoting.quoted(key))]"
            case .index(let index): result += "[\(index)]"
            }
        }
        return result
    }

    private static func isSimple(_ key: String) -> Bool {
        key.utf8.count < 64 && key.utf8.allSatisfy { (0x61...0x7a).contains($0 | 0x20) || (0x30...0x39).contains($0) }
    }

    /// Whether so many faults were found that looking for more is of no use.
    var isFull: Bool { faults.count >= Self.maximumReports }

    /// Reports a fault of the value at hand.
    func fault(_ value: String, _ expectation: String) { add(value, expectation, .error) }
    func fault(_ problem: String) { add(nil, problem, .error) }

    /// Reports something odd about the value at hand.
    func warn(_ value: String, _ expectation: String) { add(value, expectation, .warning) }
    func warn(_ problem: String) { add(nil, problem, .warning) }

    private func add(_ value: String?, _ expectation: String, _ severity: ManifestFault.Severity) {
        guard (severity == .error ? faults : warnings).count < Self.maximumReports else { return }
        let finding = ManifestFault(
            severity: severity,
            file: origin.file,
            document: origin.document,
            item: origin.item,
            object: object,
            field: path.isEmpty ? nil : field,
            value: value,
            expectation: expectation
        )
        if severity == .error { faults.append(finding) } else { warnings.append(finding) }
    }

    func at<T>(_ name: FieldName, _ body: () -> T) -> T { at(.field(name), body) }
    func at<T>(index: Int, _ body: () -> T) -> T { at(.index(index), body) }
    func at<T>(key: String, _ body: () -> T) -> T { at(.key(key), body) }

    /// Goes back to the object itself for what lies elsewhere in it.
    func atRoot<T>(_ body: () -> T) -> T {
        let place = path
        path = []
        defer { path = place }
        return body()
    }

    private func at<T>(_ step: Step, _ body: () -> T) -> T {
        path.append(step)
        defer { path.removeLast() }
        return body()
    }

    /// Whether a value counts as not written.
    func isNull(_ node: NodeID) -> Bool {
        tree.kind(node) == .plain && tree.count(node) <= 4 && ScalarValue(tree.string(node)) == .null
    }

    /// How a value is shown in messages.
    func shown(_ node: NodeID) -> String {
        switch tree.kind(node) {
        case .mapping: "a mapping"
        case .list: "a list"
        case .text: Quoting.quoted(tree.string(node))
        case .plain:
            switch ScalarValue(tree.string(node)) {
            case .null: "nothing"
            case .string: Quoting.quoted(tree.string(node))
            default: Quoting.bare(tree.string(node))
            }
        case .tagged, .key, .alias: "a value with a tag that is not read"
        }
    }

    /// Warns of the fields of a mapping that are not among `known`.
    func checkFields(of mapping: NodeID, known: [FieldName]) {
        guard checksFields, warnings.count < Self.maximumReports else { return }
        for key in tree.keys(mapping) {
            let symbol = tree.symbol(key)
            if symbol == FieldName.mergeKey.rawValue || known.contains(where: { $0.rawValue == symbol }) { continue }
            if warnings.count == Self.maximumReports { return }
            let name = tree.keyText(key)
            at(key: name) { warn("unknown field\(Suggestion.hint(for: name, in: known.map(\.text)))") }
        }
    }
}
