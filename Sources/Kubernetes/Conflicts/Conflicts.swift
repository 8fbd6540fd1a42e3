import Wire

/// What single objects cannot show: claims of several objects to one thing, and references to nothing.
///
/// Each check walks the sorted set, so that findings do not depend on the order of files. A thing that several claim is
/// reported at the last of its owners, and the message names the others.
enum Conflicts {
    /// All findings; what an object misses is looked for only if the set is complete, none having been thrown away.
    static func find(in set: ManifestSet, rules: ClusterRules, isComplete: Bool) -> [ManifestFault] {
        var result = duplicateObjects(set)
        result += outsiders(set, rules)
        result += AddressClaims.find(in: set, rules: rules)
        result += PortClaims.find(in: set, rules: rules)
        result += PrefixOverlaps.find(in: set, rules: rules)
        result += ExternalNameLoops.find(in: set, rules: rules)
        result += EndpointChecks(set.services, rules: rules).findings(set, isComplete: isComplete)
        return result
    }

    private static func duplicateObjects(_ set: ManifestSet) -> [ManifestFault] {
        func duplicates<Object: ClusterObject>(_ objects: [Object]) -> [ManifestFault] {
            zip(objects, objects.dropFirst()).compactMap { first, second in
                guard first.reference == second.reference else { return nil }
                return ManifestFault(
                    .error,
                    of: second,
                    field: nil,
                    expectation: "\(second.reference) is already in \(place(first))"
                )
            }
        }
        return duplicates(set.services) + duplicates(set.endpointSlices) + duplicates(set.endpoints)
            + duplicates(set.nodes) + duplicates(set.pods) + duplicates(set.serviceCIDRs)
    }

    /// ClusterIPs that lie neither in the configured block nor in that of a ServiceCIDR, or where none is given: at the ends of it.
    private static func outsiders(_ set: ManifestSet, _ rules: ClusterRules) -> [ManifestFault] {
        guard rules.serviceCIDR != nil else { return [] }
        let blocks = rules.serviceBlocks.map(\.description).joined(separator: ", ")
        return set.services.compactMap { service in
            guard service.type != .externalName, let address = service.clusterIP.address else { return nil }
            let problem: String
            if let block = rules.serviceBlock(of: address) {
                guard block.isEnd(address) else { return nil }
                problem = "is the first or last address of \(block), which no Service gets"
            } else {
                problem = "is outside the Service addresses \(blocks)"
            }
            return ManifestFault(
                .error,
                of: service,
                field: "spec.clusterIP",
                value: "\(address)",
                expectation: problem
            )
        }
    }

    private static func place(_ object: some ClusterObject) -> String { object.origin?.description ?? "the set" }

    /// An owner as messages name it: `Service default/a (a.yaml: document 1)`.
    static func name(_ object: some ClusterObject) -> String { "\(object.reference) (\(place(object)))" }

    /// How many owners a message names.
    static let maximumNames = 5

    /// The first few of some owners that are not `object`.
    static func others<Object: ClusterObject>(than object: Object, among owners: [Object]) -> [Object] {
        Array(owners.prefix(64).lazy.filter { $0.reference != object.reference }.prefix(maximumNames))
    }

    /// Some owners in one sentence, the first few by name.
    static func names(_ owners: some Collection<some ClusterObject>) -> String {
        let shown = owners.prefix(maximumNames).map(name).joined(separator: ", ")
        return owners.count > maximumNames ? "\(shown) and \(owners.count - maximumNames) more" : shown
    }
}

/// Who claims what, in the order of the claims.
struct Claims<Key: Hashable, Owner> {
    private(set) var owners: [Key: [Owner]] = [:]
    private var order: [Key] = []

    mutating func add(_ owner: Owner, to key: Key) {
        if owners[key, default: []].isEmpty { order.append(key) }
        owners[key, default: []].append(owner)
    }

    /// What more than one claims.
    var disputed: [(key: Key, owners: [Owner])] {
        order.compactMap { key in
            guard let owners = owners[key], owners.count > 1 else { return nil }
            return (key, owners)
        }
    }
}

extension IPv4Prefix {
    /// Whether an address is the network's own or that of all its hosts (pkg/registry/core/service/ipallocator).
    fileprivate func isEnd(_ address: IPv4Address) -> Bool {
        guard length <= 30 else { return false }
        let host = UInt32.max >> UInt32(length)
        return address.bits & host == 0 || address.bits & host == host
    }
}
