import Control
import Datapath
import Foundation
import Glibc
import Kubernetes
import Services

/// Loads a folder and loads it again after changes, with the steps that a daemon takes.
struct Measurement: ~Copyable {
    /// What one reload took, in seconds.
    struct Reload {
        /// Looking for files that have changed, and reading them.
        var read: Double
        /// All that comes then, until the datapath decides by the new table.
        var rest: Double
    }

    private let folder: Folder
    private var loader: ClusterLoader
    private var cluster: Cluster
    private var pipeline: Pipeline
    /// Reading all files.
    let parse: Double
    /// Holding the objects against each other and compiling them.
    let compile: Double
    /// Laying out the table.
    let layout: Double
    /// The memory of the process then, in MB: objects, rules, table and all.
    let megabytes: Int

    /// Loads everything for the first time.
    static func begin(_ options: Options, _ folder: Folder) throws -> Measurement {
        let configuration = try ConfigurationReader.read(
            name: "bench",
            bytes: Array(options.configuration.utf8),
            environment: [:]
        )
        var loader = ClusterLoader(configuration)
        var start = seconds()
        let reading = loader.read([folder.path])
        let parse = seconds() - start
        start = seconds()
        let cluster = try loader.load(reading)
        let compile = seconds() - start
        start = seconds()
        let table = cluster.serviceTable(seed: 1)
        let layout = seconds() - start
        return Measurement(
            folder: folder,
            loader: loader,
            cluster: cluster,
            pipeline: Pipeline(
                cluster.datapathConfiguration(seed: 1, isReplay: false),
                interfaces: cluster.interfaceTable(isReplay: true),
                services: table
            ),
            parse: parse,
            compile: compile,
            layout: layout,
            megabytes: memory()
        )
    }

    /// Loads again, which must have compiled `services` of them.
    mutating func reload(compiling services: Int) throws -> Reload {
        var start = seconds()
        let reading = loader.read([folder.path])
        let read = seconds() - start
        start = seconds()
        cluster = try loader.load(reading)
        pipeline.replaceServices(cluster.serviceTable(seed: 1, reusing: pipeline.services))
        let rest = seconds() - start
        precondition(loader.servicesCompiled == services, "\(loader.servicesCompiled) Services were compiled")
        return Reload(read: read, rest: rest)
    }
}

/// The processor time of this thread, so that what else runs on the machine is not counted.
private func seconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// How much memory the process has in use, in MB.
private func memory() -> Int {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
        let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
        let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
    else { return 0 }
    return number / 1024
}
