internal import Devices
internal import Wire

// What single settings cannot show: how they fit together.

extension ConfigurationReader {
    static func check(_ configuration: Configuration, _ settings: SettingsReader) {
        if configuration.node.name.isEmpty { settings.fault("node.name", "is missing") }
        if !Configuration.maglevTableSizes.contains(configuration.proxy.maglevTableSize) {
            let sizes = Configuration.maglevTableSizes.map(String.init).joined(separator: " ")
            settings.fault("proxy.maglevTableSize", "\(configuration.proxy.maglevTableSize) is not one of \(sizes)")
        }
        checkBlocks(configuration, settings)
        checkNames(configuration, settings)
        checkInterfaces(configuration.interfaces, settings)
        checkReached(configuration, settings)
    }

    /// Blocks that overlap would make one address mean two things.
    private static func checkBlocks(_ configuration: Configuration, _ settings: SettingsReader) {
        let cluster = configuration.cluster
        var blocks: [(name: String, block: IPv4Prefix)] = []
        if let block = cluster.podCIDR { blocks.append((name: "cluster.podCIDR", block: block)) }
        if let block = cluster.serviceCIDR { blocks.append((name: "cluster.serviceCIDR", block: block)) }
        for (index, block) in cluster.loadBalancerCIDRs.enumerated() {
            blocks.append((name: "cluster.loadBalancerCIDRs[\(index)]", block: block))
        }
        for (index, later) in blocks.enumerated() {
            for earlier in blocks[..<index] where earlier.block.overlaps(later.block) {
                settings.fault(later.name, "\(later.block) overlaps \(earlier.name) (\(earlier.block))")
            }
        }
        for (index, address) in configuration.node.addresses.enumerated() {
            guard let services = cluster.serviceCIDR, services.contains(address) else { continue }
            settings.fault("node.addresses[\(index)]", "\(address) is in cluster.serviceCIDR (\(services))")
        }
        let loop = configuration.node.loopAddress
        if configuration.node.addresses.contains(loop) {
            settings.fault("node.loopAddress", "\(loop) is an address of the node")
        }
        if loop.isThisNetwork || loop.isLoopback || loop.isMulticast || loop.isReserved {
            settings.fault("node.loopAddress", "\(loop) is no address that a host can have")
        }
    }

    /// What names are answered for, and where: an address that nobody else has and that packets can carry.
    private static func checkNames(_ configuration: Configuration, _ settings: SettingsReader) {
        let cluster = configuration.cluster
        if !isDomain(cluster.domain) {
            settings.fault(
                "cluster.domain",
                "\(cluster.domain.debugDescription) is no DNS name: labels of lower-case letters, digits and '-', joined by dots"
            )
        }
        guard let dns = cluster.dnsAddress else { return }
        func fault(_ problem: String) { settings.fault("cluster.dnsAddress", "\(dns) \(problem)") }
        if dns.isThisNetwork || dns.isLoopback || dns.isLinkLocal || dns.isMulticast || dns.isReserved {
            fault("is no address that a packet may have as its destination")
        }
        if configuration.node.addresses.contains(dns) { fault("is an address of the node") }
        if let pods = cluster.podCIDR, pods.contains(dns) { fault("is in cluster.podCIDR (\(pods))") }
        for (index, interface) in configuration.interfaces.enumerated() {
            if interface.address?.address == dns { fault("is interfaces[\(index)].address") }
            for reached in interface.reaches where reached.contains(dns) {
                fault("is in interfaces[\(index)].reaches (\(reached))")
            }
        }
    }

    /// Whether names below a domain can be written: the longest of Kubernetes have some 190 bytes before it.
    private static func isDomain(_ text: String) -> Bool {
        text.utf8.count <= 63
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                !label.isEmpty && !label.hasPrefix("-") && !label.hasSuffix("-")
                    && label.utf8.allSatisfy { byte in
                        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                            || byte == UInt8(ascii: "-")
                    }
            }
    }

    private static func checkInterfaces(_ interfaces: [Configuration.Interface], _ settings: SettingsReader) {
        var labels: [String: Int] = [:]
        var places: [String: Int] = [:]
        for (index, interface) in interfaces.enumerated() {
            let path = "interfaces[\(index)]"
            if !isName(interface.name) {
                settings.fault(
                    "\(path).name",
                    "\(interface.name.debugDescription) is no name for an interface (1 to 15 characters)"
                )
            }
            if interface.isHost {
                if interface.namespace != nil {
                    settings.fault("\(path).netns", "the host interface is in the daemon's own namespace")
                }
                if interface.isUplink { settings.fault("\(path).uplink", "the host interface cannot be the uplink") }
            } else {
                if interface.namespace == nil { settings.fault("\(path).netns", "is missing") }
                if interface.address == nil { settings.fault("\(path).address", "is missing") }
            }
            if let earlier = labels.updateValue(index, forKey: interface.label) {
                settings.fault(
                    "\(path).label",
                    "\(interface.label.debugDescription) is the label of interfaces[\(earlier)] too"
                )
            }
            let place = "\(interface.namespace ?? "")/\(interface.name)"
            if let earlier = places.updateValue(index, forKey: place) {
                settings.fault("\(path).name", "interfaces[\(earlier)] has this name in the same namespace")
            }
        }
        for (what, count) in [
            ("uplink", interfaces.count(where: \.isUplink)), ("host", interfaces.count(where: \.isHost)),
        ]
        where count > 1 {
            settings.fault("interfaces", "\(count) interfaces are \(what); there can be one")
        }
        if interfaces.count > 4096 { settings.fault("interfaces", "\(interfaces.count) interfaces are more than 4096") }
    }

    /// Whether the kernel takes a name for an interface (dev_valid_name).
    private static func isName(_ name: String) -> Bool {
        (1...15).contains(name.utf8.count) && name != "." && name != ".." && name.allSatisfy(isNameCharacter)
    }

    /// What leads to one interface cannot lead to another, and not to a Service or the node.
    private static func checkReached(_ configuration: Configuration, _ settings: SettingsReader) {
        var owners: [IPv4Prefix: String] = [:]
        for address in configuration.node.addresses { owners[IPv4Prefix(address, length: 32)] = "node.addresses" }
        for (index, interface) in configuration.interfaces.enumerated() where !interface.isHost {
            var reached = interface.reaches.enumerated().map {
                ("interfaces[\(index)].reaches[\($0.offset)]", $0.element)
            }
            if let address = interface.address {
                reached.append(("interfaces[\(index)].address", IPv4Prefix(address.address, length: 32)))
            }
            for (path, prefix) in reached {
                if let owner = owners.updateValue(path, forKey: prefix) {
                    settings.fault(path, "\(prefix) is in \(owner) too")
                }
                if let services = configuration.cluster.serviceCIDR, services.overlaps(prefix) {
                    settings.fault(path, "\(prefix) overlaps cluster.serviceCIDR (\(services))")
                }
            }
        }
    }

    private static func isNameCharacter(_ character: Character) -> Bool {
        character.isASCII && !character.isWhitespace && character != "/" && character != ":"
    }
}
