package import Datapath
package import Wire

/// What an nftables ruleset must know besides the service rules and the node.
package struct NftablesSettings: Sendable {
    /// The table, in family `ip`; kube-proxy's own is `kube-proxy`.
    package var table = "culvert"
    /// What counts as local pods; nil for none.
    package var podCIDR: IPv4Prefix?
    /// Addresses that are dropped unless a Service has them.
    package var serviceCIDR: IPv4Prefix?
    /// Whether every flow to a ClusterIP is masqueraded.
    package var masqueradeAll = false
    /// What becomes of a port of an external address that no Service has.
    package var unknownPorts = DatapathConfiguration.UnknownPorts.pass
    /// How a backend is chosen; for Maglev, which nftables does not have, at random.
    package var algorithm = BalancingAlgorithm.random

    /// The defaults.
    package init() {}

    /// Whether nft takes a name for a table: letters, digits, `_`, `/`, `.`, `-`, not a digit first, at most 128 long.
    package static func isTableName(_ name: String) -> Bool {
        guard let first = name.utf8.first, isLetter(first), name.utf8.count <= 128 else { return false }
        return name.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || "_/.-".utf8.contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
}
