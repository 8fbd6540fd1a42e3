package import Datapath
package import Wire

/// The addresses of the tests, and the small cluster that most of them take place in.
///
/// One node with two addresses, four pods, a Service of every kind. Interfaces are real ones (not notional), so that
/// spoofing is looked for as it is live.
package struct World: Sendable {
    package static let node = IPv4Address(192, 0, 2, 10)
    package static let secondNode = IPv4Address(192, 0, 2, 11)
    /// A pod that only asks.
    package static let client = IPv4Address(10, 244, 2, 5)
    package static let backend = IPv4Address(10, 244, 1, 12)
    package static let otherBackend = IPv4Address(10, 244, 1, 13)
    /// A backend on another node.
    package static let remoteBackend = IPv4Address(10, 245, 0, 9)
    package static let outside = IPv4Address(203, 0, 113, 2)
    package static let outOfRange = IPv4Address(203, 0, 113, 130)
    package static let router = IPv4Address(192, 0, 2, 254)
    package static let vip = IPv4Address(10, 96, 0, 11)
    package static let emptyVIP = IPv4Address(10, 96, 0, 12)
    package static let localVIP = IPv4Address(10, 96, 0, 13)
    package static let unallocated = IPv4Address(10, 96, 77, 77)
    package static let loadBalancer = IPv4Address(198, 51, 100, 10)
    /// Where the datapath itself is the cluster's DNS.
    package static let dns = IPv4Address(10, 96, 0, 54)
    package static let externalIP = IPv4Address(198, 51, 100, 200)

    package static let pods: UInt16 = 0
    package static let host: UInt16 = 1
    package static let uplink: UInt16 = 2

    package var configuration = DatapathConfiguration()
    package var interfaces: [InterfaceTable.Interface]
    package var rules = ServiceSpecification()
    package var names = World.makeNames()

    /// What the rules compile to.
    package var services: ServiceTable { ServiceTable(rules, seed: configuration.seed, names: names) }

    /// The cluster with all its Services.
    package init() {
        let podCIDR = IPv4Prefix(IPv4Address(10, 244, 0, 0), length: 16)
        configuration.nodeAddresses = [World.node, World.secondNode]
        configuration.podCIDR = podCIDR
        configuration.dnsAddress = World.dns
        configuration.serviceCIDR = IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 16)
        configuration.conntrackCapacity = 4096
        interfaces = [
            .init(label: "pods", role: .pod, prefixes: [podCIDR], antiSpoof: true),
            .init(
                label: "host",
                role: .host,
                prefixes: [World.node, World.secondNode, World.dns].map { IPv4Prefix($0, length: 32) }
            ),
            .init(label: "uplink", role: .uplink, prefixes: []),
        ]
        let web = Backend(address: World.backend, port: 8080, isLocal: true)
        let remote = Backend(address: World.remoteBackend, port: 8080, isLocal: false)
        add("default/web:http", [web], [web]) { port, rules in
            rules.frontends += [
                .init(kind: .clusterIP, address: World.vip, port: 80, transport: .tcp, servicePort: port),
                .init(kind: .nodePort, address: World.node, port: 30080, transport: .tcp, servicePort: port),
                .init(
                    kind: .loadBalancer,
                    address: World.loadBalancer,
                    port: 80,
                    transport: .tcp,
                    servicePort: port,
                    sourceRanges: [IPv4Prefix(IPv4Address(203, 0, 113, 0), length: 25)]
                ),
                .init(kind: .externalIP, address: World.externalIP, port: 80, transport: .tcp, servicePort: port),
            ]
        }
        add("default/dns:dns", [Backend(address: World.backend, port: 5353, isLocal: true)], []) { port, rules in
            rules.frontends += [
                .init(kind: .clusterIP, address: World.vip, port: 53, transport: .udp, servicePort: port),
                .init(kind: .nodePort, address: World.node, port: 30053, transport: .udp, servicePort: port),
            ]
        }
        add("default/empty:http", [], [], hasAny: false) { port, rules in
            for transport in [TransportProtocol.tcp, .udp] {
                rules.frontends += [
                    .init(kind: .clusterIP, address: World.emptyVIP, port: 80, transport: transport, servicePort: port),
                    .init(kind: .nodePort, address: World.node, port: 30081, transport: transport, servicePort: port),
                ]
            }
        }
        // Policy Local where the only endpoint is on another node.
        add("default/far:http", [remote], []) { port, rules in
            rules.frontends += [
                .init(
                    kind: .clusterIP,
                    address: World.localVIP,
                    port: 80,
                    transport: .tcp,
                    servicePort: port,
                    isLocalPolicy: true
                ),
                .init(
                    kind: .nodePort,
                    address: World.node,
                    port: 30082,
                    transport: .tcp,
                    servicePort: port,
                    isLocalPolicy: true
                ),
            ]
        }
        // Policy Local with an endpoint here and one elsewhere.
        add("default/near:http", [remote], [web]) { port, rules in
            rules.frontends += [
                .init(
                    kind: .nodePort,
                    address: World.node,
                    port: 30083,
                    transport: .tcp,
                    servicePort: port,
                    isLocalPolicy: true
                ),
                .init(
                    kind: .loadBalancer,
                    address: World.loadBalancer,
                    port: 83,
                    transport: .tcp,
                    servicePort: port,
                    isLocalPolicy: true
                ),
            ]
        }
        // A second way to the same endpoint, for clashes of reply tuples.
        add("default/twin:http", [web], [web]) { port, rules in
            rules.frontends.append(
                .init(kind: .clusterIP, address: World.localVIP, port: 8000, transport: .tcp, servicePort: port)
            )
        }
        rules.clusterIPs = [World.vip, World.emptyVIP, World.localVIP]
        rules.externalAddresses = [World.loadBalancer, World.externalIP]
        rules.hostPorts = [8443]
    }

    /// A zone with some names, one of them with many addresses.
    private static func makeNames() -> NameTable {
        var builder = NameTableBuilder(seed: 7)
        guard let zone = builder.path("cluster.local"), let server = builder.path("ns.dns", below: zone),
            let web = builder.path("web.default.svc", below: zone), let many = builder.path("many.svc", below: zone),
            let mailbox = builder.mention("hostmaster", below: zone)
        else { return .empty }
        builder.makeZone(zone, server: server, mailbox: mailbox)
        builder.add(.address(World.vip), to: web)
        for number in 0..<200 { builder.add(.address(IPv4Address(10, 244, 9, UInt8(number))), to: many) }
        return builder.finish()
    }

    /// Adds a ServicePort; `frontends` gets its index.
    package mutating func add(
        _ name: String,
        _ cluster: [Backend],
        _ local: [Backend],
        hasAny: Bool = true,
        frontends: (Int, inout ServiceSpecification) -> Void
    ) {
        let index = rules.servicePorts.count
        rules.servicePorts.append(
            .init(
                identifier: UInt32(index + 1),
                name: name,
                cluster: cluster,
                local: local,
                hasAny: hasAny
            )
        )
        frontends(index, &rules)
    }

    /// The number of a ServicePort by its name, as packets carry it; 0 for none.
    package func service(_ name: String) -> UInt32 {
        rules.servicePorts.first { $0.name == name }?.identifier ?? 0
    }
}
