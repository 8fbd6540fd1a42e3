internal import ArgumentParser
internal import Control

/// `culvert flush`: removes what a running daemon has learned.
struct FlushCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flush",
        abstract: "Remove entries of a running daemon.",
        discussion: """
            Removes flows: the next packet of each is treated as the first one. So TCP to
            a Service is refused in the middle of a connection (conntrack.midstream).

            Examples:
              culvert flush conntrack --backend 10.244.1.12 --protocol udp
              culvert flush conntrack --all
            """
    )

    /// What can be flushed.
    enum Resource: String, ExpressibleByArgument, CaseIterable { case conntrack }

    @Argument(help: "conntrack.")
    var resource: Resource

    @Flag(help: "Remove all flows; without a filter this is needed.")
    var all = false

    @OptionGroup(title: "Filters") var filter: FlowFilterOptions
    @OptionGroup var daemon: SocketOptions

    func run() async throws {
        var query = try filter.query()
        if all && !query.items.isEmpty { throw Failure.input(["--all: excludes filters"]) }
        if all { query.items = [Query.Item("all", "true")] }
        guard !query.items.isEmpty else {
            throw Failure.input(["flush conntrack: a filter is missing"], hint: "--all removes all flows")
        }
        let answer = try await daemon.document("DELETE", "conntrack", query)
        if !daemon.quiet {
            writeToStandardError("culvert: \(answer["deleted"].number ?? 0) flow entries have been deleted.\n")
        }
    }
}
