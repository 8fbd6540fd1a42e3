/// Manifests that are loaded again and again, as they change.
///
/// Theory of operation: what was read of a file is kept under its `FileIdentity`, so that a load reads only files that are
/// new or have changed. The set of the last load that went well is kept too, with a list of the files it
/// came from; what differs in them is compared object by object and, if it is little, written into the set in place.
/// Findings between objects are looked for again in what has changed, where only endpoints have; otherwise in everything.
/// A load that fails changes nothing but what is known of files.
package struct ManifestCache: Sendable {
    /// A set, and how it differs from the last one.
    package struct Update: Sendable {
        /// All objects.
        package var set: ManifestSet
        /// What differs from the set of the last load that went well; nil if that is unknown, and may be everything.
        package var changes: ManifestChanges?
    }

    private struct Entry {
        var identity: FileIdentity?
        var isSettled: Bool
        var text: ParsedText
    }

    /// The last set, and what it was made from.
    private struct Assembly {
        var files: [String: ParsedText]
        var set: ManifestSet
        var checks: EndpointChecks
        /// Whether any of the files has a warning of its own.
        var hasWarnings: Bool
        /// Warnings between objects.
        var findings: [ManifestFault]
    }

    private var rules: ClusterRules?
    private var entries: [String: Entry] = [:]
    private var assembly: Assembly?
    /// Files that were read since `assembly` was made.
    private var pending: Set<String> = []
    /// How many files the last load has read anew.
    package private(set) var filesRead = 0

    /// A cache that knows nothing yet.
    package init() {}

    /// What has been read, before it is put together.
    package struct Reading: Sendable {
        fileprivate var order: [String] = []
        /// What concerns no single text, or kept one from being read.
        fileprivate var findings: [ManifestFault] = []
        /// Whether every file is named once and can be read again.
        fileprivate var isPlain = true
    }

    /// Loads `-f` arguments, as `ManifestLoader` does.
    package mutating func load(
        _ arguments: [String],
        rules: ClusterRules,
        limits: ReadingLimits = ReadingLimits()
    ) throws(ManifestError) -> Update {
        try update(read(arguments, rules: rules, limits: limits), rules: rules)
    }

    /// The first half of loading: reads what is new or has changed.
    package mutating func read(
        _ arguments: [String],
        rules: ClusterRules,
        limits: ReadingLimits = ReadingLimits()
    ) -> Reading {
        if self.rules != rules { self = ManifestCache() }
        self.rules = rules
        filesRead = 0
        var reading = Reading()
        var known: [String: Entry] = [:]
        known.reserveCapacity(entries.count)
        for argument in arguments {
            let found = ManifestFiles.find(argument)
            if let fault = found.fault { reading.findings.append(fault) }
            for file in found.files {
                reading.isPlain = reading.isPlain && file.path != "-" && known[file.path] == nil
                reading.order.append(file.path)
                if known[file.path] != nil { continue }
                do throws(ManifestFault) {
                    known[file.path] = try entry(of: file, rules, limits)
                } catch {
                    reading.findings.append(error)
                }
            }
        }
        entries = known
        return reading
    }

    /// The second half: puts together what has been read, and holds it against itself.
    package mutating func update(_ reading: Reading, rules: ClusterRules) throws(ManifestError) -> Update {
        let changes = reading.isPlain && reading.findings.isEmpty ? differences() : nil
        if let changes, let update = patched(reading.order, changes) { return update }
        return try assembled(reading, rules, changes)
    }

    private mutating func entry(
        of file: ManifestFiles.Found,
        _ rules: ClusterRules,
        _ limits: ReadingLimits
    ) throws(ManifestFault) -> Entry {
        if let entry = entries[file.path], entry.isSettled, let identity = file.identity, entry.identity == identity {
            return entry
        }
        let now = FileIdentity.now
        let (bytes, identity) = try ManifestFiles.read(file.path, limit: limits.bytes)
        filesRead += 1
        pending.insert(file.path)
        return Entry(
            identity: identity,
            isSettled: identity?.isSettled(at: now) ?? false,
            text: ManifestReader.read(name: file.path, bytes: bytes, rules: rules, limits: limits)
        )
    }

    /// The set from all files.
    private mutating func assembled(
        _ reading: Reading,
        _ rules: ClusterRules,
        _ changes: ManifestChanges?
    ) throws(ManifestError) -> Update {
        var loader = ManifestLoader(rules: rules)
        var files: [String: ParsedText] = [:]
        for path in reading.order {
            guard let text = entries[path]?.text else { continue }
            loader.add(text)
            files[path] = text
        }
        for finding in reading.findings { loader.report(finding) }
        let (set, findings) = try loader.finishWithFindings()
        assembly = nil
        if reading.isPlain, reading.findings.isEmpty {
            let checks = EndpointChecks(set.services, rules: rules.adding(set.serviceCIDRs))
            let hasWarnings = files.values.contains { !$0.set.warnings.isEmpty }
            assembly = Assembly(
                files: files,
                set: set,
                checks: checks,
                hasWarnings: hasWarnings,
                findings: findings
            )
        }
        pending = []
        return Update(set: set, changes: changes)
    }

    /// How the files as they are now differ from those of the last set; nil if there is none, or if some are no good.
    private func differences() -> ManifestChanges? {
        guard let assembly else { return nil }
        var changes = ManifestChanges()
        for path in pending {
            guard let new = entries[path]?.text else { continue }
            guard new.faults.isEmpty else { return nil }
            changes.add(from: assembly.files[path]?.set ?? ManifestSet(), to: new.set)
        }
        for path in removed { changes.add(from: assembly.files[path]?.set ?? ManifestSet(), to: ManifestSet()) }
        return changes
    }

    /// The files of the last set that are there no more.
    private var removed: [String] {
        guard let files = assembly?.files else { return [] }
        let added = pending.count { files[$0] == nil && entries[$0] != nil }
        if files.count + added == entries.count { return [] }
        return files.keys.filter { entries[$0] == nil }
    }

    /// The last set with what has changed since written into it; nil if all has to be put together anew.
    ///
    /// The set is changed in place, not copied: where that fails half-way it is gone, and the next one is made from the files.
    private mutating func patched(_ order: [String], _ changes: ManifestChanges) -> Update? {
        guard let checks = assembly?.checks, changes.concernsEndpointsOnly, changes.count <= Self.maximumChanges else {
            return nil
        }
        let found = checks.findings(changes)
        if found.contains(where: { $0.severity == .error }) { return nil }
        let removed = removed
        guard var next = assembly.take() else { return nil }
        for path in removed {
            if next.files.removeValue(forKey: path)?.set.skipped.isEmpty == false { return nil }
        }
        for path in pending {
            guard let new = entries[path]?.text else { continue }
            if next.files.updateValue(new, forKey: path)?.set.skipped ?? [:] != new.set.skipped { return nil }
            next.hasWarnings = next.hasWarnings || !new.set.warnings.isEmpty
        }
        guard changes.apply(to: &next.set) else { return nil }
        let concerned = changes.endpointReferences
        next.findings.removeAll { $0.object.map(concerned.contains) ?? false }
        next.findings += found
        let own = next.hasWarnings ? order.flatMap { next.files[$0]?.set.warnings ?? [] } : []
        next.set.warnings = Array((own + next.findings).prefix(ManifestLoader.maximumReports))
        let set = next.set
        assembly = next
        pending = []
        return Update(set: set, changes: changes)
    }

    /// With more changes than this, everything is put together anew: each moves a part of a list.
    private static let maximumChanges = 1000
}
