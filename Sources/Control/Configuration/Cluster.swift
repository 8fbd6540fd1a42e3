package import Datapath
internal import Devices
package import Kubernetes
package import Services
internal import Wire

/// A configuration and the manifests it was loaded with, compiled: all that a datapath is made from.
package struct Cluster: Sendable {
    /// The configuration file.
    package let configuration: Configuration
    /// The objects of the cluster, as far as Culvert looks at them.
    package let manifests: ManifestSet
    /// The node, by its configuration or else by its Node object.
    package let node: NodeSettings
    /// What the service table is made from.
    package let rules: ServiceSpecification
    /// The numbers of the ServicePorts, to be passed on to the next load.
    package let registry: ServicePortRegistry

    /// Loads and compiles manifests; numbers of ServicePorts go on from `registry`.
    ///
    /// `arguments` are files and directories as the user named them. Throws what is wrong with them.
    package init(
        _ configuration: Configuration,
        manifests arguments: [String],
        registry: ServicePortRegistry = ServicePortRegistry()
    ) throws(ManifestError) {
        let clusterRules = ClusterRules(
            serviceCIDR: configuration.cluster.serviceCIDR,
            podCIDR: configuration.cluster.podCIDR,
            nodePortRange: configuration.cluster.nodePortRange,
            nodeAddresses: configuration.node.addresses,
            externalCIDRs: configuration.cluster.externalCIDRs,
            domain: configuration.cluster.domain
        )
        let set = try ManifestLoader.load(arguments, rules: clusterRules)
        // What the configuration leaves open, a Node object of this name may tell.
        let object = set.nodes.first { $0.metadata.name == configuration.node.name }
        var addresses = configuration.node.addresses
        if addresses.isEmpty { addresses = object?.internalIPs ?? [] }
        let settings = NodeSettings(
            name: configuration.node.name,
            zone: configuration.node.zone ?? object?.zone,
            addresses: addresses,
            nodePortAddresses: Self.nodePortAddresses(configuration.cluster.nodePortAddresses, among: addresses)
        )
        var registry = registry
        rules = ServiceCompiler.compile(set, node: settings, registry: &registry)
        self.configuration = configuration
        manifests = set
        node = settings
        self.registry = registry
    }

    private static func nodePortAddresses(
        _ choice: Configuration.NodePortAddresses,
        among addresses: [IPv4Address]
    ) -> [IPv4Address] {
        switch choice {
        case .primary: Array(addresses.prefix(1))
        case .all: addresses
        case .within(let blocks): addresses.filter { address in blocks.contains { $0.contains(address) } }
        }
    }

    /// The settings of the datapath; a replay verifies checksums unless told otherwise, a live run does not.
    package func datapathConfiguration(seed: UInt64, isReplay: Bool) -> DatapathConfiguration {
        var settings = DatapathConfiguration()
        settings.nodeAddresses = node.addresses
        settings.loopAddress = configuration.node.loopAddress
        settings.podCIDR = configuration.cluster.podCIDR
        settings.serviceCIDR = configuration.cluster.serviceCIDR
        settings.nodePortRange = configuration.cluster.nodePortRange
        settings.masqueradeAll = configuration.proxy.masqueradeAll
        settings.unknownPorts = configuration.proxy.unknownPorts
        settings.midstream = configuration.conntrack.midstream
        settings.resetsDeletedEndpoints = configuration.conntrack.resetDeletedEndpoints
        settings.conntrackCapacity = configuration.conntrack.capacity
        settings.timeouts = configuration.conntrack.timeouts
        settings.verifiesChecksums = configuration.conntrack.checksums.map { $0 == .verify } ?? isReplay
        settings.takesIngressFromSource = isReplay
        settings.seed = seed
        return settings
    }

    /// The compiled rules, laid out for the datapath.
    package func serviceTable(seed: UInt64) -> ServiceTable {
        ServiceTable(rules, seed: seed, algorithm: algorithm)
    }

    /// The compiled rules as an nftables file, with a table of this name.
    package func nftablesRuleset(table: String) -> String {
        var settings = NftablesSettings()
        settings.table = table
        settings.podCIDR = configuration.cluster.podCIDR
        settings.serviceCIDR = configuration.cluster.serviceCIDR
        settings.masqueradeAll = configuration.proxy.masqueradeAll
        settings.unknownPorts = configuration.proxy.unknownPorts
        settings.algorithm = algorithm
        return NftablesExport.ruleset(rules, node: node, settings: settings)
    }

    private var algorithm: BalancingAlgorithm {
        switch configuration.proxy.algorithm {
        case .random: .random
        case .roundRobin: .roundRobin
        case .maglev: .maglev(tableSize: configuration.proxy.maglevTableSize)
        }
    }

    /// The interfaces of the datapath: those configured, or the three notional ones of a replay without any.
    package func interfaceTable(isReplay: Bool) -> InterfaceTable {
        if configuration.interfaces.isEmpty {
            return .notional(podCIDR: configuration.cluster.podCIDR, nodeAddresses: node.addresses)
        }
        return InterfaceTable(
            configuration.interfaces.map { interface in
                var prefixes = interface.reaches
                if interface.isHost {
                    prefixes += node.addresses.map { IPv4Prefix($0, length: 32) }
                } else if let address = interface.address {
                    prefixes.append(IPv4Prefix(address.address, length: 32))
                }
                return InterfaceTable.Interface(
                    label: interface.label,
                    role: interface.isHost ? .host : interface.isUplink ? .uplink : .pod,
                    prefixes: prefixes,
                    mtu: interface.mtu,
                    antiSpoof: interface.antiSpoof && !interface.isUplink && !interface.isHost
                )
            }
        )
    }
}
