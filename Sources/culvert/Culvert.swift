internal import ArgumentParser
internal import Glibc
internal import Kubernetes

/// The version that `culvert version` prints and traces carry.
let culvertVersion = "0.1.0"

/// The command line: reads the arguments, and turns every failure into one line and an exit code.
@main
struct Culvert: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "culvert",
        abstract: "The Kubernetes Service data path in user space, one that you can run, replay and explain.",
        discussion: """
            Examples:
              culvert replay -c culvert.yaml -f manifests/ capture.pcap -w trace.pcapng
              culvert trace -c culvert.yaml -f manifests/ tcp 10.244.0.5:40000 10.96.0.10:80
              culvert run -c culvert.yaml -f manifests/ -w trace.pcapng

            Exit codes: 0 done; 1 failed, or the answer is no; 2 bad usage or unreadable input; 3 daemon not reachable.
            """,
        version: culvertVersion,
        subcommands: [
            RunCommand.self, ReplayCommand.self, TraceCommand.self, CheckCommand.self, DiffCommand.self,
            VerifyCommand.self, GetCommand.self, FlushCommand.self, ExplainCommand.self, ExportCommand.self,
            NamesCommand.self, VersionCommand.self,
        ]
    )

    static func main() async {
        // A closed pipe is an error of the write, not the end of the program.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure {
            failure.report()
            Glibc.exit(failure.code)
        } catch {
            let code = exitCode(for: error)
            // ArgumentParser says 64 for bad usage; the contract says 2.
            if code == .success { exit(withError: error) }
            badUsage(message(for: error)).report()
            Glibc.exit(code == ExitCode(1) ? 1 : 2)
        }
    }

    /// What is wrong with the arguments, in a line, and where to read on.
    private static func badUsage(_ message: String) -> Failure {
        let line = message.split(separator: "\n").first.map(String.init) ?? "bad usage"
        guard let word = CommandLine.arguments.dropFirst().first, !word.hasPrefix("-") else {
            return .input([line], hint: "culvert --help")
        }
        let names = configuration.subcommands.map { $0._commandName } + ["help"]
        if names.contains(word) { return .input([line], hint: "culvert \(word) --help") }
        let meant = Suggestion.nearest(to: word, in: names)
        return .input(["\(word): is no command"], hint: meant.map { "did you mean culvert \($0)?" } ?? "culvert --help")
    }
}

/// A failure with the line that names it: `culvert: WHAT: WHY`, and a hint where one helps.
struct Failure: Error {
    var lines: [String]
    var hint: String?
    var code: Int32

    /// What was asked cannot be understood or read: exit 2.
    static func input(_ lines: [String], hint: String? = nil) -> Failure { Failure(lines: lines, hint: hint, code: 2) }
    /// It was understood and failed, or the answer is no: exit 1.
    static func failed(_ line: String, hint: String? = nil) -> Failure { Failure(lines: [line], hint: hint, code: 1) }
    /// Nothing more to say: exit with a code.
    static func silent(_ code: Int32) -> Failure { Failure(lines: [], hint: nil, code: code) }

    func report() {
        for line in lines { writeToStandardError("culvert: \(line)\n") }
        if let hint { writeToStandardError("hint: \(hint)\n") }
    }
}
