internal import Datapath
package import Kubernetes
internal import Services
internal import Wire

/// What `culvert check` shows of a cluster: the frontends it compiles to, and how much there is of everything.
package struct CheckReport: Sendable {
    private let cluster: Cluster
    private let report: CompileReport

    /// The report on a loaded cluster.
    package init(_ cluster: Cluster) {
        self.cluster = cluster
        report = CompileReport(
            cluster.manifests,
            cluster.rules,
            node: cluster.node,
            allocations: cluster.allocations,
            masqueradeAll: cluster.configuration.proxy.masqueradeAll,
            hasPodCIDR: cluster.configuration.cluster.podCIDR != nil
        )
    }

    /// What is legal and hardly meant; the loading has warnings of its own.
    package var warnings: [ManifestFault] { report.warnings + dnsOwners }

    /// The Service that takes the address of the cluster's DNS from Culvert.
    private var dnsOwners: [ManifestFault] {
        guard let address = cluster.configuration.cluster.dnsAddress, cluster.ownDNSAddress == nil else { return [] }
        return cluster.manifests.services.filter { service in
            service.clusterIP.address == address || (service.loadBalancerVIPs + service.externalIPs).contains(address)
        }.map { service in
            ManifestFault(
                severity: .warning,
                file: service.origin?.file ?? "",
                document: service.origin?.document,
                item: service.origin?.item,
                object: service.reference,
                expectation:
                    "\(service.metadata.namespace)/\(service.metadata.name) owns \(address), cluster.dnsAddress: "
                    + "Culvert itself answers no DNS there"
            )
        }
    }

    /// How many backends a row of the narrow table names.
    private static let shownBackends = 3

    /// The frontends as a table, and the totals; `isWide` names all backends and adds columns.
    package func text(isWide: Bool) -> String {
        var header = ["FRONTEND", "KIND", "SERVICE", "POLICY", "BACKENDS", "MASQUERADE", "AFFINITY", "SOURCES"]
        if isWide { header.insert("ID", at: 0) }
        var table = TextTable(header)
        for row in report.rows {
            var cells = [
                (row.address ?? "<none>") + "/" + row.transport.uppercased() + (row.isAllocated ? "+" : ""),
                row.kind.word, row.servicePort.name,
                row.isLocalPolicy ? "Local" : "Cluster", backends(row, isWide: isWide), row.masquerade.rawValue,
                row.servicePort.affinitySeconds > 0 ? "\(row.servicePort.affinitySeconds)s" : "",
                row.sourceRanges.isEmpty ? "<any>" : row.sourceRanges.joined(separator: ","),
            ]
            if isWide { cells.insert("\(row.servicePort.identifier)", at: 0) }
            table.add(cells)
        }
        let tableText = report.rows.isEmpty ? "No frontends.\n" : table.text
        return tableText + "\n" + totals
    }

    /// `10.244.1.5:8080*,10.244.2.7:8080`, or in brackets what becomes of a connection without one.
    private func backends(_ row: CompileReport.Row, isWide: Bool) -> String {
        if let empty = row.emptyVerdict { return "<\(empty.verdict.word) \(empty.reason.id)>" }
        let names = row.backends.map { "\($0.address):\($0.port)\($0.isLocal ? "*" : "")" }
        guard !isWide, names.count > Self.shownBackends else { return names.joined(separator: ",") }
        let shown = names.prefix(Self.shownBackends).joined(separator: ",")
        return "\(shown) + \(names.count - Self.shownBackends) more..."
    }

    private var totals: String {
        let totals = report.totals
        var lines = [
            "\(totals.frontends) frontends, \(totals.servicePorts) service ports, \(totals.backends) backends, "
                + "\(totals.localBackends) of them on \(cluster.node.name) (*)",
            "loaded: \(totals.services) Service, \(totals.endpointSlices) EndpointSlice, \(totals.endpoints) Endpoints, "
                + "\(totals.pods) Pod, \(totals.nodes) Node",
        ]
        if cluster.allocations.count > 0 {
            lines.insert("addresses and ports given by Culvert (+): \(cluster.allocations.count)", at: 1)
        }
        lines = healthChecks.map(line) + lines
        if !totals.skipped.isEmpty {
            lines.append("skipped: " + totals.skipped.map { "\($0.count) \($0.kind)" }.joined(separator: ", "))
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private var healthChecks: [HealthCheck] { HealthCheck.all(in: cluster.manifests, cluster.rules) }

    private func isAllocated(_ check: HealthCheck) -> Bool {
        cluster.allocations.healthCheckNodePorts[check.service] != nil
    }

    private func line(_ check: HealthCheck) -> String {
        let count = check.localEndpoints == 1 ? "1 endpoint" : "\(check.localEndpoints) endpoints"
        return "health check of \(check.service) on port \(check.port)\(isAllocated(check) ? "+" : ""): "
            + "\(check.localEndpoints > 0 ? 200 : 503), \(count) on \(cluster.node.name)"
    }

    /// The same as one object; the keys are those of events where they mean the same.
    ///
    /// - `node`: `name`, `zone`, `addresses`, `nodePortAddresses`.
    /// - `frontends`, one for each row: `service`, `frontend` (its kind), `address` (null until a ClusterIP is
    ///   allocated), `protocol`, `policy`, `backends` (each `backend` and whether it is `local`), `verdict` and `reason`
    ///   of a new connection where there is no backend (else null), `masquerade` (`always`, `outside`, `node`,
    ///   `never`), `affinitySeconds` (or null), `sourceRanges` (empty: from anywhere), and whether the address or the
    ///   NodePort is `allocated`, that is, given by Culvert.
    /// - `healthChecks`: `service` (`default/web`), `port`, `localEndpoints` (200 if there is one, else 503), and whether the
    ///   port is `allocated`.
    /// - `allocations`: `kind` (`ClusterIP`, `LoadBalancer`, `NodePort`, `HealthCheckNodePort`), `owner` and `value`.
    /// - `totals`, numbers; `skipped`, a number for each kind; `warnings`, a text each.
    package var json: JSONValue {
        .object([
            ("node", nodeJSON), ("frontends", .array(report.rows.map(rowJSON))),
            ("healthChecks", .array(healthChecks.map(healthCheckJSON))),
            ("allocations", allocationsJSON), ("totals", totalsJSON),
            ("skipped", .object(report.totals.skipped.map { ($0.kind, .number($0.count)) })),
            ("warnings", .array((cluster.manifests.warnings + warnings).map { .string($0.description) })),
        ])
    }

    private var nodeJSON: JSONValue {
        .object([
            ("name", .string(cluster.node.name)), ("zone", .optional(cluster.node.zone)),
            ("addresses", .array(cluster.node.addresses.map { .string($0.description) })),
            ("nodePortAddresses", .array(cluster.node.nodePortAddresses.map { .string($0.description) })),
        ])
    }

    private var allocationsJSON: JSONValue {
        .array(
            AllocationListing(cluster.allocations).items.map {
                .object([("kind", .string($0.kind)), ("owner", .string($0.owner)), ("value", .string($0.value))])
            }
        )
    }

    private func healthCheckJSON(_ check: HealthCheck) -> JSONValue {
        .object([
            ("service", .string(check.service.description)), ("port", .number(Int(check.port))),
            ("localEndpoints", .number(check.localEndpoints)), ("allocated", .bool(isAllocated(check))),
        ])
    }

    private var totalsJSON: JSONValue {
        let totals = report.totals
        return .object([
            ("frontends", .number(totals.frontends)), ("servicePorts", .number(totals.servicePorts)),
            ("backends", .number(totals.backends)), ("localBackends", .number(totals.localBackends)),
            ("services", .number(totals.services)), ("endpointSlices", .number(totals.endpointSlices)),
            ("endpoints", .number(totals.endpoints)), ("pods", .number(totals.pods)), ("nodes", .number(totals.nodes)),
        ])
    }

    private func rowJSON(_ row: CompileReport.Row) -> JSONValue {
        .object([
            ("service", .string(row.servicePort.name)), ("frontend", .string(row.kind.word)),
            ("address", .optional(row.address)), ("protocol", .string(row.transport)),
            ("policy", .string(row.isLocalPolicy ? "Local" : "Cluster")),
            (
                "backends",
                .array(
                    row.backends.map {
                        .object([("backend", .string("\($0.address):\($0.port)")), ("local", .bool($0.isLocal))])
                    }
                )
            ),
            ("verdict", .optional(row.emptyVerdict?.verdict.word)), ("reason", .optional(row.emptyVerdict?.reason.id)),
            ("masquerade", .string(row.masquerade.rawValue)),
            (
                "affinitySeconds",
                row.servicePort.affinitySeconds > 0 ? .number(Int(row.servicePort.affinitySeconds)) : .null
            ),
            ("sourceRanges", .array(row.sourceRanges.map { .string($0) })), ("allocated", .bool(row.isAllocated)),
        ])
    }
}
