internal import ArgumentParser
internal import Control
internal import Kubernetes

/// `culvert diff`: what a change of manifests would do.
struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Show what a change of manifests would do to the rules, and to flows.",
        discussion: """
            Examples:
              culvert diff -c culvert.yaml running/ next/
              culvert diff -c culvert.yaml old.yaml new.yaml -o json

            OLD and NEW are files or directories; - is standard input. NEW is loaded as
            a daemon that runs OLD would load it: what Services were given stays theirs.
            + is new, - is gone, ~ is another one; * marks backends on this node.
            Exits with 0 if nothing differs, with 1 if something does, and with 2 if
            something is invalid, as diff(1) does.
            """
    )

    /// The forms of the answer.
    enum Output: String, ExpressibleByArgument, CaseIterable { case text, json, yaml }

    @Option(name: [.customShort("c"), .long], help: "The configuration file.", completion: .file())
    var config: String

    @Argument(help: "The manifests that run.", completion: .file())
    var old: String

    @Argument(help: "The manifests that are to take their place.", completion: .file())
    var new: String

    @Option(name: [.customShort("o"), .long], help: "text, json or yaml.")
    var output = Output.text

    @Flag(name: [.customShort("q"), .long], help: "Print nothing but errors.")
    var quiet = false

    func validate() throws {
        if old == "-" && new == "-" { throw ValidationError("-: one of the two can be standard input") }
    }

    func run() throws {
        let before: Cluster
        let after: Cluster
        let configuration = try ClusterOptions.settings(config)
        do throws(ManifestError) {
            before = try Cluster(configuration, manifests: [old])
            after = try before.next(manifests: [new])
        } catch {
            throw Failure(error)
        }
        let difference = ClusterDifference(from: before, to: after)
        if !quiet {
            after.warn()
            for warning in difference.warnings { writeToStandardError("culvert: warning: \(warning)\n") }
            switch output {
            case .text: try writeToStandardOutput(difference.text)
            case .json: try writeToStandardOutput(difference.json.line)
            case .yaml: try writeToStandardOutput(YAMLWriter.text(difference.json))
            }
        }
        if !difference.isEmpty { throw Failure.silent(1) }
    }
}
