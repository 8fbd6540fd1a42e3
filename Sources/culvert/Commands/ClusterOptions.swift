internal import ArgumentParser
internal import Control
internal import Foundation
internal import Glibc
internal import Kubernetes
internal import Services

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

    /// Loads and compiles, with nothing given to any Service before unless told otherwise; warnings go to standard error unless
    /// it is to be quiet.
    func load(
        registry: ServicePortRegistry = ServicePortRegistry(),
        allocations: AllocationState = AllocationState()
    ) throws(Failure) -> Cluster {
        var loader = ClusterLoader(try settings(), registry: registry, allocations: allocations)
        return try load(manifests, with: &loader)
    }

    /// Loads and compiles for a daemon, whose Services keep what is in its state directory, and remembers it there.
    ///
    /// The loader is for loading again.
    func loadForDaemon(
        state place: String?
    ) throws(Failure) -> (cluster: Cluster, loader: ClusterLoader, state: DaemonState?) {
        var configuration = try settings()
        if let place { configuration.state = place == "none" ? nil : place }
        guard let path = configuration.state else {
            var loader = ClusterLoader(configuration)
            return (try load(manifests, with: &loader), loader, nil)
        }
        let hint = "state: none, or --state none, keeps nothing"
        let directory: StateDirectory
        do throws(StateError) {
            directory = try StateDirectory(path: path)
        } catch {
            throw Failure.failed(error.description, hint: hint)
        }
        let file = AllocationFile(directory: path)
        let numbers = ServicePortFile(directory)
        let (allocations, problem) = file.load()
        let (registry, fault) = numbers.load()
        for line in [problem, fault].compactMap(\.self) { writeToStandardError("culvert: warning: \(line)\n") }
        var loader = ClusterLoader(
            configuration,
            registry: registry ?? ServicePortRegistry(),
            allocations: allocations
        )
        let cluster = try load(manifests, with: &loader)
        do throws(StateError) {
            try file.save(cluster.allocations)
            try numbers.save(cluster.registry)
        } catch {
            throw Failure.failed(error.description, hint: hint)
        }
        return (cluster, loader, DaemonState(directory, servicePorts: registry.map { $0.entries.count }))
    }

    private func settings() throws(Failure) -> Configuration { try Self.settings(config) }

    /// Reads a configuration file.
    static func settings(_ path: String) throws(Failure) -> Configuration {
        do throws(ConfigurationError) {
            return try ConfigurationReader.read(path: path, environment: ProcessInfo.processInfo.environment)
        } catch {
            throw Failure.input(error.faults, hint: error.hint)
        }
    }

    private func load(_ manifests: [String], with loader: inout ClusterLoader) throws(Failure) -> Cluster {
        let cluster: Cluster
        do throws(ManifestError) {
            cluster = try loader.load(manifests)
        } catch {
            throw Failure(error)
        }
        if !quiet { cluster.warn() }
        return cluster
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
