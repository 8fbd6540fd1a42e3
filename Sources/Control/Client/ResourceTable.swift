/// Lists of a daemon as tables, with the columns of kubectl where it has such a list.
package struct ResourceTable {
    private struct Column {
        var header: String
        var isWide = false
        var cell: (JSONValue) -> String
    }

    private let columns: [Column]
    private let isShown: (JSONValue) -> Bool

    /// How many endpoints a row of the narrow table names.
    private static let shownEndpoints = 3

    /// The table of a resource, flows excepted, which have lines of their own.
    package init(_ resource: ControlResource, isWide: Bool) {
        let columns: [Column] =
            switch resource {
            case .services: Self.services
            case .endpoints: Self.endpoints(isWide: isWide)
            case .affinity:
                [
                    Self.text("CLIENT", "client"), Self.text("SERVICE", "service"), Self.text("BACKEND", "backend"),
                    Self.text("EXPIRES", "expiresSeconds", unit: "s"),
                ]
            case .interfaces: Self.interfaces
            case .routes:
                [
                    Self.text("PREFIX", "prefix"), Self.text("INTERFACE", "interface"), Self.text("ROLE", "role"),
                    Self.text("MTU", "mtu"),
                ]
            case .maps:
                [
                    Self.text("NAME", "name"), Self.text("TYPE", "type"), Self.text("ENTRIES", "entries"),
                    Self.text("CAPACITY", "capacity"), Self.text("KEY", "key", isWide: true),
                    Self.text("VALUE", "value", isWide: true),
                ]
            case .programs: Self.programs
            case .counters:
                [Self.text("COUNTER", "counter"), Self.text("VALUE", "value"), Self.text("UNIT", "unit")]
            case .drops:
                [
                    Self.text("REASON", "reason"), Self.text("PACKETS", "packets"), Self.bytes("BYTES", "bytes"),
                    Self.text("MEANING", "meaning"),
                ]
            case .conntrack: []
            }
        self.columns = columns.filter { isWide || !$0.isWide }
        isShown =
            switch resource {
            // What never happened would hide what did.
            case .counters: { isWide || $0["value"].number != 0 }
            case .drops: { isWide || $0["packets"].number != 0 }
            default: { _ in true }
            }
    }

    /// A table of anything: a column for each key of the first item.
    package init(keysOf items: [JSONValue]) {
        columns = (items.first?.members ?? []).map { member in
            Column(header: member.key.uppercased()) { Self.anything($0[member.key]) }
        }
        isShown = { _ in true }
    }

    /// The rows with their header; empty when there is nothing to show.
    package func text(_ items: [JSONValue], hasHeader: Bool) -> String {
        var table = TextTable(columns.map(\.header))
        let shown = items.filter(isShown)
        if shown.isEmpty { return "" }
        for item in shown { table.add(columns.map { $0.cell(item) }) }
        return hasHeader ? table.text : table.rowsText
    }

    // MARK: Columns

    private static func text(_ header: String, _ key: String, unit: String = "", isWide: Bool = false) -> Column {
        Column(header: header, isWide: isWide) { item in
            let value = item[key]
            if case .null = value { return "" }
            return anything(value) + unit
        }
    }

    private static func bytes(_ header: String, _ key: String) -> Column {
        Column(header: header) { ByteCount.text($0[key].number ?? 0) }
    }

    /// A value in a cell; a long array is only counted.
    private static func anything(_ value: JSONValue) -> String {
        switch value {
        case .null: ""
        case .bool(let value): value ? "true" : "false"
        case .number(let number): "\(number)"
        case .string(let text): text
        case .array(let values) where values.count > 16: "[\(values.count)]"
        case .array(let values): values.map(anything).joined(separator: ",")
        case .object, .written: String(decoding: value.line.dropLast(), as: UTF8.self)
        }
    }

    private static var interfaces: [Column] {
        [
            text("INTERFACE", "interface"), text("NAME", "name"), text("NETNS", "netns"), text("ROLE", "role"),
            text("ADDRESS", "address"), text("MTU", "mtu", isWide: true), text("RX-PACKETS", "rxPackets"),
            bytes("RX-BYTES", "rxBytes"), text("TX-PACKETS", "txPackets"), bytes("TX-BYTES", "txBytes"),
            text("LOST", "txLost"), Column(header: "STATE", isWide: true) { $0["gone"].isTrue ? "gone" : "up" },
        ]
    }

    private static var programs: [Column] {
        [
            text("PROGRAM", "program"), text("HOOK", "hook"), text("RUNS", "runs"),
        ]
    }

    private static var services: [Column] {
        [
            text("NAMESPACE", "namespace"), text("NAME", "name"), text("TYPE", "type"), text("CLUSTER-IP", "clusterIP"),
            Column(header: "EXTERNAL-IP", cell: externalIP), Column(header: "PORT(S)", cell: ports),
            text("BACKENDS", "backends", isWide: true),
            Column(header: "POLICY", isWide: true) {
                "\($0["internalTrafficPolicy"].string ?? "")/\($0["externalTrafficPolicy"].string ?? "")"
            },
            text("AFFINITY", "affinitySeconds", unit: "s", isWide: true),
            text("HEALTH-CHECK", "healthCheckNodePort", isWide: true),
        ]
    }

    private static func externalIP(_ service: JSONValue) -> String {
        if service["type"].string == "ExternalName" { return service["externalName"].string ?? "" }
        let addresses = service["loadBalancerIPs"].elements + service["externalIPs"].elements
        if addresses.isEmpty && service["type"].string == "LoadBalancer" { return "<pending>" }
        return addresses.compactMap(\.string).joined(separator: ",")
    }

    private static func ports(_ service: JSONValue) -> String {
        service["ports"].elements.map { port in
            let node = port["nodePort"].number.map { ":\($0)" } ?? ""
            return "\(port["port"].number ?? 0)\(node)/\((port["protocol"].string ?? "").uppercased())"
        }.joined(separator: ",")
    }

    private static func endpoints(isWide: Bool) -> [Column] {
        [
            text("NAMESPACE", "namespace"), text("NAME", "name"), text("PORT", "service"),
            Column(header: "ENDPOINTS") { item in
                let ready = item["endpoints"].elements.filter { isWide || $0["inUse"].isTrue }.map(endpoint)
                guard !isWide, ready.count > shownEndpoints else { return ready.joined(separator: ",") }
                let shown = ready.prefix(shownEndpoints).joined(separator: ",")
                return "\(shown) + \(ready.count - shownEndpoints) more..."
            },
        ]
    }

    /// `10.244.1.5:8080*`, with a star on this node, and in brackets what keeps it from being an ordinary one.
    private static func endpoint(_ endpoint: JSONValue) -> String {
        var text = (endpoint["backend"].string ?? "") + (endpoint["local"].isTrue ? "*" : "")
        if endpoint["terminating"].isTrue {
            text += "(terminating)"
        } else if !endpoint["ready"].isTrue {
            text += "(not ready)"
        } else if !endpoint["inUse"].isTrue {
            text += "(not in use)"
        }
        return text
    }
}

/// Numbers of bytes for people.
package enum ByteCount {
    /// `512 B`, `1.4 KiB`, `3.0 GiB`.
    package static func text(_ count: Int) -> String {
        if count < 1024 { return "\(count) B" }
        var tenths = count.multipliedReportingOverflow(by: 10).overflow ? Int.max : count * 10
        var unit = 0
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
        tenths /= 1024
        while tenths >= 10240 && unit < units.count - 1 {
            tenths /= 1024
            unit += 1
        }
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
