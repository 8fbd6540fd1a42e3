import Wire

/// Decodes EndpointSlices; the rules are those of `pkg/apis/discovery/validation` in Kubernetes 1.36.
enum EndpointSliceDecoding {
    static let objectFields: [FieldName] = [.apiVersion, .kind, .metadata, .addressType, .endpoints, .ports]
    private static let endpointFields: [FieldName] = [
        .addresses, .conditions, .hostname, .nodeName, .zone, .hints, .targetRef, .deprecatedTopology, .topology,
    ]
    /// The limits of the API: endpoints of a slice, ports of a slice, addresses of an endpoint, hints of a kind.
    private static let maximum = (endpoints: 1000, ports: 20_000, addresses: 100, hints: 8)

    static func slice(_ fields: Fields) -> EndpointSlice? {
        let decoder = fields.decoder
        guard let metadata = fields.metadata(kind: EndpointSlice.kind, name: .subdomain, annotations: true) else {
            return nil
        }
        let type: AddressType? = fields.word(.addressType)
        if !fields.has(.addressType) { decoder.at(.addressType) { decoder.fault("is missing: IPv4, IPv6 or FQDN") } }
        var slice = EndpointSlice(metadata: metadata, addressType: type ?? .ipv4, origin: decoder.origin)
        slice.ports = EndpointPortDecoding.ports(fields, ofSlice: true)
        if slice.ports.count > maximum.ports {
            decoder.at(.ports) { decoder.fault("has more than \(maximum.ports) entries") }
        }
        let endpoints = fields.mappings(.endpoints, known: endpointFields) { _, entry in endpoint(entry, type: type) }
        if let node = fields.value(.endpoints), decoder.tree.count(node) > maximum.endpoints {
            decoder.at(.endpoints) {
                decoder.fault(
                    "\(decoder.tree.count(node))",
                    "endpoints are more than the \(maximum.endpoints) of a slice"
                )
            }
        }
        if let type, type != .ipv4 {
            decoder.at(.addressType) { decoder.warn(Quoting.quoted(type.rawValue), "means that the slice is ignored") }
        } else {
            slice.endpoints = endpoints
            duplicates(endpoints, decoder)
        }
        return slice
    }

    private static func endpoint(_ fields: Fields, type: AddressType?) -> Endpoint? {
        let decoder = fields.decoder
        let count = fields.value(.addresses).map { decoder.tree.count($0) } ?? 0
        if !fields.has(.addresses) || count == 0 { decoder.at(.addresses) { decoder.fault("is missing") } }
        if count > maximum.addresses {
            decoder.at(.addresses) { decoder.fault("\(count)", "addresses are more than \(maximum.addresses)") }
        } else if count > 1, type == .ipv4 {
            decoder.at(.addresses) { decoder.warn("only the first of several addresses is used") }
        }
        let addresses = fields.strings(.addresses) { _, text in address(text, type: type, decoder) }
        var endpoint = Endpoint(addresses: addresses)
        fields.mapping(.conditions, known: [.ready, .serving, .terminating]) { conditions in
            endpoint.conditions = EndpointConditions(
                ready: conditions.bool(.ready),
                serving: conditions.bool(.serving),
                terminating: conditions.bool(.terminating)
            )
        }
        endpoint.nodeName = fields.text(.nodeName, .subdomain)
        endpoint.hostname = fields.text(.hostname, .label)
        endpoint.zone = fields.text(.zone)
        fields.mapping(.hints, known: [.forZones, .forNodes]) { hints in
            endpoint.zoneHints = names(.forZones, .qualified, hints)
            endpoint.nodeHints = names(.forNodes, .subdomain, hints)
        }
        endpoint.targetName = EndpointPortDecoding.targetName(fields)
        return addresses.isEmpty ? nil : endpoint
    }

    /// The names of a list of hints; nil where there is none.
    private static func names(_ field: FieldName, _ form: NameForm, _ hints: Fields) -> [String]? {
        guard hints.has(field) else { return nil }
        let decoder = hints.decoder
        var seen: Set<String> = []
        let names = hints.mappings(field, known: [.name]) { _, hint -> String? in
            if !hint.has(.name) { decoder.at(.name) { decoder.fault("is missing") } }
            guard let name = hint.text(.name, form) else { return nil }
            if !seen.insert(name).inserted {
                decoder.at(.name) { decoder.fault(Quoting.quoted(name), "stands there twice") }
            }
            return name
        }
        if names.count > maximum.hints {
            decoder.at(field) { decoder.fault("\(names.count)", "hints are more than \(maximum.hints)") }
        }
        return names
    }

    /// Reads the address at hand, which is to be of the slice's type.
    private static func address(_ text: String, type: AddressType?, _ decoder: ObjectDecoder) -> IPv4Address? {
        if type == .fqdn {
            if !NameForm.subdomain.accepts(text) {
                decoder.fault(Quoting.quoted(text), "is not \(NameForm.subdomain.description)")
            }
            return nil
        }
        switch decoder.destination(text) {
        case .ipv4(let address):
            if type == .ipv6 { decoder.fault(text, "is an IPv4 address, but addressType is IPv6") }
            return address
        case .ipv6:
            if type == .ipv4 { decoder.fault(Quoting.quoted(text), "is an IPv6 address, but addressType is IPv4") }
            return nil
        case nil: return nil
        }
    }

    private static func duplicates(_ endpoints: [Endpoint], _ decoder: ObjectDecoder) {
        var owners: [IPv4Address: Int] = [:]
        for (index, endpoint) in endpoints.enumerated() {
            guard let address = endpoint.addresses.first else { continue }
            guard let owner = owners.updateValue(index, forKey: address) else { continue }
            owners[address] = owner
            decoder.at(.endpoints) {
                decoder.at(index: index) { decoder.warn("\(address)", "is already that of endpoints[\(owner)]") }
            }
        }
    }
}
