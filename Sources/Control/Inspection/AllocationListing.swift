internal import Services
internal import Wire

/// What Services were given, as lines for people and entries of JSON.
struct AllocationListing {
    /// Something that was given.
    struct Item {
        /// `ClusterIP`, `LoadBalancer`, `NodePort` or `HealthCheckNodePort`.
        var kind: String
        /// `default/web`; for a NodePort `default/web:http/TCP`, or `default/web:/TCP` of a port without a name.
        var owner: String
        /// The address or port.
        var value: String

        /// What the item is given for.
        var key: String { "\(kind) \(owner)" }
    }

    /// By kind, then by owner.
    let items: [Item]

    init(_ state: AllocationState) {
        func listed<Value>(_ kind: String, _ values: [ServiceName: Value], _ text: (Value) -> String) -> [Item] {
            values.sorted { $0.key < $1.key }.map { Item(kind: kind, owner: $0.key.description, value: text($0.value)) }
        }
        let ports = state.nodePorts.sorted { $0.key < $1.key }.map { key, port in
            Item(kind: "NodePort", owner: "\(key.service):\(key.name)/\(key.transport)", value: "\(port)")
        }
        items =
            listed("ClusterIP", state.clusterIPs, \.description)
            + listed("LoadBalancer", state.loadBalancers, \.description) + ports
            + listed("HealthCheckNodePort", state.healthCheckNodePorts) { "\($0)" }
    }
}
