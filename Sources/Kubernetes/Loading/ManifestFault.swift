/// Something wrong, or worth a warning, in a manifest.
package struct ManifestFault: Error, Hashable, Sendable {
    /// Whether the manifests can be used all the same.
    package enum Severity: Sendable {
        case error
        case warning
    }

    /// Error or warning.
    package var severity: Severity
    /// The file, or the directory that could not be read.
    package var file: String
    /// From 1; nil for what concerns the whole file.
    package var document: Int?
    /// The place of the object in a List, from 0.
    package var item: Int?
    /// The object, as far as its kind and name could be read.
    package var object: ObjectReference?
    /// The path of the field below the object, `spec.ports[0].nodePort`; nil for the object or text as a whole.
    package var field: String?
    /// Where the text breaks the grammar of YAML or JSON, from 1.
    package var line: Int?
    /// The column on `line`, from 1.
    package var column: Int?
    /// What stands there, as shown in messages: numbers bare, texts in quotation marks.
    package var value: String?
    /// What is wrong with the value, or what was expected: the end of a sentence that the value begins.
    package var expectation: String

    /// A fault with whatever is known of its place.
    package init(
        severity: Severity = .error,
        file: String,
        document: Int? = nil,
        item: Int? = nil,
        object: ObjectReference? = nil,
        field: String? = nil,
        line: Int? = nil,
        column: Int? = nil,
        value: String? = nil,
        expectation: String
    ) {
        self.severity = severity
        self.file = file
        self.document = document
        self.item = item
        self.object = object
        self.field = field
        self.line = line
        self.column = column
        self.value = value
        self.expectation = expectation
    }

    /// A fault of an object that is known whole.
    package init(
        _ severity: Severity,
        of object: some ClusterObject,
        field: String?,
        value: String? = nil,
        expectation: String
    ) {
        self.init(
            severity: severity,
            file: object.origin?.file ?? "",
            document: object.origin?.document,
            item: object.origin?.item,
            object: object.reference,
            field: field,
            value: value,
            expectation: expectation
        )
    }
}

extension ManifestFault: CustomStringConvertible {
    /// `web.yaml: document 2: spec.ports[0].nodePort: 80 is outside 30000-32767`.
    ///
    /// Inside a List the path begins with `items[3]`, and the object stands at the end in parentheses.
    package var description: String {
        var parts = [Quoting.file(file)]
        if let document { parts.append("document \(document)") }
        if let line { parts.append(column.map { "line \(line), column \($0)" } ?? "line \(line)") }
        let path = [item.map { "items[\($0)]" }, field].compactMap(\.self).joined(separator: ".")
        if !path.isEmpty { parts.append(path) }
        parts.append(value.map { "\($0) \(expectation)" } ?? expectation)
        let named = item != nil ? object.map { " (\($0))" } ?? "" : ""
        return parts.joined(separator: ": ") + named
    }
}

/// All that is wrong with some manifests; never empty.
package struct ManifestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// In the order of files and documents, those between objects last.
    package var faults: [ManifestFault]
    /// How many more there are than `faults` holds.
    package var omitted: Int
    /// What was odd besides.
    package var warnings: [ManifestFault]

    /// The first `ManifestLoader.maximumReports` of some faults; there must be one.
    package init(_ faults: [ManifestFault], warnings: [ManifestFault]) {
        let kept = faults.prefix(ManifestLoader.maximumReports)
        self.init(faults: Array(kept), omitted: faults.count - kept.count, warnings: warnings)
    }

    init(faults: [ManifestFault], omitted: Int, warnings: [ManifestFault]) {
        self.faults = faults
        self.omitted = omitted
        self.warnings = warnings
    }

    /// One line per fault.
    package var description: String {
        let lines = faults.map(\.description)
        return (omitted == 0 ? lines : lines + ["and \(omitted) more"]).joined(separator: "\n")
    }
}
