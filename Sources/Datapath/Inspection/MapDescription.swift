internal import Tables

/// One of the datapath's tables, in the words of eBPF, for lists of them.
package struct MapDescription: Sendable {
    /// The name by which it is listed and dumped.
    package let name: String
    /// The eBPF map type that it resembles most.
    package let type: String
    /// What entries are found by.
    package let key: String
    /// What an entry holds.
    package let value: String
    /// The most entries that it takes; what is built with the rules has as many as it needs.
    package let capacity: Int
    /// How many there are now.
    package let entries: Int
}

extension Pipeline {
    /// All tables, those of the rules first.
    package var maps: [MapDescription] {
        services.maps + interfaces.maps + [
            MapDescription(
                name: "node-addresses",
                type: "hash",
                key: "address",
                value: "-",
                capacity: nodeAddresses.count,
                entries: nodeAddresses.count
            ),
            MapDescription(
                name: "conntrack",
                type: "hash",
                key: "protocol, address:port pairs of either direction",
                value: "flow",
                capacity: flows.capacity,
                entries: flows.count
            ),
            MapDescription(
                name: "nat",
                type: "hash_of_maps",
                key: "protocol, outer source, address:port of the backend",
                value: "ports in use, of a crowded destination",
                capacity: flows.ports.capacity,
                entries: flows.ports.count
            ),
            MapDescription(
                name: "fragments",
                type: "hash",
                key: "protocol, addresses, identification",
                value: "datagram",
                capacity: fragments.datagrams.capacity,
                entries: fragments.datagrams.count
            ),
            MapDescription(
                name: "affinity",
                type: "hash",
                key: "client address, service port",
                value: "backend, deadline",
                capacity: AffinityTable.capacity,
                entries: affinity.count
            ),
        ]
    }
}

extension ServiceTable {
    /// The tables of the rules.
    package var maps: [MapDescription] {
        func fixed(_ name: String, _ type: String, _ key: String, _ value: String, _ count: Int) -> MapDescription {
            MapDescription(name: name, type: type, key: key, value: value, capacity: count, entries: count)
        }
        return [
            fixed("services", "hash", "address, port, protocol", "frontend", frontendIndex.count),
            fixed("service-ports", "array", "index", "endpoint sets, affinity", servicePorts.count),
            fixed("backends", "array", "index", "address, port, local", backends.count),
            fixed("maglev", "array", "table, slot", "backend index", maglevEntryCount),
            fixed("source-ranges", "array", "index", "prefix", sourceRanges.count),
            fixed("addresses", "hash", "address", "ClusterIP or external", addressIndex.count),
            fixed("names", "hash", "parent, label", "records", names.nameCount),
        ]
    }
}

extension InterfaceTable {
    /// The table of routes.
    package var maps: [MapDescription] {
        [
            MapDescription(
                name: "routes",
                type: "lpm_trie",
                key: "prefix",
                value: "interface",
                capacity: routes.count,
                entries: routes.count
            )
        ]
    }
}
