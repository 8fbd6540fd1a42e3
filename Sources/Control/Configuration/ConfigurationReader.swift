internal import Datapath
internal import Foundation
internal import Kubernetes
internal import Wire
internal import Yams

/// What is wrong with a configuration: every fault in a line, with the path of its field.
package struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong, a line each: file, field and reason.
    package var faults: [String]
    /// What may help, as a line of its own.
    package var hint: String?

    /// All faults, a line each.
    package var description: String { faults.joined(separator: "\n") }
}

/// Reads a configuration file; every key is known, every value has its form, or all faults are named together.
package enum ConfigurationReader {
    /// The longest configuration that is read, in bytes: none comes near, a larger file is something else.
    package static let sizeLimit = 1 << 18

    /// Reads a file; `environment` holds variables `CULVERT_…` that override it.
    ///
    /// Throws every fault of the file at once, each with the path of its field.
    package static func read(path: String, environment: [String: String] = [:]) throws(ConfigurationError)
        -> Configuration
    {
        guard let data = FileManager.default.contents(atPath: path) else {
            let reason = FileManager.default.fileExists(atPath: path) ? "cannot be read" : "no such file"
            throw ConfigurationError(faults: ["\(path): \(reason)"])
        }
        return try read(name: path, bytes: [UInt8](data), environment: environment)
    }

    /// Reads a text; `name` stands for it in messages.
    package static func read(
        name: String,
        bytes: [UInt8],
        environment: [String: String] = [:]
    ) throws(ConfigurationError) -> Configuration {
        guard bytes.count <= sizeLimit else {
            throw ConfigurationError(faults: ["\(name): larger than \(sizeLimit >> 10) KiB"])
        }
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw ConfigurationError(faults: ["\(name): is not UTF-8 text"])
        }
        guard !AliasLimit.isExceeded(by: bytes) else {
            throw ConfigurationError(faults: ["\(name): its aliases stand for more than \(AliasLimit.values) values"])
        }
        let root: Yams.Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw ConfigurationError(faults: ["\(name): \(oneLine("\(error)"))"])
        }
        let settings = SettingsReader(file: name)
        var configuration = Configuration()
        if let root { decode(settings.section("", root), into: &configuration) }
        applyEnvironment(environment, settings, &configuration)
        if settings.faults.isEmpty { check(configuration, settings) }
        guard settings.faults.isEmpty else {
            throw ConfigurationError(faults: settings.faults.map { "\(name): \($0)" })
        }
        return configuration
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: " ")
    }

    private static func decode(_ root: SettingsReader.Section, into configuration: inout Configuration) {
        root.section("node") { node in
            node.string("name") { configuration.node.name = $0 }
            node.string("zone") { configuration.node.zone = $0 }
            node.addresses("addresses") { configuration.node.addresses = $0 }
            node.address("loopAddress") { configuration.node.loopAddress = $0 }
        }
        root.section("cluster") { decodeCluster($0, into: &configuration.cluster) }
        root.section("proxy") { proxy in
            proxy.bool("masqueradeAll") { configuration.proxy.masqueradeAll = $0 }
            proxy.word("algorithm", Configuration.Algorithm.self) { configuration.proxy.algorithm = $0 }
            proxy.integer("maglevTableSize", 1...1_000_000) { configuration.proxy.maglevTableSize = $0 }
            proxy.choice("unknownPorts", ["pass": .pass, "drop": .drop]) { configuration.proxy.unknownPorts = $0 }
        }
        root.section("conntrack") { decodeConntrack($0, into: &configuration.conntrack) }
        root.section("datapath") { datapath in
            datapath.bool("offload") { configuration.datapath.offload = $0 }
            datapath.word("polling", Configuration.Polling.self) { configuration.datapath.polling = $0 }
            datapath.integer("workers", 1...Configuration.DatapathSettings.workerLimit) {
                configuration.datapath.workers = $0
            }
        }
        root.sections("interfaces") { section in
            var interface = Configuration.Interface()
            decodeInterface(section, into: &interface)
            configuration.interfaces.append(interface)
        }
        root.string("socket") { configuration.socket = $0 == "none" ? nil : $0 }
        root.string("state") { configuration.state = $0 == "none" ? nil : $0 }
        root.finish()
    }

    private static func decodeCluster(_ section: SettingsReader.Section, into cluster: inout Configuration.Cluster) {
        section.prefix("podCIDR") { cluster.podCIDR = $0 }
        section.prefix("serviceCIDR") { cluster.serviceCIDR = $0 }
        section.portRange("nodePortRange") { cluster.nodePortRange = $0 }
        section.nodePortAddresses("nodePortAddresses") { cluster.nodePortAddresses = $0 }
        section.prefixes("loadBalancerCIDRs") { cluster.loadBalancerCIDRs = $0 }
        section.prefixes("externalCIDRs") { cluster.externalCIDRs = $0 }
        section.string("domain") { cluster.domain = $0 }
        section.address("dnsAddress") { cluster.dnsAddress = $0 }
    }

    private static func decodeConntrack(
        _ section: SettingsReader.Section,
        into conntrack: inout Configuration.Conntrack
    ) {
        section.integer("capacity", 1...16_777_216) { conntrack.capacity = $0 }
        section.choice("midstream", ["refuse": .refuse, "pickup": .pickup]) { conntrack.midstream = $0 }
        section.integer("halfOpenPerSource", 64...16_777_216) { conntrack.halfOpenPerSource = $0 }
        section.bool("strict") { conntrack.strict = $0 }
        section.bool("resetDeletedEndpoints") { conntrack.resetDeletedEndpoints = $0 }
        section.word("resourceErrors", DatapathConfiguration.ResourceErrors.self) { conntrack.resourceErrors = $0 }
        section.section("timeouts") { timeouts in
            for key in Timeouts.keys {
                timeouts.duration(key.name) { conntrack.timeouts[keyPath: key.field] = $0 }
            }
        }
        section.word("checksums", Configuration.Checksums.self) { conntrack.checksums = $0 }
    }

    private static func decodeInterface(
        _ section: SettingsReader.Section,
        into interface: inout Configuration.Interface
    ) {
        section.string("name") { interface.name = $0 }
        section.string("netns") { interface.namespace = $0 }
        section.string("label") { interface.label = $0 }
        section.bool("host") { interface.isHost = $0 }
        section.bool("uplink") { interface.isUplink = $0 }
        section.interfaceAddress("address") { interface.address = $0 }
        section.prefixes("reaches") { interface.reaches = $0 }
        section.prefixes("routes") { interface.routes = $0 }
        section.integer("mtu", 68...65535) { interface.mtu = $0 }
        section.bool("antiSpoof") { interface.antiSpoof = $0 }
        section.finish()
        if interface.label.isEmpty {
            let last = interface.namespace?.split(separator: "/").last.map(String.init)
            interface.label = interface.isHost ? "host" : last ?? ""
        }
    }

    private static func applyEnvironment(
        _ environment: [String: String],
        _ settings: SettingsReader,
        _ configuration: inout Configuration
    ) {
        for (key, value) in environment.sorted(by: { $0.key < $1.key }) {
            switch key {
            case "CULVERT_NODE_NAME": configuration.node.name = value
            case "CULVERT_NODE_ZONE": configuration.node.zone = value
            case "CULVERT_SOCKET": configuration.socket = value == "none" ? nil : value
            case "CULVERT_STATE": configuration.state = value == "none" ? nil : value
            default: continue
            }
        }
    }
}
