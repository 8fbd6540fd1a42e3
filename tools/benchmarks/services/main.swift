// How long it takes to load many Services, and to load them again after a change.
//
//     culvert-bench-services DIRECTORY [--services N] [--endpoints N] [--rounds N] [--algorithm random|maglev]
//
// DIRECTORY, which must be empty, gets a file per Service and one per EndpointSlice. Prints one JSON object: seconds of
// processor time of each step, the least of all rounds where there are several, and the memory at the end.
// tools/bench runs it.
import Control
import Datapath
import Foundation
import Glibc
import Kubernetes
import Services

/// The processor time of this thread, so that what else runs on the machine is not counted.
func seconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// How much memory the process has in use, in MB.
func megabytes() -> Int {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
        let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
        let number = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
    else { return 0 }
    return number / 1024
}

guard let options = Options(CommandLine.arguments) else {
    print("culvert-bench-services: see the beginning of tools/benchmarks/services/main.swift")
    exit(2)
}
let folder = Folder(options)
try folder.writeAll()
let configuration = try ConfigurationReader.read(
    name: "bench",
    bytes: Array(options.configuration.utf8),
    environment: [:]
)

var loader = ClusterLoader(configuration)
var start = seconds()
let reading = loader.read([options.directory])
let parse = seconds() - start
start = seconds()
var cluster = try loader.load(reading)
let compile = seconds() - start
start = seconds()
var table = cluster.serviceTable(seed: 1)
let layout = seconds() - start
let memory = megabytes()

/// Times a reload after a change: reading it, and everything else until the new table is there.
func reload(_ change: () throws -> Void) throws -> (read: Double, rest: Double) {
    try change()
    var start = seconds()
    let reading = loader.read([options.directory])
    let read = seconds() - start
    start = seconds()
    cluster = try loader.load(reading)
    table = cluster.serviceTable(seed: 1, reusing: table)
    return (read, seconds() - start)
}

// What was written a moment ago is read again until it is known to be settled.
sleep(1)
_ = try reload {}
var endpointRounds: [(read: Double, rest: Double)] = []
var serviceRounds: [(read: Double, rest: Double)] = []
for round in 0..<options.rounds {
    endpointRounds.append(try reload { try folder.writeSlice(round, change: round + 1) })
    precondition(loader.servicesCompiled == 1)
    serviceRounds.append(try reload { try folder.writeService(round, port: 81 + round) })
    precondition(loader.servicesCompiled == 1)
}

print(
    """
    {"services":\(options.services),"endpoints":\(options.endpoints),"algorithm":"\(options.algorithm)",\
    "parse":\(parse),"compile":\(compile),"layout":\(layout),"megabytes":\(memory),\
    "endpointRead":\(endpointRounds.map(\.read)),"endpoint":\(endpointRounds.map(\.rest)),\
    "serviceRead":\(serviceRounds.map(\.read)),"service":\(serviceRounds.map(\.rest))}
    """
)
