internal import ArgumentParser
internal import Capture
internal import Control

/// `culvert verify`: the NAT and checksum invariants of a trace.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check that a trace shows correct translation: NAT and checksum invariants, packet by packet.",
        discussion: """
            Examples:
              culvert verify trace.pcapng
              culvert replay -c culvert.yaml -f web.yaml capture.pcap -w - | culvert verify -

            Checks:
            \(checks)

            Exit codes: 0 all hold; 1 one does not: the frames are named; 2 the trace cannot be read.
            """
    )

    /// How a report is printed.
    enum Output: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Argument(help: "The trace, a pcapng file that Culvert wrote; - for standard input.")
    var trace: String

    @Option(name: [.customShort("o"), .long], help: "Print the report as text or json.")
    var output = Output.text

    @Flag(name: [.customShort("q"), .long], help: "Print nothing but errors; the exit code tells.")
    var quiet = false

    private static var checks: String {
        let width = VerificationCheck.allCases.map(\.id.count).max() ?? 0
        return VerificationCheck.allCases.map { check in
            "  \(check.id)\(String(repeating: " ", count: width + 2 - check.id.count))\(check.sentence)"
        }.joined(separator: "\n")
    }

    func run() throws {
        let report: VerificationReport
        do throws(CaptureError) {
            report = try TraceVerifier.verify(path: trace)
            if !quiet { try writeToStandardOutput(output == .json ? report.json : report.text) }
        } catch {
            throw Failure(error)
        }
        if !report.holds { throw Failure.silent(1) }
    }
}
