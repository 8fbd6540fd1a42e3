internal import ArgumentParser
internal import Control
internal import Kubernetes

/// `culvert get`: what a running daemon has and does.
struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Show what a running daemon tracks, counts and forwards to.",
        discussion: """
            Examples:
              culvert get services
              culvert get conntrack --service default/web --state ESTABLISHED
              culvert get conntrack --top 5
              culvert get maps backends -o json

            Filters are for conntrack. Other lists take names: get services default/web.
            counters and drops show what is not zero; -o wide shows all.
            Exits with 3 when the daemon cannot be reached.
            """
    )

    /// The forms of the answer.
    enum Output: String, ExpressibleByArgument, CaseIterable { case table, wide, json, yaml }

    @Argument(
        help: "One of \(ControlResource.allCases.map(\.rawValue).joined(separator: ", ")).",
        transform: GetCommand.resource
    )
    var resource: ControlResource

    @Argument(help: "Show only these, in their order; of maps, the entries of the one that is named.")
    var names: [String] = []

    @Option(name: [.customShort("o"), .long], help: "table, wide, json or yaml.")
    var output = Output.table

    @Flag(help: "Leave the header of tables out.")
    var noHeaders = false

    @Option(help: "Of conntrack: who uses the entries and the ports, the N largest of each kind.")
    var top: Int?

    @OptionGroup(title: "Filters") var filter: FlowFilterOptions
    @OptionGroup var daemon: SocketOptions

    private static func resource(_ word: String) throws -> ControlResource {
        if let resource = ControlResource(rawValue: word) { return resource }
        let words = ControlResource.allCases.map(\.rawValue)
        let nearest = Suggestion.nearest(to: word, in: words).map { "did you mean \($0)?" }
        throw ValidationError(nearest ?? "it is none of \(words.joined(separator: ", "))")
    }

    func validate() throws {
        if top != nil && resource != .conntrack { throw ValidationError("--top: is for conntrack") }
        if let top, !(1...1000).contains(top) { throw ValidationError("--top \(top): is outside 1-1000") }
        if resource.nameKey == nil, let name = names.first {
            throw ValidationError("\(name): \(resource.rawValue) has no names; filters say what is meant")
        }
        if resource == .maps && names.count > 1 { throw ValidationError("\(names[1]): one map at a time") }
    }

    func run() async throws {
        var query = try filter.query()
        guard resource == .conntrack || query.items.isEmpty else {
            throw Failure.input(["--\(query.items[0].key): filters are for conntrack"])
        }
        if let top {
            query.items.append(Query.Item("n", "\(top)"))
            return try show(try await daemon.document("GET", "conntrack/top", query))
        }
        if resource == .maps, let name = names.first {
            return try show(try await daemon.items("maps/\(Query.encoded(name))"), isDump: true)
        }
        let items = resource.sorted(try await daemon.items(resource.rawValue, query))
        try show(try names.isEmpty ? items : named(items), isDump: false)
    }

    /// The items that were asked for by name, in the order of the names.
    private func named(_ items: [[UInt8]]) throws(Failure) -> [[UInt8]] {
        let parsed = try parse(items)
        var found: [[UInt8]] = []
        for name in names {
            let matches = parsed.indices.filter { resource.isNamed(name, parsed[$0]) }
            if matches.isEmpty { throw Failure.failed("\(resource.rawValue) \(name): there is none") }
            found += matches.map { items[$0] }
        }
        return found
    }

    private func parse(_ items: [[UInt8]]) throws(Failure) -> [JSONValue] {
        var values: [JSONValue] = []
        values.reserveCapacity(items.count)
        for item in items {
            guard let value = JSONParser.parse(item) else { throw Failure.failed("the answer is not a daemon's") }
            values.append(value)
        }
        return values
    }

    private func show(_ usage: JSONValue) throws {
        if daemon.quiet { return }
        switch output {
        case .json: try writeToStandardOutput(usage.line)
        case .yaml: try writeToStandardOutput(YAMLWriter.text(usage))
        case .table, .wide: try writeToStandardOutput(UsageText.text(usage, hasHeader: !noHeaders))
        }
    }

    private func show(_ items: [[UInt8]], isDump: Bool) throws {
        if daemon.quiet { return }
        switch output {
        case .json: try writeItems(items)
        case .yaml:
            try writeToStandardOutput(YAMLWriter.text(.object([("items", .array(try parse(items)))])))
        case .table, .wide:
            if resource == .conntrack { return try showFlows(items) }
            let values = try parse(items)
            let table = isDump ? ResourceTable(keysOf: values) : ResourceTable(resource, isWide: output == .wide)
            let text = table.text(values, hasHeader: !noHeaders)
            if text.isEmpty { writeToStandardError("No \(names.first ?? resource.rawValue) to show.\n") }
            try writeToStandardOutput(text)
        }
    }

    private func writeItems(_ items: [[UInt8]]) throws {
        var text = TextBuffer()
        text.append("{\"items\":[\n")
        for (index, item) in items.enumerated() {
            for byte in item { text.append(byte) }
            text.append(index < items.count - 1 ? ",\n" : "\n")
            if text.count > 1 << 16 {
                try writeToStandardOutput(text.bytes)
                text.clear()
            }
        }
        text.append("]}\n")
        try writeToStandardOutput(text.bytes)
    }

    /// Lines as conntrack(8) prints them, and their number on standard error.
    private func showFlows(_ items: [[UInt8]]) throws {
        var text = ""
        for item in items {
            guard let flow = JSONParser.parse(item) else { throw Failure.failed("the answer is not a daemon's") }
            text += ConntrackLine.text(flow, isWide: output == .wide) + "\n"
            if text.utf8.count > 1 << 16 {
                try writeToStandardOutput(text)
                text = ""
            }
        }
        try writeToStandardOutput(text)
        writeToStandardError("culvert: \(items.count) flow entries have been shown.\n")
    }
}
