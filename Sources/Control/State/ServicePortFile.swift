package import Services
internal import Wire

/// The file in the state directory that remembers the numbers of ServicePorts: `serviceports.json`.
///
/// Flows and remembered clients name their Service by such a number, so the file must be there before a packet sees a
/// new one. It is valid for the boot that it was written in, as they are.
package struct ServicePortFile: Sendable {
    private let file: StateFile
    private let bootID: String

    private struct Layout: Codable {
        var version: Int
        var bootID: String
        /// In the order of their numbers, from 1 on.
        var servicePorts: ServicePortLayout
    }

    private typealias Damage = StateFile.Damage
    private static let version = 1
    private static let maximumSize = 256 << 20

    /// The file in a state directory.
    package init(_ directory: StateDirectory) {
        file = StateFile("serviceports.json", in: directory.path)
        bootID = directory.bootID
    }

    /// The numbers that were given in this boot; nil where none is known, and then flows mean nothing either.
    ///
    /// `problem` says what was wrong with a file that was set aside.
    package func load() -> (registry: ServicePortRegistry?, problem: String?) {
        guard file.exists else { return (nil, nil) }
        do throws(Damage) {
            let layout = try file.read(Layout.self, maximumSize: Self.maximumSize)
            if layout.version != Self.version {
                throw Damage(text: "is of version \(layout.version), not \(Self.version)")
            }
            if layout.bootID != bootID { return (nil, nil) }
            return (try layout.servicePorts.registry(), nil)
        } catch {
            return (nil, file.setAside(error, consequence: "flows of before are forgotten"))
        }
    }

    /// Writes all numbers, at once as a whole.
    package func save(_ registry: ServicePortRegistry) throws(StateError) {
        try file.write(Layout(version: Self.version, bootID: bootID, servicePorts: ServicePortLayout(registry)))
    }
}

/// The numbers of ServicePorts, as JSON: in their order, from 1 on.
struct ServicePortLayout: Codable {
    private var ports: [Port]

    private struct Port: Codable {
        var namespace: String
        var name: String
        var port: String
        var `protocol`: UInt8
        var shown: String
    }

    /// So many names of Services that are gone are enough: then all are forgotten at the next start, and flows with them.
    private static let maximumCount = 1_000_000

    init(_ registry: ServicePortRegistry) {
        ports = registry.entries.map { identity, name in
            Port(
                namespace: identity.namespace,
                name: identity.name,
                port: identity.portName,
                protocol: identity.transport.rawValue,
                shown: name
            )
        }
    }

    init(from decoder: any Decoder) throws { ports = try [Port](from: decoder) }

    func encode(to encoder: any Encoder) throws { try ports.encode(to: encoder) }

    /// The same as it is used.
    func registry() throws(StateFile.Damage) -> ServicePortRegistry {
        if ports.count > Self.maximumCount { throw StateFile.Damage(text: "has too many entries") }
        var registry = ServicePortRegistry()
        for (place, port) in ports.enumerated() {
            let identity = ServicePortIdentity(
                namespace: port.namespace,
                name: port.name,
                portName: port.port,
                transport: TransportProtocol(rawValue: port.protocol)
            )
            if registry.number(of: identity, name: port.shown) != UInt32(place + 1) {
                throw StateFile.Damage(text: "has \(port.shown.debugDescription) twice")
            }
        }
        return registry
    }
}
