import Wire

// The ClusterIPs of a Service and their families (`ValidateServiceClusterIPsRelatedFields` of pkg/apis/core/validation).
extension ServiceDecoding {
    static func clusterIPs(_ spec: Fields, _ service: inout Service) {
        let decoder = spec.decoder
        service.ipFamilyPolicy = spec.word(.ipFamilyPolicy)
        service.ipFamilies = spec.strings(.ipFamilies) { _, text in
            if let family = IPFamily(rawValue: text) { return family }
            decoder.fault(Quoting.quoted(text), "is not IPv4 or IPv6")
            return nil
        }
        let primary = spec.text(.clusterIP)
        let all: [(text: String, value: ClusterIP?)] = spec.strings(.clusterIPs) { _, text in
            if text.isEmpty { decoder.fault("\"\"", "is not an IP address") }
            return (text, text.isEmpty ? nil : clusterIP(text, spec, &service))
        }
        let first = decoder.at(.clusterIP) { primary.flatMap { clusterIP($0, spec, &service) } }
        let values = all.compactMap(\.value) + [first].compactMap(\.self)
        service.clusterIP = values.first { $0.address != nil || $0 == .headless } ?? values.first ?? .unassigned
        if service.type == .externalName { return checkNone(spec, service) }
        families(spec, service, values: all.map(\.value))
        decoder.at(.clusterIPs) {
            if all.count > 2 { decoder.fault("has more than two entries") }
            if let head = all.first?.text {
                if let primary, head != primary {
                    decoder.fault(Quoting.quoted(head), "stands first, but clusterIP is \(Quoting.quoted(primary))")
                } else if primary == nil {
                    decoder.fault("must be empty where clusterIP is")
                }
            }
            if values.contains(.headless), values.contains(where: { $0 != .headless }) {
                decoder.fault("\"None\" cannot stand beside addresses")
            }
        }
        if service.clusterIP == .headless, service.type == .nodePort || service.type == .loadBalancer {
            decoder.at(.clusterIP) {
                decoder.fault("\"None\"", "is not possible for a Service of type \(service.type.rawValue)")
            }
        }
    }

    /// What a name has no use for.
    private static func checkNone(_ spec: Fields, _ service: Service) {
        let decoder = spec.decoder
        func refuse(_ name: FieldName) {
            decoder.at(name) { decoder.fault("is not possible for a Service of type ExternalName") }
        }
        if spec.text(.clusterIP) != nil { refuse(.clusterIP) }
        if !spec.isEmpty(.clusterIPs) { refuse(.clusterIPs) }
        if !spec.isEmpty(.ipFamilies) { refuse(.ipFamilies) }
        if service.ipFamilyPolicy != nil { refuse(.ipFamilyPolicy) }
    }

    /// Families against each other, against the addresses and against the policy.
    private static func families(_ spec: Fields, _ service: Service, values: [ClusterIP?]) {
        let decoder = spec.decoder
        let families = service.ipFamilies
        if families.count > 2 || families.count == 2 && families[0] == families[1] {
            decoder.at(.ipFamilies) { decoder.fault("has more than one entry of a family") }
        }
        if families == [.ipv6] {
            decoder.at(.ipFamilies) { decoder.warn("the Service is IPv6 only, which is ignored") }
        }
        let found = values.map { value -> IPFamily? in
            switch value {
            case .address: .ipv4
            case .ipv6Only: .ipv6
            default: nil
            }
        }
        if found.count == 2, let family = found[0], family == found[1] {
            decoder.at(.clusterIPs) {
                decoder.fault("has two \(family.rawValue) addresses; there can be one of each family")
            }
        }
        for (index, family) in found.enumerated().prefix(families.count) {
            guard let family, families[index] != family else { continue }
            decoder.at(.clusterIPs) {
                decoder.at(index: index) {
                    let text =
                        "is an \(family.rawValue) address, but spec.ipFamilies[\(index)] is \(families[index].rawValue)"
                    decoder.fault(text)
                }
            }
        }
        if service.ipFamilyPolicy == .singleStack, max(values.count, families.count) > 1 {
            decoder.at(.ipFamilyPolicy) { decoder.fault("\"SingleStack\"", "is not possible with two families") }
        }
    }

    /// Reads the ClusterIP at hand.
    private static func clusterIP(_ text: String, _ spec: Fields, _ service: inout Service) -> ClusterIP? {
        let decoder = spec.decoder
        if text == "None" { return .headless }
        switch decoder.address(text) {
        case .ipv4(let address):
            guard service.type != .externalName else { return .address(address) }
            // Where blocks are known, the address is held against them when all objects are (`Conflicts`).
            if decoder.rules.serviceCIDR == nil, let use = address.specialUse { decoder.fault(text, "is \(use)") }
            return .address(address)
        case .ipv6(let text):
            if !service.ignoredIPv6.contains(where: { $0.value == text }) {
                service.ignoredIPv6.append(decoder.ignoredIPv6(text))
            }
            return .ipv6Only
        case nil: return nil
        }
    }
}
