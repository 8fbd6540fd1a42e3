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
        var servicePorts: [Port]
    }

    private struct Port: Codable {
        var namespace: String
        var name: String
        var port: String
        var `protocol`: UInt8
        var shown: String
    }

    private typealias Damage = StateFile.Damage
    private static let version = 1
    private static let maximumSize = 256 << 20
    /// So many names of Services that are gone are enough: then all are forgotten at the next start, and flows with them.
    private static let maximumCount = 1_000_000

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
            if layout.servicePorts.count > Self.maximumCount { throw Damage(text: "has too many entries") }
            var registry = ServicePortRegistry()
            for (place, port) in layout.servicePorts.enumerated() {
                let identity = ServicePortIdentity(
                    namespace: port.namespace,
                    name: port.name,
                    portName: port.port,
                    transport: TransportProtocol(rawValue: port.protocol)
                )
                if registry.number(of: identity, name: port.shown) != UInt32(place + 1) {
                    throw Damage(text: "has \(port.shown.debugDescription) twice")
                }
            }
            return (registry, nil)
        } catch {
            return (nil, file.setAside(error, consequence: "flows of before are forgotten"))
        }
    }

    /// Writes all numbers, at once as a whole.
    package func save(_ registry: ServicePortRegistry) throws(StateError) {
        let ports = registry.entries.map { identity, name in
            Port(
                namespace: identity.namespace,
                name: identity.name,
                port: identity.portName,
                protocol: identity.transport.rawValue,
                shown: name
            )
        }
        try file.write(Layout(version: Self.version, bootID: bootID, servicePorts: ports))
    }
}
