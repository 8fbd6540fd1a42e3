import Wire

/// Decodes Endpoints; the rules are those of `pkg/apis/core/validation` (ValidateEndpoints) in Kubernetes 1.36.
enum EndpointsDecoding {
    static let objectFields: [FieldName] = [.apiVersion, .kind, .metadata, .subsets]

    static func endpoints(_ fields: Fields) -> Endpoints? {
        guard let metadata = fields.metadata(kind: Endpoints.kind, name: .subdomain) else { return nil }
        var endpoints = Endpoints(metadata: metadata, origin: fields.decoder.origin)
        endpoints.subsets = fields.mappings(.subsets, known: [.addresses, .notReadyAddresses, .ports]) { _, entry in
            var subset = EndpointSubset()
            subset.addresses = addresses(.addresses, entry)
            subset.notReadyAddresses = addresses(.notReadyAddresses, entry)
            subset.ports = EndpointPortDecoding.ports(entry, ofSlice: false)
            if entry.isEmpty(.addresses), entry.isEmpty(.notReadyAddresses) {
                entry.decoder.fault("has neither addresses nor notReadyAddresses")
            }
            return subset
        }
        return endpoints
    }

    private static func addresses(_ name: FieldName, _ subset: Fields) -> [SubsetAddress] {
        subset.mappings(name, known: [.ip, .hostname, .nodeName, .targetRef]) { _, entry in
            let decoder = entry.decoder
            if !entry.has(.ip) { decoder.at(.ip) { decoder.fault("is missing") } }
            let hostname = entry.text(.hostname, .label)
            let nodeName = entry.text(.nodeName, .subdomain)
            guard let text = entry.string(.ip) else { return nil }
            return decoder.at(.ip) {
                switch decoder.destination(text) {
                case .ipv4(let ipv4):
                    var address = SubsetAddress(address: ipv4)
                    address.hostname = hostname
                    address.nodeName = nodeName
                    address.targetName = EndpointPortDecoding.targetName(entry)
                    return address
                case .ipv6(let text):
                    _ = decoder.ignoredIPv6(text)
                    return nil
                case nil: return nil
                }
            }
        }
    }
}

/// Decodes what EndpointSlices and Endpoints have in common.
enum EndpointPortDecoding {
    private static let referenceFields: [FieldName] = [
        .kind, .namespace, .name, .uid, .apiVersion, .resourceVersion, .fieldPath,
    ]

    /// `ports`; in slices a port that is null means all ports, and names are unique, be they empty; in Endpoints one of several
    /// ports has a name.
    static func ports(_ fields: Fields, ofSlice isSlice: Bool) -> [EndpointPort] {
        let decoder = fields.decoder
        let count = fields.value(.ports).map { decoder.tree.count($0) } ?? 0
        var names: Set<String> = []
        return fields.mappings(.ports, known: [.name, .protocol, .port, .appProtocol]) { _, entry in
            let name = entry.text(.name, .label) ?? ""
            let transport: TransportProtocol? = entry.word(.protocol)
            let number = entry.port(.port)
            if !entry.has(.port) {
                decoder.at(.port) {
                    let text = "is missing, which means all ports: no translation can use it"
                    if isSlice { decoder.warn(text) } else { decoder.fault("is missing") }
                }
            }
            if !isSlice, name.isEmpty, count > 1 {
                decoder.at(.name) { decoder.fault("is missing: there are several ports") }
            }
            if isSlice, !names.insert(name).inserted {
                decoder.at(.name) { decoder.fault(Quoting.quoted(name), "is already that of another port") }
            }
            var port = EndpointPort(name: name, transport: transport ?? .tcp, port: number)
            port.appProtocol = entry.text(.appProtocol, .qualified)
            return port
        }
    }

    /// The name in `targetRef`.
    static func targetName(_ fields: Fields) -> String? {
        fields.mapping(.targetRef, known: referenceFields) { $0.text(.name) } ?? nil
    }
}
