internal import ArgumentParser
internal import Control
internal import Services

/// `culvert export`: the compiled rules in the form of another system.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write the compiled rules in the form of another system.",
        subcommands: [NftablesCommand.self]
    )
}

/// `culvert export nftables`: the rules as kube-proxy's nftables mode would program them.
struct NftablesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nftables",
        abstract: "Write the same rules as an nftables file, laid out as kube-proxy's.",
        discussion: """
            Examples:
              culvert export nftables -c culvert.yaml -f manifests/ > rules.nft
              culvert export nftables -c culvert.yaml -f web.yaml | nft -c -f -

            The file replaces its table as a whole, so it can be loaded again. Interfaces,
            routes, timeouts and DNS are not part of it.
            """
    )

    @OptionGroup var cluster: ClusterOptions

    @Option(help: "The name of the table; kube-proxy's own is kube-proxy.")
    var table = "culvert"

    func validate() throws {
        guard NftablesSettings.isTableName(table) else {
            throw ValidationError("--table \(table): is no name that nft takes")
        }
    }

    func run() throws {
        let ruleset = try cluster.load().nftablesRuleset(table: table)
        if !cluster.quiet { try writeToStandardOutput(ruleset) }
    }
}
