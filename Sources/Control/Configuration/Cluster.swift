package import Datapath
internal import Devices
package import Kubernetes
package import Names
package import Services
package import Wire

/// A configuration and the manifests it was loaded with, compiled: all that a datapath is made from.
package struct Cluster: Sendable {
    /// The configuration file.
    package let configuration: Configuration
    /// The objects of the cluster, as far as Culvert looks at them, with what Services were given filled in.
    package let manifests: ManifestSet
    /// The node, by its configuration or else by its Node object.
    package let node: NodeSettings
    /// What the service table is made from.
    package let rules: ServiceSpecification
    /// The numbers of the ServicePorts, to be passed on to the next load.
    package let registry: ServicePortRegistry

    /// What Services have been given, to be passed on to the next load.
    package let allocations: AllocationState
    /// The names, compiled when they are first asked for.
    private let names: SharedNames

    /// Loads and compiles manifests once; numbers of ServicePorts go on from `registry`, allocations from `allocations`.
    ///
    /// `arguments` are files and directories as the user named them. Throws what is wrong with them. `ClusterLoader` loads
    /// again what has changed.
    package init(
        _ configuration: Configuration,
        manifests arguments: [String],
        registry: ServicePortRegistry = ServicePortRegistry(),
        allocations: AllocationState = AllocationState()
    ) throws(ManifestError) {
        var loader = ClusterLoader(configuration, registry: registry, allocations: allocations)
        self = try loader.load(arguments)
    }

    /// A cluster from its parts.
    init(
        _ configuration: Configuration,
        _ manifests: ManifestSet,
        node: NodeSettings,
        rules: ServiceSpecification,
        registry: ServicePortRegistry,
        allocations: AllocationState,
        names: SharedNames
    ) {
        self.configuration = configuration
        self.manifests = manifests
        self.node = node
        self.rules = rules
        self.registry = registry
        self.allocations = allocations
        self.names = names
    }

    /// The settings of the datapath; a replay verifies checksums unless told otherwise, a live run does not.
    package func datapathConfiguration(seed: UInt64, isReplay: Bool) -> DatapathConfiguration {
        var settings = DatapathConfiguration()
        settings.nodeAddresses = node.addresses
        settings.loopAddress = configuration.node.loopAddress
        settings.podCIDR = configuration.cluster.podCIDR
        settings.serviceCIDR = configuration.cluster.serviceCIDR
        settings.dnsAddress = configuration.cluster.dnsAddress
        settings.nodePortRange = configuration.cluster.nodePortRange
        settings.masqueradeAll = configuration.proxy.masqueradeAll
        settings.unknownPorts = configuration.proxy.unknownPorts
        settings.midstream = configuration.conntrack.midstream
        settings.resetsDeletedEndpoints = configuration.conntrack.resetDeletedEndpoints
        settings.conntrackCapacity = configuration.conntrack.capacity
        settings.halfOpenPerSource = configuration.conntrack.halfOpenPerSource
        settings.strict = configuration.conntrack.strict
        settings.resourceErrors = configuration.conntrack.resourceErrors
        settings.timeouts = configuration.conntrack.timeouts
        settings.verifiesChecksums = configuration.conntrack.checksums.map { $0 == .verify } ?? isReplay
        settings.takesIngressFromSource = isReplay
        settings.seed = seed
        return settings
    }

    /// The compiled rules, laid out for the datapath; `previous` is the table that this one follows on.
    package func serviceTable(seed: UInt64, reusing previous: ServiceTable? = nil) -> ServiceTable {
        let names = nameSettings.map { settings in
            self.names.table(seed: seed) { NameCompiler.compile(manifests, settings, seed: seed) }
        }
        return ServiceTable(rules, seed: seed, algorithm: algorithm, names: names ?? .empty, reusing: previous)
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

    /// The blocks of ClusterIPs, the configured one first.
    package var serviceBlocks: [IPv4Prefix] {
        let configured = configuration.cluster.serviceCIDR
        return [configured].compactMap(\.self) + manifests.serviceCIDRs.blocks(besides: configured)
    }

    /// What the cluster's DNS answers from; nil where it answers nothing.
    private var nameSettings: NameSettings? {
        configuration.cluster.dnsAddress.map { address in
            NameSettings(
                domain: configuration.cluster.domain,
                dnsAddress: address,
                blocks: serviceBlocks + [configuration.cluster.podCIDR].compactMap(\.self)
            )
        }
    }

    /// The address on which Culvert itself is the cluster's DNS: none where a Service owns it.
    package var ownDNSAddress: IPv4Address? {
        guard let address = configuration.cluster.dnsAddress else { return nil }
        let owned = rules.clusterIPs + rules.externalAddresses
        return owned.contains(address) ? nil : address
    }

    /// All names of the cluster's addresses, the one to show first.
    package var knownNames: [KnownName] {
        KnownNames.list(manifests, node: node, domain: configuration.cluster.domain, dnsAddress: ownDNSAddress)
    }

    /// What the host interface carries: the addresses of the node, and that of its DNS server.
    package var hostAddresses: [IPv4Address] { node.addresses + [ownDNSAddress].compactMap(\.self) }

    /// The interfaces of the datapath: those configured, or the three notional ones of a replay without any.
    package func interfaceTable(isReplay: Bool) -> InterfaceTable {
        if configuration.interfaces.isEmpty {
            return .notional(podCIDR: configuration.cluster.podCIDR, nodeAddresses: hostAddresses)
        }
        return InterfaceTable(
            configuration.interfaces.map { interface in
                var prefixes = interface.reaches
                if interface.isHost {
                    prefixes += hostAddresses.map { IPv4Prefix($0, length: 32) }
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
