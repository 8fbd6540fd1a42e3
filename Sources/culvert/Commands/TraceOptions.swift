internal import ArgumentParser
internal import Capture
internal import Control
internal import Glibc

/// The options of every command that writes a trace.
struct TraceFileOptions: ParsableArguments {
    @Option(name: .customShort("w"), help: "Write a trace of every step to a file, or to - (standard output).")
    var trace: String?

    @Option(help: "The file format of the trace: pcapng, or pcap (a file for each capture point).")
    var format = "pcapng"

    @Option(help: "Which packets carry a comment: notable, all or none.")
    var comments = TraceComments.notable

    @Flag(inversion: .prefixedNo, help: "Write the eBPF verdict option.")
    var verdictOption = true

    @Flag(help: "Record a super-packet as one, and not as the packets that it stands for (run only).")
    var superpackets = false

    /// The settings, if a trace was asked for; `input` must be another file.
    func settings(input: String? = nil) throws(Failure) -> TraceSettings? {
        guard let trace else { return nil }
        if trace == "-" && isatty(STDOUT_FILENO) == 1 {
            throw Failure.input(
                ["-w -: standard output is a terminal"],
                hint: "pipe it: culvert … -w - | wireshark -k -i -"
            )
        }
        if let input, input != "-", isSameFile(input, trace) { throw Failure.input(["-w \(trace): is the input"]) }
        var settings = TraceSettings(path: trace)
        switch format {
        case "pcapng": settings.format = .pcapng
        case "pcap": settings.format = .pcap
        default: throw Failure.input(["--format \(format): is neither pcapng nor pcap"])
        }
        settings.comments = comments
        settings.verdicts = verdictOption
        settings.keepsSuperpackets = superpackets
        return settings
    }

    private func isSameFile(_ left: String, _ right: String) -> Bool {
        var first = stat()
        var second = stat()
        guard unsafe stat(left, &first) == 0, unsafe stat(right, &second) == 0 else { return false }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }
}

extension TraceComments: ExpressibleByArgument {}
