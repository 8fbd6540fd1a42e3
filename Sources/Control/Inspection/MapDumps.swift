internal import Datapath
internal import Kubernetes
internal import Wire

/// A map was asked for that there is not, or not without traffic.
package struct MapError: Error, Equatable, Sendable {
    /// What is wrong with the name: the end of a sentence that it begins.
    package let problem: String
    /// What helps.
    package let hint: String
}

/// The maps of the datapath as JSON, as `check -o json --maps NAME` prints them: one object, `{"NAME":[…]}`.
///
/// `services` refers to `backends` by index: `cluster` and `local` are the endpoints that each policy may use. The other
/// entries stand for themselves; `routes` are in the order of prefixes.
package struct MapDumps {
    private let cluster: Cluster
    private let table: ServiceTable
    private let interfaces: InterfaceTable

    /// The maps that can be shown without a packet.
    package static let names = ["services", "backends", "routes", "source-ranges", "maglev"]
    /// The list of all maps, as if it were one.
    package static let listing = "maps"

    /// The maps of a cluster, laid out as a replay lays them out.
    package init(_ cluster: Cluster) {
        self.init(
            cluster,
            table: cluster.serviceTable(seed: 1),
            interfaces: cluster.interfaceTable(isReplay: true)
        )
    }

    /// The maps of a running datapath: the tables that it has.
    init(_ cluster: Cluster, table: ServiceTable, interfaces: InterfaceTable) {
        self.cluster = cluster
        self.table = table
        self.interfaces = interfaces
    }

    /// A map, or the list of them.
    package func dump(_ name: String) throws(MapError) -> JSONValue {
        .object([(name, .array(name == Self.listing ? Self.listing(pipeline().maps) : try entries(name)))])
    }

    /// The entries of a map that the rules are made of.
    func entries(_ name: String) throws(MapError) -> [JSONValue] {
        let content =
            switch name {
            case "services": services
            case "backends": backends
            case "routes": Self.routes(interfaces)
            case "source-ranges": sourceRanges
            case "maglev": try maglev()
            default: throw unknown(name)
            }
        return content
    }

    private func unknown(_ name: String) -> MapError {
        if pipeline().maps.contains(where: { $0.name == name }) {
            return MapError(problem: "cannot be shown by itself", hint: "--maps maps lists its size")
        }
        let nearest = Suggestion.nearest(to: name, in: Self.names + [Self.listing])
        return MapError(problem: "is no map", hint: nearest.map { "did you mean \($0)?" } ?? "the maps are \(known)")
    }

    private var known: String { (Self.names + [Self.listing]).joined(separator: ", ") }

    private func pipeline() -> Pipeline {
        Pipeline(
            cluster.datapathConfiguration(seed: 1, isReplay: true),
            interfaces: interfaces,
            services: table
        )
    }

    /// The list of maps with their sizes.
    static func listing(_ maps: [MapDescription]) -> [JSONValue] {
        maps.map { map in
            .object([
                ("name", .string(map.name)), ("type", .string(map.type)), ("key", .string(map.key)),
                ("value", .string(map.value)), ("capacity", .number(map.capacity)), ("entries", .number(map.entries)),
            ])
        }
    }

    /// The frontends that packets find, in the order in which they were compiled.
    private var frontends: [(number: Int, frontend: ServiceSpecification.Frontend)] {
        cluster.rules.frontends.enumerated().compactMap { number, frontend in
            table.frontendNumber(frontend.address, frontend.port, frontend.transport) == number
                ? (number: number, frontend: frontend) : nil
        }
    }

    private var services: [JSONValue] {
        frontends.map { number, frontend in
            let port = cluster.rules.servicePorts[frontend.servicePort]
            let ranges = table.endpointRanges(of: frontend.servicePort)
            return .object([
                ("index", .number(number)), ("address", .string("\(frontend.address):\(frontend.port)")),
                ("protocol", .string(frontend.transport.description)), ("frontend", .string(frontend.kind.word)),
                ("service", .string(port.name)), ("id", .number(Int(port.identifier))),
                ("policy", .string(frontend.isLocalPolicy ? "Local" : "Cluster")),
                ("cluster", .array(ranges.cluster.map { .number($0) })),
                ("local", .array(ranges.local.map { .number($0) })), ("hasAny", .bool(port.hasAny)),
                ("affinitySeconds", port.affinitySeconds > 0 ? .number(Int(port.affinitySeconds)) : .null),
            ])
        }
    }

    private var backends: [JSONValue] {
        var owners = [String](repeating: "", count: table.backendCount)
        for (number, port) in cluster.rules.servicePorts.enumerated() {
            let ranges = table.endpointRanges(of: number)
            for place in Array(ranges.cluster) + Array(ranges.local) { owners[place] = port.name }
        }
        return owners.enumerated().map { index, owner in
            let backend = table.backend(index)
            return .object([
                ("index", .number(index)), ("backend", .string("\(backend.address):\(backend.port)")),
                ("local", .bool(backend.isLocal)), ("service", .string(owner)),
            ])
        }
    }

    /// A table per port of a Service, over the endpoints of policy Cluster.
    private func maglev() throws(MapError) -> [JSONValue] {
        guard case .maglev(let size) = table.algorithm else {
            throw MapError(
                problem: "is not built: the algorithm is \(table.algorithm.word)",
                hint: "proxy.algorithm: maglev"
            )
        }
        let hostPorts = Set(cluster.rules.frontends.filter { $0.kind == .hostPort }.map(\.servicePort))
        return cluster.rules.servicePorts.enumerated().compactMap { number, port in
            guard !port.cluster.isEmpty, !hostPorts.contains(number) else { return nil }
            // Written at once: a value for each of so many entries would take a hundred times the memory.
            var entries = TextBuffer(capacity: size * 3)
            entries.append("[")
            for (slot, entry) in port.maglevTable(size: size).enumerated() {
                if slot > 0 { entries.append(",") }
                entries.append(UInt64(entry))
            }
            entries.append("]")
            return .object([
                ("service", .string(port.name)), ("size", .number(size)),
                ("backends", .array(port.cluster.map { .string("\($0.address):\($0.port)") })),
                ("entries", .written(entries.bytes)),
            ])
        }
    }

    /// The routes of a table of interfaces, in the order of their prefixes.
    static func routes(_ interfaces: InterfaceTable) -> [JSONValue] {
        var found: [IPv4Prefix: Int] = [:]
        for (number, interface) in interfaces.interfaces.enumerated() {
            for prefix in interface.prefixes { found[prefix] = number }
            if interface.role == .uplink { found[IPv4Prefix(.any, length: 0)] = number }
        }
        let ordered = found.sorted { ($0.key.address, $0.key.length) < ($1.key.address, $1.key.length) }
        return ordered.map { prefix, number in
            let interface = interfaces.interfaces[number]
            return .object([
                ("prefix", .string(prefix.description)), ("interface", .string(interface.label)),
                ("role", .string("\(interface.role)")), ("mtu", .number(interface.mtu)),
            ])
        }
    }

    private var sourceRanges: [JSONValue] {
        frontends.flatMap { _, frontend in
            frontend.sourceRanges.map { range in
                .object([
                    ("prefix", .string(range.description)),
                    ("address", .string("\(frontend.address):\(frontend.port)")),
                    ("protocol", .string(frontend.transport.description)),
                    ("service", .string(cluster.rules.servicePorts[frontend.servicePort].name)),
                ])
            }
        }
    }
}
