internal import ArgumentParser
internal import Capture
internal import Control

/// The options of a command whose trace may go on in another file: those of tcpdump.
struct TraceRotationOptions: ParsableArguments {
    @Option(
        name: .customShort("C"),
        help: ArgumentHelp(
            "End a file of the trace at about so many million bytes and go on in the next: NAME_00001.pcapng and so on.",
            valueName: "megabytes"
        )
    )
    var size: UInt64?

    @Option(
        name: .customShort("G"),
        help: ArgumentHelp(
            "End a file of the trace once its first packet is so many seconds old, and go on in the next.",
            valueName: "seconds"
        )
    )
    var age: UInt64?

    @Option(
        name: .customShort("W"),
        help: ArgumentHelp(
            "With -C or -G: keep so many files, and remove the oldest, those of earlier runs included.",
            valueName: "files"
        )
    )
    var count: UInt32?

    /// Lets a trace rotate as these say.
    func apply(to trace: inout TraceSettings?) throws(Failure) {
        guard size != nil || age != nil || count != nil else { return }
        guard trace != nil else { throw Failure.input(["-C, -G, -W: there is no trace"], hint: "-w FILE writes one") }
        guard size != nil || age != nil else {
            throw Failure.input(
                ["-W \(count ?? 0): nothing ends a file"],
                hint: "-C ends it by its size, -G by its age"
            )
        }
        for (name, value) in [("-C", size), ("-G", age), ("-W", count.map(UInt64.init))] where value == 0 {
            throw Failure.input(["\(name) 0: must be at least 1"])
        }
        let (bytes, overflow) = (size ?? 0).multipliedReportingOverflow(by: 1_000_000)
        if overflow { throw Failure.input(["-C \(size ?? 0): is too much"]) }
        trace?.rotation = TraceRotation(bytes: size == nil ? nil : bytes, seconds: age, keptFiles: count.map(Int.init))
    }
}
