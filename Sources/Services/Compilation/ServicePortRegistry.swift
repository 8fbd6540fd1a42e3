package import Wire

/// What tells one port of a Service from all others: kube-proxy's `ServicePortName`.
package struct ServicePortIdentity: Hashable, Sendable {
    /// The namespace of the Service.
    package var namespace: String
    /// The name of the Service.
    package var name: String
    /// The name of the port, empty for an unnamed one.
    package var portName: String
    /// The protocol of the port.
    package var transport: TransportProtocol

    /// An identity from its parts.
    package init(namespace: String, name: String, portName: String, transport: TransportProtocol) {
        self.namespace = namespace
        self.name = name
        self.portName = portName
        self.transport = transport
    }
}

/// Numbers for ServicePorts that stay the same over reloads, so that a flow can name its Service for as long as it lives.
///
/// Numbers count from 1 and are never used again; a Service that comes back gets its former number. An unnamed port is
/// called by its number, and one that changes is another one here, so that what a number is called never changes.
package struct ServicePortRegistry: Sendable {
    private struct Key: Hashable {
        var identity: ServicePortIdentity
        var name: String
    }

    private var numbers: [Key: UInt32] = [:]
    /// What events call a ServicePort, by its number; the first one is empty.
    package private(set) var names: [String] = [""]

    private var identities: [ServicePortIdentity] = []

    /// All ServicePorts in the order of their numbers, from 1 on, with what events call them.
    package var entries: [(identity: ServicePortIdentity, name: String)] { Array(zip(identities, names.dropFirst())) }

    /// A registry that has given no number yet.
    package init() {}

    /// The number of a ServicePort, which events call `name`.
    package mutating func number(of identity: ServicePortIdentity, name: String) -> UInt32 {
        let key = Key(identity: identity, name: name)
        if let known = numbers[key] { return known }
        let number = UInt32(names.count)
        numbers[key] = number
        names.append(name)
        identities.append(identity)
        return number
    }
}
