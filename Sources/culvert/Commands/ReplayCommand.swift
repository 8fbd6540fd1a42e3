internal import ArgumentParser
internal import Capture
internal import Control
internal import Datapath
internal import Glibc
internal import Services

/// `culvert replay`: a capture through the pipeline.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Replay a capture through the datapath, clocked by its own times.",
        discussion: """
            Examples:
              culvert replay -c culvert.yaml -f web.yaml capture.pcap
              culvert replay -c culvert.yaml -f web.yaml capture.pcap -w trace.pcapng -o json 'tcp port 80'
            """
    )

    @OptionGroup var cluster: ClusterOptions
    @OptionGroup var traceFile: TraceFileOptions

    @Argument(help: "The capture, pcap or pcapng; - for standard input.")
    var input: String

    @Argument(help: "A pcap filter expression; what it leaves out does not enter the pipeline.")
    var filter: [String] = []

    @Option(name: [.customShort("o"), .long], help: "Print an event for every packet: text or json.")
    var output: ReplaySettings.Output?

    @Option(
        help: "The seed of every choice: the same seed gives the same bytes. 1 unless given, or that of --state-in."
    )
    var seed: UInt64?

    @Option(
        name: .customLong("state-in"),
        help: "Go on from the state that another replay left, with the same configuration: flows, numbers, seed.",
        completion: .file()
    )
    var stateIn: String?

    @Option(
        name: .customLong("state-out"),
        help: "Leave the state at the end in a file, for a replay of the packets that follow.",
        completion: .file()
    )
    var stateOut: String?

    @Option(help: "Packets that are worked on together, 1 to \(Batch.maximumCount); the output does not depend on it.")
    var batch = Batch.maximumCount

    @Option(help: "What becomes of packets from a frontend, in a capture taken at a client: reconstruct or as-is.")
    var replies = Replies.reconstruct

    @Option(
        name: .customLong("reload-at"),
        parsing: .singleValue,
        help:
            "PACKET=MANIFESTS: other manifests from that packet on, files and directories with commas between; may be repeated."
    )
    var reloads: [ReloadPoint] = []

    enum Replies: String, ExpressibleByArgument, CaseIterable {
        case reconstruct
        case asIs = "as-is"
    }

    func validate() throws {
        guard (1...Batch.maximumCount).contains(batch) else {
            throw ValidationError("--batch \(batch): is outside 1-\(Batch.maximumCount)")
        }
    }

    func run() throws {
        var settings = ReplaySettings(input: input)
        settings.filter = filter.isEmpty ? nil : filter.joined(separator: " ")
        let state = try loadState()
        settings.seed = seed ?? state?.seed ?? 1
        settings.batch = batch
        settings.isColored = cluster.isColored
        settings.output = cluster.quiet ? nil : output
        settings.trace = try traceFile.settings(input: input)
        settings.reconstructsReplies = replies == .reconstruct
        if settings.trace?.path == "-" && output != nil {
            throw Failure.input(["-w - and -o \(output?.rawValue ?? ""): both want standard output"])
        }
        let showsProgress = !cluster.quiet && isatty(STDERR_FILENO) == 1
        if showsProgress { settings.progress = { count in writeToStandardError("\r\(count) packets ") } }
        defer { if showsProgress { writeToStandardError("\r\u{1B}[K") } }
        let loaded = try cluster.load(
            registry: state?.registry ?? ServicePortRegistry(),
            allocations: state?.allocations ?? AllocationState()
        )
        settings.reloads = try ReloadPoint.load(reloads, after: loaded, quiet: cluster.quiet)
        var session = ReplaySession(loaded, settings, version: culvertVersion)
        if let stateIn, let state {
            do throws(StateError) {
                try session.resume(state)
            } catch {
                throw Failure.input(["\(stateIn): \(error)"])
            }
        }
        do throws(CaptureError) {
            let summary = try session.run { bytes throws(CaptureError) in try writeToStandardOutput(bytes) }
            if summary.reloads < settings.reloads.count && !cluster.quiet {
                let packet = settings.reloads[summary.reloads].packet
                writeToStandardError("culvert: warning: --reload-at \(packet): no packet came from there on\n")
            }
            if output == nil && !cluster.quiet && settings.trace?.path != "-" {
                try writeToStandardOutput(summary.text)
            }
        } catch {
            throw Failure(error)
        }
        guard let stateOut else { return }
        do throws(StateError) {
            try session.state.write(path: stateOut)
        } catch {
            throw Failure.failed("\(error)")
        }
    }

    /// The state to go on from, if one is named.
    private func loadState() throws(Failure) -> ReplayState? {
        guard let stateIn else { return nil }
        let state: ReplayState
        do throws(StateError) {
            state = try ReplayState(path: stateIn)
        } catch {
            throw Failure.input(["\(error)"])
        }
        if let seed, seed != state.seed {
            throw Failure.input(["--seed \(seed): the state of \(stateIn) was made with seed \(state.seed)"])
        }
        return state
    }
}

extension ReplaySettings.Output: ExpressibleByArgument {}

extension Failure {
    /// A capture that cannot be read is bad input; a trace that cannot be written is a failure.
    init(_ error: CaptureError) {
        switch error.kind {
        case .write: self = .failed("\(error)")
        case .closedPipe: self = Failure(lines: ["\(error)"], hint: nil, code: 1)
        case .open, .format, .damaged, .filter, .usage: self = .input(["\(error)"])
        }
    }
}
