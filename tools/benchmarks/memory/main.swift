// ns per packet of the pipeline in memory: no device, no trace.
//
//     culvert-bench [--case established|reply|masquerade|new|direct|malformed] [--flows N] [--services N]
//                   [--packets N] [--rounds N] [--pinned 1]
//     culvert-bench ports
//     culvert-bench workers [--workers N] [--shared 1] …      several workers that use one pipeline
//
// Prints one JSON object: what was measured, and for each round the ns of processor time per packet of filling frames
// alone and of filling and processing them. tools/bench runs it.
import Glibc

/// The processor time of this thread, so that what else runs on the machine is not counted.
func nanoseconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

if CommandLine.arguments.dropFirst().elementsEqual(["ports"]) {
    measurePorts()
    exit(0)
}
let isOfWorkers = CommandLine.arguments.dropFirst().first == "workers"
guard let options = Options(isOfWorkers ? Array(CommandLine.arguments.dropFirst()) : CommandLine.arguments) else {
    print("culvert-bench: the arguments are not understood; see the beginning of tools/benchmarks/memory/main.swift")
    exit(2)
}
if isOfWorkers {
    measureWorkers(options)
    exit(0)
}
var measurement = Measurement(options)
measurement.run()
print(
    """
    {"case":"\(options.scenario.rawValue)","flows":\(options.flows),"services":\(options.services),\
    "capacity":\(measurement.capacity),"filling":\(measurement.filling),"all":\(measurement.gross)}
    """
)
