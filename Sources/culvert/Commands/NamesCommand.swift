internal import ArgumentParser
internal import Control
internal import Names

/// `culvert names`: the names that Culvert knows, as a hosts file.
struct NamesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "names",
        abstract: "Print the known names as a hosts file.",
        discussion: """
            A line for each address, in their order: Services, the cluster's DNS, the node, endpoints, pods. The first
            name of an address is the one that traces show. Pods are named for readers, POD.NAMESPACE.pod.DOMAIN; the
            cluster's DNS knows them by their addresses only.

            Example:
              culvert names -c culvert.yaml -f manifests/ >hosts
            """
    )

    @OptionGroup var cluster: ClusterOptions

    func run() throws {
        let loaded = try cluster.load()
        if !cluster.quiet { try writeToStandardOutput(KnownNames.hostsFile(loaded.knownNames)) }
    }
}
