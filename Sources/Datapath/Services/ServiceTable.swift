internal import Tables
package import Wire

/// The compiled service rules: an immutable snapshot that new flows are balanced by.
///
/// Theory of operation: one map from (address, port, protocol) to a frontend, one from addresses to what they are. A
/// frontend has in one cache line all that decides about a new flow, and the endpoints of a set lie side by side, so that a
/// choice is an index: three lines are read, which the pipeline asks for a batch ahead (Stages/Anticipate.swift). A reload
/// builds a new table and hands it over; nothing in here changes after `init`.
package final class ServiceTable: Sendable {
    let frontendIndex: StaticMap
    let addressIndex: StaticMap
    let frontends: FixedArray<Frontend>
    let servicePorts: FixedArray<ServicePort>
    let backends: FixedArray<Backend>
    let sourceRanges: FixedArray<IPv4Prefix>
    /// Blocks of ClusterIPs besides the configured one.
    private let serviceBlocks: FixedArray<IPv4Prefix>
    /// How backends are chosen.
    package let algorithm: BalancingAlgorithm
    let maglev: MaglevTables
    /// Every endpoint, for reloads.
    let known: KnownEndpoints
    /// The indices of ServicePorts by their numbers.
    private let portIndex: StaticMap
    var maglevEntryCount: Int { maglev.entryCount }
    /// A bit for each port that a host port takes.
    private let hostPorts: FixedArray<UInt64>
    /// The rules that the table was made from, for those who show it.
    package let specification: ServiceSpecification
    /// The names of the same cluster, so that a reload replaces both at once.
    package let names: NameTable

    /// Lays out the rules; the same rules and seed give the same table.
    ///
    /// What takes long to make is taken from `previous` where nothing about it has changed.
    package init(
        _ specification: ServiceSpecification,
        seed: UInt64,
        algorithm: BalancingAlgorithm = .random,
        names: NameTable = .empty,
        reusing previous: ServiceTable? = nil
    ) {
        precondition(MemoryLayout<Frontend>.stride == 64, "a frontend is one cache line")
        self.algorithm = algorithm
        self.names = names
        self.specification = specification
        // Values are read where they are, by their index: to take one out of its array would count references.
        let given = specification.servicePorts
        var backendCount = 0
        for number in given.indices {
            backendCount += given[number].cluster.count
            if !given[number].sharesSets { backendCount += given[number].local.count }
        }
        // Only a frontend with policy Local chooses from a local set.
        var needsLocal = [Bool](repeating: false, count: given.count)
        for frontend in specification.frontends where frontend.isLocalPolicy { needsLocal[frontend.servicePort] = true }
        var backends = FixedArray<Backend>(count: backendCount)
        var ports = FixedArray<ServicePort>(count: specification.servicePorts.count)
        var next = 0
        var sets: [MaglevTables.Key] = []
        func place(
            _ set: [Backend],
            _ transport: TransportProtocol,
            in backends: inout FixedArray<Backend>,
            isUsed: Bool = true
        ) -> EndpointSet {
            let first = next
            var table = EndpointSet.noTable
            if case .maglev(let size) = algorithm, isUsed, set.count > 1, set.count <= size {
                table = UInt32(sets.count)
                sets.append(MaglevTables.Key(backends: set, transport: transport))
            }
            for backend in set {
                backends[next] = backend
                next += 1
            }
            return EndpointSet(first: UInt32(first), count: UInt32(set.count), table: table)
        }
        for number in given.indices {
            let transport = given[number].transport
            let cluster = place(given[number].cluster, transport, in: &backends)
            let isShared = given[number].sharesSets
            let local =
                isShared ? cluster : place(given[number].local, transport, in: &backends, isUsed: needsLocal[number])
            ports[number] = ServicePort(
                identifier: given[number].identifier,
                affinitySeconds: given[number].affinitySeconds,
                cluster: cluster,
                local: local,
                hasAny: given[number].hasAny
            )
        }

        var blocks = FixedArray<IPv4Prefix>(count: specification.serviceBlocks.count)
        for (number, block) in specification.serviceBlocks.enumerated() { blocks[number] = block }
        serviceBlocks = blocks
        let rangeCount = specification.frontends.reduce(0) { $0 + $1.sourceRanges.count }
        var ranges = FixedArray<IPv4Prefix>(count: rangeCount)
        var frontends = FixedArray<Frontend>(count: specification.frontends.count)
        var entries: [(key: UInt64, value: UInt32)] = []
        entries.reserveCapacity(specification.frontends.count)
        var nextRange = 0
        for (number, frontend) in specification.frontends.enumerated() {
            let key = Self.key(frontend.address, frontend.port, frontend.transport)
            frontends[number] = Frontend(
                key: key,
                port: ports[frontend.servicePort],
                servicePort: UInt32(frontend.servicePort),
                firstRange: UInt32(nextRange),
                rangeCount: UInt32(frontend.sourceRanges.count),
                kind: frontend.kind,
                isLocalPolicy: frontend.isLocalPolicy
            )
            for range in frontend.sourceRanges {
                ranges[nextRange] = range
                nextRange += 1
            }
            entries.append((key, UInt32(number)))
        }

        var addresses: [(key: UInt64, value: UInt32)] = []
        addresses.reserveCapacity(specification.clusterIPs.count + specification.externalAddresses.count)
        for address in specification.clusterIPs {
            addresses.append((UInt64(address.bits), AddressKind.clusterIP.rawValue))
        }
        for address in specification.externalAddresses {
            addresses.append((UInt64(address.bits), AddressKind.external.rawValue))
        }
        var hostPorts = FixedArray<UInt64>(count: 1024)
        for port in specification.hostPorts { hostPorts[Int(port >> 6)] |= 1 << UInt64(port & 63) }

        let numbers = given.indices.map { (key: UInt64(given[$0].identifier), value: UInt32($0)) }
        portIndex = StaticMap(numbers, seed: seed ^ 2)
        known = KnownEndpoints(given)
        frontendIndex = StaticMap(entries, seed: seed)
        addressIndex = StaticMap(addresses, seed: seed ^ 1)
        self.frontends = frontends
        self.servicePorts = ports
        self.backends = backends
        self.sourceRanges = ranges
        self.hostPorts = hostPorts
        if case .maglev(let size) = algorithm {
            if let previous {
                maglev = MaglevTables(sets, size: size, reusing: previous.maglev)
            } else {
                maglev = MaglevTables(sets, size: size, reusing: MaglevTables())
            }
        } else {
            maglev = MaglevTables()
        }
    }

    @inline(__always) static func key(_ address: IPv4Address, _ port: UInt16, _ transport: TransportProtocol) -> UInt64
    {
        UInt64(address.bits) << 32 | UInt64(port) << 8 | UInt64(transport.rawValue)
    }

    /// The number of the frontend at an address and port.
    @inline(__always) func frontend(
        _ address: IPv4Address,
        _ port: UInt16,
        _ transport: TransportProtocol
    ) -> UInt32? {
        frontendIndex.lookup(Self.key(address, port, transport))
    }

    /// The same, where `likely`, the number of a frontend or `FrontendHint.none`, probably is the one.
    ///
    /// With several workers it may be of the table before: another one may have taken in the next between hint and question.
    @inline(__always) package func frontend(
        _ address: IPv4Address,
        _ port: UInt16,
        _ transport: TransportProtocol,
        likely: FrontendHint
    ) -> UInt32? {
        let key = Self.key(address, port, transport)
        if let number = likely.number, Int(number) < frontends.count, frontends[number].key == key { return number }
        return frontendIndex.lookup(key)
    }

    /// The index of the ServicePort with a number; nil when there is none any more.
    func servicePort(numbered number: UInt32) -> UInt32? { portIndex.lookup(UInt64(number)) }

    @inline(__always) func kind(of address: IPv4Address) -> AddressKind {
        AddressKind(rawValue: addressIndex.lookup(UInt64(address.bits)) ?? 0)
    }

    /// Whether an address lies in a block of ClusterIPs, the configured one aside.
    func hasServiceBlock(of address: IPv4Address) -> Bool {
        for number in 0..<serviceBlocks.count where serviceBlocks[number].contains(address) { return true }
        return false
    }

    /// Whether a source may use a frontend (service-rules: load-balancer source ranges).
    func admits(_ source: IPv4Address, to frontend: Frontend) -> Bool {
        if frontend.rangeCount == 0 { return true }
        for number in frontend.firstRange..<frontend.firstRange &+ frontend.rangeCount
        where sourceRanges[number].contains(source) {
            return true
        }
        return false
    }

    /// The ports of the node's addresses that host ports take, a bit for each of the 64 that a word stands for.
    func hostPorts(inWord word: Int) -> UInt64 { hostPorts[word] }
}
