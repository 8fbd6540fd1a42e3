package import Datapath
internal import Wire

/// Writes service rules as an nftables ruleset, laid out as kube-proxy's nftables mode does (pkg/proxy/nftables/proxier.go).
///
/// Theory of operation: NAT is decided once for a connection, in prerouting (output for the node's own): a map leads from
/// address, protocol and port to the chain of the Service's port, this one to the chain of an endpoint, which translates.
/// What must be masqueraded gets a mark on the way and is in postrouting. Filters run beside: source ranges before the
/// translation; after it whatever still bears the address of a Service has no endpoint, or is no port of it.
///
/// The same rules give the same text. Host ports, which the CNI portmap plugin opens otherwise, have a map of their own
/// between the Services' addresses and the NodePorts.
package struct NftablesExport {
    let rules: ServiceSpecification
    let node: NodeSettings
    let settings: NftablesSettings
    var text = NftablesText()

    /// The ruleset, ready for `nft -f`.
    package static func ruleset(
        _ rules: ServiceSpecification,
        node: NodeSettings,
        settings: NftablesSettings
    ) -> String {
        var export = NftablesExport(rules: rules, node: node, settings: settings)
        export.writeMaps()
        export.writeHooks()
        export.writeChecks()
        export.writeServices()
        var comments = ["The service rules of node \(node.name), written by culvert export nftables."]
        if case .maglev = settings.algorithm {
            comments.append("nftables knows no Maglev: backends are chosen at random.")
        }
        return export.text.file(table: settings.table, comments: comments)
    }

    private mutating func writeMaps() {
        let byAddress = "type ipv4_addr . inet_proto . inet_service : verdict"
        let byPort = "type inet_proto . inet_service : verdict"
        text.open("set cluster-ips", "type ipv4_addr")
        text.open("set nodeport-ips", "type ipv4_addr")
        text.open("map no-endpoint-services", byAddress)
        text.open("map no-endpoint-nodeports", byPort)
        text.open("map firewall-ips", byAddress)
        text.open("map service-ips", byAddress)
        text.open("map host-ports", byAddress)
        text.open("map service-nodeports", byPort)
        for address in Self.unique(rules.clusterIPs) { text.element("set cluster-ips", "\(address)") }
        for address in Self.unique(node.nodePortAddresses) { text.element("set nodeport-ips", "\(address)") }
        guard settings.unknownPorts == .drop else { return }
        text.open("set external-ips", "type ipv4_addr")
        for address in Self.unique(rules.externalAddresses) where !node.addresses.contains(address) {
            text.element("set external-ips", "\(address)")
        }
    }

    /// The chains that the kernel calls.
    ///
    /// Filters come before the translation at their hook; only what the node itself sends
    /// is looked at after it as well, as there is no later hook.
    private mutating func writeHooks() {
        func hook(_ name: String, _ type: String, _ hook: String, _ priority: String, _ rules: String...) {
            text.open("chain \(name)", "type \(type) hook \(hook) priority \(priority); policy accept;")
            for rule in rules { text.rule(name, rule) }
        }
        let firewall = "ct state new jump firewall-check"
        let endpoints = "ct state new jump endpoints-check"
        let leftOvers = "ct state new jump cluster-ips-check"
        hook("filter-prerouting", "filter", "prerouting", "dstnat - 10", firewall)
        hook("filter-input", "filter", "input", "-110", endpoints)
        hook("filter-forward", "filter", "forward", "-110", endpoints, leftOvers)
        hook("filter-output", "filter", "output", "-110", firewall)
        hook("filter-output-post-dnat", "filter", "output", "-90", endpoints, leftOvers)
        hook("nat-prerouting", "nat", "prerouting", "dstnat", "jump services")
        hook("nat-output", "nat", "output", "-100", "jump services")
        hook("nat-postrouting", "nat", "postrouting", "srcnat", "jump masquerading")
    }

    private mutating func writeChecks() {
        let byAddress = "ip daddr . meta l4proto . th dport vmap"
        text.rule("firewall-check", "\(byAddress) @firewall-ips")
        text.rule("endpoints-check", "\(byAddress) @no-endpoint-services")
        text.rule("endpoints-check", "ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports")
        text.rule("cluster-ips-check", "ip daddr @cluster-ips reject")
        if settings.unknownPorts == .drop { text.rule("cluster-ips-check", "ip daddr @external-ips drop") }
        let configured = settings.serviceCIDR
        for block in [configured].compactMap(\.self) + rules.serviceBlocks.filter({ $0 != configured }) {
            text.rule("cluster-ips-check", "ip daddr \(block) drop")
        }
        text.rule("services", "\(byAddress) @service-ips")
        text.rule("services", "\(byAddress) @host-ports")
        text.rule("services", "ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports")
        text.rule("reject-chain", "reject")
        text.rule("mark-for-masquerade", "mark set mark or \(Self.mark)")
        text.rule("masquerading", "mark and \(Self.mark) == 0 return")
        text.rule("masquerading", "mark set mark xor \(Self.mark)")
        text.rule("masquerading", "masquerade fully-random")
    }

    private mutating func writeServices() {
        var frontends: [[ServiceSpecification.Frontend]] = Array(repeating: [], count: rules.servicePorts.count)
        // Earlier frontends win over later ones with the same key, so later ones are none.
        var keys: Set<String> = []
        for frontend in rules.frontends
        where keys.insert("\(frontend.address) \(frontend.port) \(frontend.transport)").inserted {
            frontends[frontend.servicePort].append(frontend)
        }
        var taken: Set<String> = []
        for (number, port) in rules.servicePorts.enumerated() where !frontends[number].isEmpty {
            let isHostPort = frontends[number].contains { $0.kind == .hostPort }
            let names = NftablesNames(port, isHostPort: isHostPort, taken: &taken)
            write(port, names, frontends[number])
        }
    }

    /// The bit that kube-proxy marks with by default (`--iptables-masquerade-bit`).
    private static let mark = "0x4000"

    private static func unique(_ addresses: [IPv4Address]) -> [IPv4Address] {
        Set(addresses.map(\.bits)).sorted().map { IPv4Address(bits: $0) }
    }
}
