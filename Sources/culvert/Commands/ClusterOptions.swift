internal import ArgumentParser
internal import Control
internal import Foundation
internal import Glibc
internal import Kubernetes

/// The options of every command that needs a cluster: its configuration and its manifests.
struct ClusterOptions: ParsableArguments {
    @Option(name: [.customShort("c"), .long], help: "The configuration file.")
    var config: String

    @Option(
        name: [.customShort("f"), .customLong("filename")],
        parsing: .singleValue,
        help: "A manifest file, a directory of them, or - for standard input; may be repeated."
    )
    var manifests: [String]

    @Flag(name: [.customShort("q"), .long], help: "Print nothing but errors.")
    var quiet = false

    @Option(help: "Color in text for people: auto (on a terminal, unless NO_COLOR is set), always or never.")
    var color = Color.auto

    enum Color: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

    /// Whether standard output gets color.
    var isColored: Bool {
        switch color {
        case .always: return true
        case .never: return false
        case .auto:
            let environment = ProcessInfo.processInfo.environment
            let isUnwanted = !(environment["NO_COLOR"] ?? "").isEmpty || environment["TERM"] == "dumb"
            return !isUnwanted && isatty(STDOUT_FILENO) == 1
        }
    }

    /// Loads and compiles; warnings go to standard error unless it is to be quiet.
    func load() throws(Failure) -> Cluster {
        let cluster = try compile(try settings())
        if !quiet { cluster.warn() }
        return cluster
    }

    private func settings() throws(Failure) -> Configuration {
        do throws(ConfigurationError) {
            return try ConfigurationReader.read(path: config, environment: ProcessInfo.processInfo.environment)
        } catch {
            throw Failure.input(error.faults, hint: error.hint)
        }
    }

    private func compile(_ configuration: Configuration) throws(Failure) -> Cluster {
        do throws(ManifestError) {
            return try Cluster(configuration, manifests: manifests)
        } catch {
            throw Failure(error)
        }
    }
}

extension Cluster {
    /// Writes what is odd about its manifests to standard error.
    func warn() {
        for warning in manifests.warnings { writeToStandardError("culvert: warning: \(warning)\n") }
    }
}

extension Failure {
    /// Manifests that cannot be used: a line for every fault.
    init(_ error: ManifestError) {
        self = .input(error.faults.map(\.description) + (error.omitted > 0 ? ["and \(error.omitted) more"] : []))
    }
}
