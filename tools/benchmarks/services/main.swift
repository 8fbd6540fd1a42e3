// How long it takes to load many Services, and to load them again after a change.
//
//     culvert-bench-services DIRECTORY [--services N] [--endpoints N] [--rounds N] [--algorithm random|maglev]
//
// DIRECTORY, which must be empty, gets a file per Service and one per EndpointSlice. Prints one JSON object: seconds of
// processor time of each step, for reloads a list of all rounds, and the memory after loading. tools/bench runs it.
import Glibc

guard let options = Options(CommandLine.arguments) else {
    print("culvert-bench-services: see the beginning of tools/benchmarks/services/main.swift")
    exit(2)
}
let folder = Folder(options)
try folder.writeAll()
// What was written a moment ago would be read again, as it might not be settled.
sleep(2)
var measurement = try Measurement.begin(options, folder)
_ = try measurement.reload(compiling: 0)
var endpointRounds: [Measurement.Reload] = []
var serviceRounds: [Measurement.Reload] = []
for round in 0..<options.rounds {
    try folder.writeSlice(round, change: round % options.endpoints + 1)
    endpointRounds.append(try measurement.reload(compiling: 1))
    try folder.writeService(round, port: 81 + round)
    serviceRounds.append(try measurement.reload(compiling: 1))
}
print(
    """
    {"services":\(options.services),"endpoints":\(options.endpoints),"algorithm":"\(options.algorithm)",\
    "parse":\(measurement.parse),"compile":\(measurement.compile),"layout":\(measurement.layout),\
    "megabytes":\(measurement.megabytes),\
    "endpointRead":\(endpointRounds.map(\.read)),"endpoint":\(endpointRounds.map(\.rest)),\
    "serviceRead":\(serviceRounds.map(\.read)),"service":\(serviceRounds.map(\.rest))}
    """
)
