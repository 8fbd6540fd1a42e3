internal import ArgumentParser
internal import Control

/// `culvert check`: whether a configuration and manifests are valid, and what they compile to.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Validate a configuration and manifests, and show what they compile to.",
        discussion: """
            Examples:
              culvert check -c culvert.yaml -f manifests/
              culvert check -c culvert.yaml -f web.yaml -o json --maps backends

            FRONTEND marks with + what Culvert has given, BACKENDS with * those on this
            node. MASQUERADE says of which sources the address is replaced: always,
            outside (not in podCIDR), node (its own addresses) or never; a pod that is
            its own backend always is.
            Warnings go to standard error, and nothing does when all is well. Invalid
            input exits with 2.
            """
    )

    /// The forms of the answer.
    enum Output: String, ExpressibleByArgument, CaseIterable { case text, wide, json, yaml }

    @OptionGroup var cluster: ClusterOptions

    @Option(name: [.customShort("o"), .long], help: "text, wide (all backends), json or yaml.")
    var output = Output.text

    @Option(help: "With -o json, print one map only: services, backends, routes, source-ranges, or the list of maps.")
    var maps: String?

    func validate() throws {
        if maps != nil && output != .json { throw ValidationError("--maps: needs -o json") }
    }

    func run() throws {
        let loaded = try cluster.load()
        let report = CheckReport(loaded)
        if !cluster.quiet {
            for warning in report.warnings { writeToStandardError("culvert: warning: \(warning)\n") }
        }
        if let maps {
            let dump: JSONValue
            do throws(MapError) {
                dump = try MapDumps(loaded).dump(maps)
            } catch {
                throw Failure.input(["--maps \(maps): \(error.problem)"], hint: error.hint)
            }
            if !cluster.quiet { try writeToStandardOutput(dump.line) }
            return
        }
        if cluster.quiet { return }
        switch output {
        case .text: try writeToStandardOutput(report.text(isWide: false))
        case .wide: try writeToStandardOutput(report.text(isWide: true))
        case .json: try writeToStandardOutput(report.json.line)
        case .yaml: try writeToStandardOutput(YAMLWriter.text(report.json))
        }
    }
}
