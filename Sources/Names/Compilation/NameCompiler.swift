package import Datapath
package import Kubernetes
internal import Wire

/// Compiles the names of a cluster: the records of the Kubernetes DNS specification 1.1.0 (kubernetes/dns,
/// docs/specification.md), with the names of CoreDNS where that leaves them open (docs/names.md).
///
/// The result depends on the set alone: objects come sorted by namespace and name, endpoints are sorted by address.
package struct NameCompiler: ~Copyable {
    private typealias Name = NameTableBuilder.Name

    private var builder: NameTableBuilder
    private var reverse: ReverseZones
    private let endpoints: HeadlessEndpoints
    /// The names `NAMESPACE.svc.DOMAIN`.
    private var namespaces: [String: Name] = [:]
    /// The name `svc.DOMAIN`.
    private let services: Name
    /// The name `pod.DOMAIN`.
    private let pods: Name

    /// The names of a set; none for a domain that is no DNS name.
    package static func compile(_ set: ManifestSet, _ settings: NameSettings, seed: UInt64) -> NameTable {
        guard var compiler = NameCompiler(set, settings, seed: seed) else { return .empty }
        for service in set.services { compiler.add(service) }
        // Namespaces exist by what is in them.
        for slice in set.endpointSlices { _ = compiler.namespace(slice.metadata.namespace) }
        for object in set.endpoints { _ = compiler.namespace(object.metadata.namespace) }
        for pod in set.pods { _ = compiler.namespace(pod.metadata.namespace) }
        return compiler.finish()
    }

    private init?(_ set: ManifestSet, _ settings: NameSettings, seed: UInt64) {
        var builder = NameTableBuilder(seed: seed)
        guard let zone = builder.path(settings.domain), let server = builder.path("ns.dns", below: zone),
            let mailbox = builder.mention("hostmaster", below: zone), let services = builder.name("svc", below: zone),
            let pods = builder.name("pod", below: zone), let version = builder.name("dns-version", below: zone),
            let text = DNSLabel("1.1.0"),
            let reverse = ReverseZones(settings.blocks, server: server, mailbox: mailbox, &builder)
        else { return nil }
        builder.makeZone(zone, server: server, mailbox: mailbox)
        builder.add(.address(settings.dnsAddress), to: server)
        builder.add(.text(text), to: version)
        self.builder = builder
        self.reverse = reverse
        self.services = services
        self.pods = pods
        endpoints = HeadlessEndpoints(set)
    }

    private consuming func finish() -> NameTable { builder.finish() }

    private mutating func namespace(_ name: String) -> Name? {
        if let known = namespaces[name] { return known }
        guard let services = builder.name(name, below: services), let pods = builder.name(name, below: pods) else {
            return nil
        }
        builder.servePods(below: pods)
        namespaces[name] = services
        return services
    }

    private mutating func add(_ service: Service) {
        guard let namespace = namespace(service.metadata.namespace) else { return }
        if service.isHeadless && !service.isIPv6Only {
            addHeadless(service, below: namespace)
            return
        }
        guard let name = builder.name(service.metadata.name, below: namespace) else { return }
        if service.type == .externalName {
            addAlias(service, name)
            return
        }
        // Without an address, or with one of IPv6 only, the name exists and has no A record.
        guard let address = service.clusterIP.address else { return }
        builder.add(.address(address), to: name)
        if let pointer = reverse.name(of: address, &builder) { builder.add(.pointer(name), to: pointer) }
        for port in service.ports {
            guard let place = portName(port.name, port.transport, below: name) else { continue }
            builder.add(.service(port: port.port, target: name), to: place)
        }
    }

    private mutating func addAlias(_ service: Service, _ name: Name) {
        guard let external = service.externalName else { return }
        let target = external.hasSuffix(".") ? external.dropLast() : external[...]
        // Labels of an external name have no limit in Kubernetes; one that DNS cannot say gives no record.
        if let target = builder.mention(target) { builder.add(.alias(target), to: name) }
    }

    /// A headless Service has the names of its ready endpoints; without any it has no name at all (specification 2.4.1).
    private mutating func addHeadless(_ service: Service, below namespace: Name) {
        let ready = endpoints.ready(of: service)
        guard !ready.isEmpty, let name = builder.name(service.metadata.name, below: namespace) else { return }
        var addresses: Set<IPv4Address> = []
        var names: Set<EndpointName> = []
        var targets: Set<ServiceTarget> = []
        for endpoint in ready {
            guard let target = builder.name(endpoint.label, below: name) else { continue }
            if addresses.insert(endpoint.address).inserted { builder.add(.address(endpoint.address), to: name) }
            if names.insert(EndpointName(name: target, address: endpoint.address)).inserted {
                builder.add(.address(endpoint.address), to: target)
                if let pointer = reverse.name(of: endpoint.address, &builder) {
                    builder.add(.pointer(target), to: pointer)
                }
            }
            for port in endpoint.ports {
                guard let place = portName(port.name, port.transport, below: name),
                    targets.insert(ServiceTarget(place: place, port: port.number, target: target)).inserted
                else { continue }
                builder.add(.service(port: port.number, target: target), to: place)
            }
        }
    }

    private struct EndpointName: Hashable {
        var name: UInt32
        var address: IPv4Address
    }

    private struct ServiceTarget: Hashable {
        var place: UInt32
        var port: UInt16
        var target: UInt32
    }

    /// `_PORT._PROTOCOL` below a Service; nil for a port without a name.
    private mutating func portName(
        _ port: String,
        _ transport: Kubernetes.TransportProtocol,
        below service: Name
    ) -> Name? {
        guard !port.isEmpty else { return nil }
        let label =
            switch transport {
            case .tcp: "_tcp"
            case .udp: "_udp"
            case .sctp: "_sctp"
            }
        return builder.name(label, below: service).flatMap { builder.name("_" + port, below: $0) }
    }
}
