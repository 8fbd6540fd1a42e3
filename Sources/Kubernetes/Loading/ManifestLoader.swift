/// Loads manifests in one go: what `-f` names, in YAML or JSON, any number of documents and Lists of Service,
/// EndpointSlice, Endpoints, Node, Pod and ServiceCIDR.
///
/// Objects of other kinds are skipped and counted. `ManifestCache` loads again what was loaded before.
///
/// Theory of operation: bytes → `YAMLReader` or `JSONReader` → a `Tree` per document, within `ReadingLimits` → a `Document`
/// that tells kinds and Lists apart → the decoder of the kind → `ManifestSet`. Faults are values and collected, so that
/// one run reports all of them; `finish` throws them together, or returns the set.
package struct ManifestLoader {
    /// How many faults, and how many warnings, are kept; what is beyond is counted only.
    package static let maximumReports = 1000

    private let rules: ClusterRules
    private let limits: ReadingLimits
    private var content = ParsedText()

    /// A loader that has seen nothing yet; `rules` are what objects are held against.
    package init(rules: ClusterRules = ClusterRules(), limits: ReadingLimits = ReadingLimits()) {
        self.rules = rules
        self.limits = limits
    }

    /// Loads one `-f` argument: a file, a directory (all `*.yaml`, `*.yml` and `*.json` below it, in the order of their
    /// paths; hidden ones are left out) or `-`, standard input.
    package mutating func load(argument: String) {
        let found = ManifestFiles.find(argument)
        if let fault = found.fault { return content.report(fault) }
        for file in found.files {
            do throws(ManifestFault) {
                load(name: file.path, bytes: try ManifestFiles.read(file.path, limit: limits.bytes).bytes)
            } catch {
                content.report(error)
            }
        }
    }

    /// Loads a text; `name` stands for it in messages, and JSON alone is read where it ends in `.json`.
    package mutating func load(name: String, bytes: [UInt8]) {
        add(ManifestReader.read(name: name, bytes: bytes, rules: rules, limits: limits))
    }

    /// Takes over what was read of a text.
    mutating func add(_ text: ParsedText) {
        content.set.append(text.set)
        text.faults.forEach { content.report($0) }
        content.omitted += text.omitted
        text.set.warnings.forEach { content.report($0) }
    }

    /// Takes over something that concerns no single text.
    mutating func report(_ finding: ManifestFault) { content.report(finding) }

    /// Holds all objects against each other.
    ///
    /// - Throws: all faults, those of single objects included.
    package consuming func finish() throws(ManifestError) -> ManifestSet { try finishWithFindings().set }

    /// The same, and what was found odd between objects.
    consuming func finishWithFindings() throws(ManifestError) -> (set: ManifestSet, findings: [ManifestFault]) {
        content.set.sort()
        let rules = rules.adding(content.set.serviceCIDRs)
        let findings = Conflicts.find(in: content.set, rules: rules, isComplete: content.faults.isEmpty)
        for finding in findings { content.report(finding) }
        if !content.faults.isEmpty {
            throw ManifestError(faults: content.faults, omitted: content.omitted, warnings: content.set.warnings)
        }
        return (content.set, findings)
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
}
