internal import Datapath
internal import Devices
internal import Kubernetes
internal import Wire
internal import Yams

/// Walks a YAML tree of settings, collects faults, and notices keys that nobody asked for.
final class SettingsReader {
    let file: String
    private(set) var faults: [String] = []

    init(file: String) { self.file = file }

    func fault(_ path: String, _ problem: String) {
        // A flood of faults helps nobody.
        if faults.count < 100 { faults.append(path.isEmpty ? problem : "\(path): \(problem)") }
    }

    /// The mapping at a path; an empty one where the node is something else.
    func section(_ path: String, _ node: Yams.Node) -> Section {
        if let mapping = node.mapping { return Section(self, path, mapping) }
        if !(node.scalar.map { Self.isNull($0) } ?? false) { fault(path, "is not a mapping of settings") }
        return Section(self, path, nil)
    }

    static func isNull(_ scalar: Yams.Node.Scalar) -> Bool {
        scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// A mapping that is being read, key by key.
    final class Section {
        private let reader: SettingsReader
        private let path: String
        private let mapping: Yams.Node.Mapping?
        private var known: [String] = []

        init(_ reader: SettingsReader, _ path: String, _ mapping: Yams.Node.Mapping?) {
            self.reader = reader
            self.path = path
            self.mapping = mapping
        }

        /// Names the keys that nobody asked for.
        func finish() {
            var seen = Set<String>()
            guard let mapping else { return }
            for (key, _) in mapping {
                guard let name = key.scalar?.string else {
                    reader.fault(path, "has a key that is no plain word")
                    continue
                }
                if !seen.insert(name).inserted { reader.fault(place(name), "is given twice") }
                if !known.contains(name) {
                    reader.fault(place(name), "is no setting\(Suggestion.hint(for: name, in: known))")
                }
            }
        }

        private func place(_ key: String) -> String {
            path.isEmpty ? Quoting.bare(key) : "\(path).\(Quoting.bare(key))"
        }

        private func value(_ key: String) -> Yams.Node? {
            known.append(key)
            guard let mapping, let node = mapping.first(where: { $0.key.scalar?.string == key })?.value else {
                return nil
            }
            if let scalar = node.scalar, SettingsReader.isNull(scalar) { return nil }
            return node
        }

        private func text(_ key: String, _ use: (String) -> Void) {
            guard let node = value(key) else { return }
            guard let scalar = node.scalar else { return reader.fault(place(key), "is not a single value") }
            use(scalar.string)
        }

        private func texts(_ key: String, _ use: ([(path: String, text: String)]) -> Void) {
            guard let node = value(key) else { return }
            guard let sequence = node.sequence else { return reader.fault(place(key), "is not a list") }
            var found: [(path: String, text: String)] = []
            for (index, element) in sequence.enumerated() {
                guard let scalar = element.scalar else {
                    return reader.fault("\(place(key))[\(index)]", "is not a single value")
                }
                found.append((path: "\(place(key))[\(index)]", text: scalar.string))
            }
            use(found)
        }

        private func parse<Value>(_ path: String, _ text: String, _ expectation: String, _ read: (String) -> Value?)
            -> Value?
        {
            if let value = read(text) { return value }
            reader.fault(path, "\(text.debugDescription) is not \(expectation)")
            return nil
        }

        func section(_ key: String, _ body: (Section) -> Void) {
            guard let node = value(key) else { return }
            let section = reader.section(place(key), node)
            body(section)
            section.finish()
        }

        func sections(_ key: String, _ body: (Section) -> Void) {
            guard let node = value(key) else { return }
            guard let sequence = node.sequence else { return reader.fault(place(key), "is not a list") }
            for (index, element) in sequence.enumerated() {
                body(reader.section("\(place(key))[\(index)]", element))
            }
        }

        func string(_ key: String, _ set: (String) -> Void) {
            text(key) { text in
                if text.isEmpty { return reader.fault(place(key), "is empty") }
                set(text)
            }
        }

        func bool(_ key: String, _ set: (Bool) -> Void) {
            text(key) { parse(place(key), $0, "true or false") { ["true": true, "false": false][$0] }.map(set) }
        }

        func integer(_ key: String, _ range: ClosedRange<Int>, _ set: (Int) -> Void) {
            text(key) { text in
                let expectation = "a whole number from \(range.lowerBound) to \(range.upperBound)"
                parse(place(key), text, expectation) { Int($0).flatMap { range.contains($0) ? $0 : nil } }.map(set)
            }
        }

        func word<Word: RawRepresentable & CaseIterable>(_ key: String, _: Word.Type, _ set: (Word) -> Void)
        where Word.RawValue == String {
            choice(key, Dictionary(uniqueKeysWithValues: Word.allCases.map { ($0.rawValue, $0) }), set)
        }

        func choice<Value>(_ key: String, _ values: [String: Value], _ set: (Value) -> Void) {
            text(key) { text in
                if let value = values[text] { return set(value) }
                let words = values.keys.sorted()
                let hint = Suggestion.hint(for: text, in: words)
                reader.fault(
                    place(key),
                    "\(text.debugDescription) is not one of \(words.joined(separator: ", "))\(hint)"
                )
            }
        }

        func address(_ key: String, _ set: (IPv4Address) -> Void) {
            text(key) { parse(place(key), $0, "an IPv4 address") { IPv4Address($0) }.map(set) }
        }

        func addresses(_ key: String, _ set: ([IPv4Address]) -> Void) {
            texts(key) { found in
                set(found.compactMap { parse($0.path, $0.text, "an IPv4 address") { IPv4Address($0) } })
            }
        }

        func prefix(_ key: String, _ set: (IPv4Prefix) -> Void) {
            text(key) { parse(place(key), $0, "an IPv4 block such as 10.244.0.0/16") { IPv4Prefix($0) }.map(set) }
        }

        /// An address with the length of its prefix; the host bits count, unlike in a block.
        func interfaceAddress(_ key: String, _ set: (InterfaceAddress) -> Void) {
            text(key) { text in
                parse(place(key), text, "an address such as 10.244.0.11/32") { text -> InterfaceAddress? in
                    let parts = text.split(separator: "/", maxSplits: 1)
                    guard let address = parts.first.flatMap({ IPv4Address($0) }),
                        let prefix = IPv4Prefix(text, allowingHostBits: true)
                    else { return nil }
                    return InterfaceAddress(address, prefixLength: prefix.length)
                }.map(set)
            }
        }

        func prefixes(_ key: String, _ set: ([IPv4Prefix]) -> Void) {
            texts(key) { found in
                set(
                    found.compactMap {
                        parse($0.path, $0.text, "an IPv4 block such as 10.244.0.0/16") { IPv4Prefix($0) }
                    }
                )
            }
        }

        func portRange(_ key: String, _ set: (ClosedRange<UInt16>) -> Void) {
            text(key) { text in
                parse(place(key), text, "a range of ports such as 30000-32767") { text -> ClosedRange<UInt16>? in
                    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
                    guard ends.count == 2, let low = ends[0], let high = ends[1], low > 0, low <= high else {
                        return nil
                    }
                    return low...high
                }.map(set)
            }
        }

        func nodePortAddresses(_ key: String, _ set: (Configuration.NodePortAddresses) -> Void) {
            guard let node = value(key) else { return }
            if let scalar = node.scalar {
                let words: [String: Configuration.NodePortAddresses] = ["primary": .primary, "all": .all]
                parse(place(key), scalar.string, "primary, all or a list of blocks") { words[$0] }.map(set)
                return
            }
            prefixes(key) { set(.within($0)) }
        }

        /// A whole number with s, m or h; in nanoseconds.
        func duration(_ key: String, _ set: (UInt64) -> Void) {
            text(key) { text in
                parse(place(key), text, "a time from 1s to 8760h such as 30s, 5m or 24h") { text -> UInt64? in
                    let units: [Character: UInt64] = ["s": 1, "m": 60, "h": 3600]
                    guard let last = text.last, let unit = units[last], let count = UInt64(text.dropLast()), count > 0,
                        count <= 31_536_000, count * unit <= 31_536_000
                    else { return nil }
                    return count * unit * Timeouts.second
                }.map(set)
            }
        }
    }
}
