internal import Services
internal import Wire

/// What Services were given, as JSON.
struct AllocationLayout: Codable {
    private var version: Int
    private var clusterIPs: [String: String]
    private var loadBalancers: [String: String]
    private var nodePorts: [String: UInt16]
    private var healthCheckNodePorts: [String: UInt16]

    private typealias Damage = StateFile.Damage

    static let version = 1

    init(_ state: AllocationState) {
        var ports: [String: UInt16] = [:]
        for (key, port) in state.nodePorts { ports["\(key.service):\(key.name)/\(key.transport)"] = port }
        func named<Value, Shown>(_ values: [ServiceName: Value], _ shown: (Value) -> Shown) -> [String: Shown] {
            Dictionary(values.map { ($0.key.description, shown($0.value)) }, uniquingKeysWith: { first, _ in first })
        }
        version = Self.version
        clusterIPs = named(state.clusterIPs, \.description)
        loadBalancers = named(state.loadBalancers, \.description)
        nodePorts = ports
        healthCheckNodePorts = named(state.healthCheckNodePorts) { $0 }
    }

    /// The same as it is used.
    func state() throws(StateFile.Damage) -> AllocationState {
        var state = AllocationState()
        for (key, text) in clusterIPs { state.clusterIPs[try Self.service(key)] = try Self.address(text) }
        for (key, text) in loadBalancers { state.loadBalancers[try Self.service(key)] = try Self.address(text) }
        for (key, port) in nodePorts { state.nodePorts[try Self.port(key)] = try Self.nonzero(port, key) }
        for (key, port) in healthCheckNodePorts {
            state.healthCheckNodePorts[try Self.service(key)] = try Self.nonzero(port, key)
        }
        if let problem = state.contradiction { throw Damage(text: problem) }
        return state
    }

    private static func service(_ key: String) throws(Damage) -> ServiceName {
        let parts = key.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ (1...253).contains($0.utf8.count) && !$0.contains(":") }) else {
            throw Damage(text: "names \(key.debugDescription), which is no Service")
        }
        return ServiceName(namespace: String(parts[0]), name: String(parts[1]))
    }

    private static func port(_ key: String) throws(Damage) -> AllocationState.Port {
        guard let colon = key.firstIndex(of: ":"), let slash = key.lastIndex(of: "/"), colon < slash else {
            throw Damage(text: "names \(key.debugDescription), which is no port of a Service")
        }
        return AllocationState.Port(
            service: try service(String(key[..<colon])),
            name: String(key[key.index(after: colon)..<slash]),
            transport: String(key[key.index(after: slash)...])
        )
    }

    private static func address(_ text: String) throws(Damage) -> IPv4Address {
        guard let address = IPv4Address(text) else {
            throw Damage(text: "holds \(text.debugDescription) as an address")
        }
        return address
    }

    private static func nonzero(_ port: UInt16, _ key: String) throws(Damage) -> UInt16 {
        if port == 0 { throw Damage(text: "holds port 0 of \(key.debugDescription)") }
        return port
    }
}

extension AllocationState {
    /// What cannot be, were it the work of an allocator: one thing given to two Services.
    fileprivate var contradiction: String? {
        var owners: [IPv4Address: ServiceName] = [:]
        for (name, address) in clusterIPs.sorted(by: { $0.key < $1.key }) {
            if let other = owners.updateValue(name, forKey: address) {
                return "gives \(address) to \(other) and \(name)"
            }
        }
        var holders: [UInt16: ServiceName] = [:]
        let ports = nodePorts.map { ($0.key.service, $0.value) } + healthCheckNodePorts.map { ($0.key, $0.value) }
        for (name, port) in ports.sorted(by: { $0.0 < $1.0 }) {
            if let other = holders.updateValue(name, forKey: port), other != name {
                return "gives port \(port) to \(other) and \(name)"
            }
        }
        return nil
    }
}
