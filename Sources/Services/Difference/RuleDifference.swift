package import Datapath
internal import Wire

/// How two sets of rules differ: what a reload from one to the other would do.
package struct RuleDifference: Sendable {
    /// A frontend with what stands behind it.
    package struct Row: Hashable, Sendable {
        /// `10.96.0.10:80/TCP`.
        package var address: String
        /// By which kind of address it is reached.
        package var kind: FrontendKind
        /// `namespace/name:port`.
        package var service: String
        /// Whether the policy of its kind of address is Local.
        package var isLocalPolicy: Bool
        /// Session affinity in seconds; 0 for none.
        package var affinitySeconds: UInt32
        /// Empty: from anywhere.
        package var sourceRanges: [String]
    }

    /// The endpoints of a port of a Service that came, went, or changed their use.
    package struct Endpoints: Hashable, Sendable {
        /// `namespace/name:port`.
        package var service: String
        /// `tcp` or `udp`.
        package var transport: String
        /// Endpoints that new connections may be given now, and could not before.
        package var added: [Backend]
        /// Endpoints that no new connection is given any more.
        package var removed: [Backend]
        /// How many there are now.
        package var count: Int
    }

    /// Frontends that are new.
    package private(set) var added: [Row] = []
    /// Frontends that are gone.
    package private(set) var removed: [Row] = []
    /// Frontends that are other ones now.
    package private(set) var changed: [(old: Row, new: Row)] = []
    /// The ports of Services whose endpoints differ.
    package private(set) var endpoints: [Endpoints] = []
    /// What becomes of flows.
    package private(set) var consequences: [FlowConsequence] = []

    /// Whether nothing differs.
    package var isEmpty: Bool {
        added.isEmpty && removed.isEmpty && changed.isEmpty && endpoints.isEmpty && consequences.isEmpty
    }

    /// The difference of two sets of rules.
    package init(from old: ServiceSpecification, to new: ServiceSpecification, resetsDeletedEndpoints: Bool) {
        let (before, after) = (Self.rows(old), Self.rows(new))
        added = after.values.filter { before[$0.address] == nil }.sorted(by: Self.precedes)
        removed = before.values.filter { after[$0.address] == nil }.sorted(by: Self.precedes)
        changed = before.values.compactMap { row in
            guard let other = after[row.address], other != row else { return nil }
            return (old: row, new: other)
        }
        .sorted { Self.precedes($0.new, $1.new) }
        compareEndpoints(Self.ports(old), Self.ports(new))
        consequences = FlowConsequence.find(from: old, to: new, resetsDeletedEndpoints: resetsDeletedEndpoints)
    }

    private struct PortKey: Hashable, Comparable {
        var service: String
        var transport: String

        static func < (left: Self, right: Self) -> Bool {
            (left.service, left.transport) < (right.service, right.transport)
        }
    }

    private static func precedes(_ left: Row, _ right: Row) -> Bool {
        (left.service, left.kind.rawValue, left.address) < (right.service, right.kind.rawValue, right.address)
    }

    /// The frontends that packets find, by their addresses: of several with one key the first.
    private static func rows(_ rules: ServiceSpecification) -> [String: Row] {
        var rows: [String: Row] = [:]
        for frontend in rules.frontends {
            let port = rules.servicePorts[frontend.servicePort]
            let address = frontend.place
            guard rows[address] == nil else { continue }
            rows[address] = Row(
                address: address,
                kind: frontend.kind,
                service: port.name,
                isLocalPolicy: frontend.isLocalPolicy,
                affinitySeconds: port.affinitySeconds,
                sourceRanges: frontend.sourceRanges.map(\.description)
            )
        }
        return rows
    }

    private static func ports(_ rules: ServiceSpecification) -> [PortKey: ServiceSpecification.ServicePort] {
        Dictionary(
            rules.servicePorts.map { (PortKey(service: $0.name, transport: $0.transport.description), $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private mutating func compareEndpoints(
        _ before: [PortKey: ServiceSpecification.ServicePort],
        _ after: [PortKey: ServiceSpecification.ServicePort]
    ) {
        for key in Set(before.keys).union(after.keys).sorted() {
            let (old, new) = (before[key]?.usable ?? [], after[key]?.usable ?? [])
            if old == new { continue }
            let (earlier, later) = (Set(old), Set(new))
            endpoints.append(
                Endpoints(
                    service: key.service,
                    transport: key.transport,
                    added: new.filter { !earlier.contains($0) },
                    removed: old.filter { !later.contains($0) },
                    count: new.count
                )
            )
        }
    }
}

extension ServiceSpecification.ServicePort {
    /// The endpoints that some policy may use, each once, in their order.
    fileprivate var usable: [Backend] {
        var seen = Set(cluster)
        return (cluster + local.filter { seen.insert($0).inserted }).sorted { $0.place < $1.place }
    }
}

extension Backend {
    /// Address and port as one number, to compare and sort by.
    var place: UInt64 { UInt64(address.bits) << 16 | UInt64(port) }
}

extension ServiceSpecification.Frontend {
    /// `10.96.0.10:80/TCP`: what no two frontends that packets find have in common.
    var place: String { "\(address):\(port)/\(transport.description.uppercased())" }
}
