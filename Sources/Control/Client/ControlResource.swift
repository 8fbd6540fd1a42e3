internal import Wire

/// What `culvert get` shows of a daemon.
package enum ControlResource: String, CaseIterable, Sendable {
    case services, endpoints, conntrack, affinity, interfaces, routes, maps, programs, counters, drops

    /// The key of the word by which a single item is asked for; nil where items have none.
    package var nameKey: String? {
        switch self {
        case .services, .endpoints, .maps: "name"
        case .interfaces: "interface"
        case .routes: "prefix"
        case .programs: "program"
        case .counters: "counter"
        case .drops: "reason"
        case .conntrack, .affinity: nil
        }
    }

    /// Whether an item is the one of a name; `namespace/name` where items are in namespaces.
    package func isNamed(_ name: String, _ item: JSONValue) -> Bool {
        guard let nameKey, let own = item[nameKey].string else { return false }
        return own == name || item["namespace"].string.map { "\($0)/\(own)" == name } ?? false
    }

    /// The order of items in what is printed, where it is not the daemon's.
    package func sorted(_ items: [[UInt8]]) -> [[UInt8]] {
        switch self {
        case .conntrack: sort(items) { Self.flow($0) }
        case .affinity: sort(items) { Self.client($0) }
        default: items
        }
    }

    private func sort<Key: Comparable>(_ items: [[UInt8]], by key: ([UInt8]) -> Key) -> [[UInt8]] {
        let keyed = items.map { (key: key($0), item: $0) }
        return keyed.sorted { left, right in
            left.key == right.key ? left.item.lexicographicallyPrecedes(right.item) : left.key < right.key
        }.map(\.item)
    }

    /// The number of a flow, with which its item begins.
    private static func flow(_ item: [UInt8]) -> UInt64 {
        let digits = item.dropFirst(8).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return UInt64(String(decoding: digits, as: UTF8.self)) ?? 0
    }

    private static func client(_ item: [UInt8]) -> UInt32 {
        JSONParser.parse(item)?["client"].string.flatMap { IPv4Address($0) }?.bits ?? 0
    }
}
