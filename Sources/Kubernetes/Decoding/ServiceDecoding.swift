import Wire

/// Decodes Services; the rules are those of `pkg/apis/core/validation` (ValidateService) in Kubernetes 1.36.
enum ServiceDecoding {
    static let objectFields: [FieldName] = [.apiVersion, .kind, .metadata, .spec, .status]
    static let specFields: [FieldName] = [
        .type, .clusterIP, .clusterIPs, .ports, .selector, .externalIPs, .externalName, .sessionAffinity,
        .sessionAffinityConfig, .externalTrafficPolicy, .internalTrafficPolicy, .loadBalancerIP,
        .loadBalancerSourceRanges, .loadBalancerClass, .allocateLoadBalancerNodePorts, .healthCheckNodePort,
        .publishNotReadyAddresses, .ipFamilies, .ipFamilyPolicy, .trafficDistribution,
    ]

    static func service(_ fields: Fields) -> Service? {
        guard let metadata = fields.metadata(kind: Service.kind, name: .serviceLabel, annotations: true) else {
            return nil
        }
        var service = Service(metadata: metadata, origin: fields.decoder.origin)
        if fields.has(.spec) {
            fields.mapping(.spec, known: specFields) { spec($0, &service) }
        } else {
            fields.decoder.at(.spec) { fields.decoder.fault("is missing") }
        }
        fields.mapping(.status, known: [.loadBalancer, .conditions]) { status($0, &service) }
        return service
    }

    private static func spec(_ spec: Fields, _ service: inout Service) {
        service.type = spec.word(.type) ?? .clusterIP
        service.selector = spec.labels(.selector)
        clusterIPs(spec, &service)
        service.ports = ServicePortDecoding.ports(spec, of: service)
        externalIPs(spec, &service)
        externalName(spec, &service)
        affinity(spec, &service)
        policies(spec, &service)
        loadBalancer(spec, &service)
        service.publishNotReadyAddresses = spec.bool(.publishNotReadyAddresses) ?? false
        service.trafficDistribution = spec.word(.trafficDistribution)
    }

    private static func clusterIPs(_ spec: Fields, _ service: inout Service) {
        let decoder = spec.decoder
        service.ipFamilyPolicy = spec.word(.ipFamilyPolicy)
        service.ipFamilies = spec.strings(.ipFamilies) { _, text in
            if let family = IPFamily(rawValue: text) { return family }
            decoder.fault(Quoting.quoted(text), "is not IPv4 or IPv6")
            return nil
        }
        if service.ipFamilies.count > 2
            || service.ipFamilies.count == 2 && service.ipFamilies[0] == service.ipFamilies[1]
        {
            decoder.at(.ipFamilies) { decoder.fault("has more than one entry of a family") }
        }
        if service.ipFamilies == [.ipv6] {
            decoder.at(.ipFamilies) { decoder.warn("the Service is IPv6 only, which is ignored") }
        }
        let primary = spec.text(.clusterIP)
        let all: [(text: String, value: ClusterIP?)] = spec.strings(.clusterIPs) { _, text in
            (text, text.isEmpty ? nil : clusterIP(text, spec, &service))
        }
        let first = decoder.at(.clusterIP) { primary.flatMap { clusterIP($0, spec, &service) } }
        if all.count > 2 { decoder.at(.clusterIPs) { decoder.fault("has more than two entries") } }
        if let primary, let head = all.first?.text, head != primary {
            decoder.at(.clusterIPs) {
                decoder.fault(Quoting.quoted(head), "stands first, but clusterIP is \(Quoting.quoted(primary))")
            }
        }
        let values = all.compactMap(\.value) + [first].compactMap(\.self)
        service.clusterIP = values.first { $0.address != nil || $0 == .headless } ?? values.first ?? .unassigned
        if values.contains(.headless), values.contains(where: { $0 != .headless }) {
            decoder.at(.clusterIPs) { decoder.fault("\"None\" cannot stand beside addresses") }
        }
        if service.clusterIP == .headless, service.type == .nodePort || service.type == .loadBalancer {
            decoder.at(.clusterIP) {
                decoder.fault("\"None\"", "is not possible for a Service of type \(service.type.rawValue)")
            }
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

    private static func externalIPs(_ spec: Fields, _ service: inout Service) {
        let decoder = spec.decoder
        service.externalIPs = spec.strings(.externalIPs) { _, text in
            switch decoder.destination(text) {
            case .ipv4(let address):
                if let blocks = decoder.rules.externalCIDRs, !blocks.contains(where: { $0.contains(address) }) {
                    decoder.fault(text, "is outside the blocks that the configuration allows for external addresses")
                }
                if decoder.rules.nodeAddresses.contains(address) {
                    decoder.warn(text, "is an address of the node: the Service takes over its ports there")
                }
                return address
            case .ipv6(let text):
                service.ignoredIPv6.append(decoder.ignoredIPv6(text))
                return nil
            case nil: return nil
            }
        }
    }

    private static func externalName(_ spec: Fields, _ service: inout Service) {
        let decoder = spec.decoder
        service.externalName = spec.text(.externalName)
        guard service.type == .externalName else { return }
        if service.clusterIP.address != nil {
            decoder.at(.clusterIP) { decoder.warn("is ignored in a Service of type ExternalName") }
        }
        decoder.at(.externalName) {
            guard let name = service.externalName else {
                return decoder.fault("is missing, though the type is ExternalName")
            }
            let bare = name.hasSuffix(".") ? String(name.dropLast()) : name
            if !NameForm.subdomain.accepts(bare) {
                decoder.fault(Quoting.quoted(name), "is not \(NameForm.subdomain.description)")
            } else if IPv4Address(bare) != nil {
                decoder.warn(Quoting.quoted(name), "is an address: as a DNS name it never resolves")
            }
        }
    }

    private static func affinity(_ spec: Fields, _ service: inout Service) {
        enum Affinity: String, CaseIterable {
            case none = "None"
            case clientIP = "ClientIP"
        }
        let decoder = spec.decoder
        let affinity: Affinity? = spec.word(.sessionAffinity)
        var seconds: Int?
        spec.mapping(.sessionAffinityConfig, known: [.clientIP]) { config in
            config.mapping(.clientIP, known: [.timeoutSeconds]) { client in
                seconds = client.integer(.timeoutSeconds, in: 1...86400)
            }
        }
        // 10800 is the default of the API (core/v1 DefaultClientIPServiceAffinitySeconds).
        if affinity == .clientIP { service.clientIPAffinity = seconds ?? 10800 }
        if spec.has(.sessionAffinityConfig), affinity != .clientIP {
            decoder.at(.sessionAffinityConfig) { decoder.fault("is only possible with sessionAffinity: ClientIP") }
        }
    }

    private static func policies(_ spec: Fields, _ service: inout Service) {
        let external: TrafficPolicy? = spec.word(.externalTrafficPolicy)
        service.externalTrafficPolicy = external ?? .cluster
        service.internalTrafficPolicy = spec.word(.internalTrafficPolicy) ?? .cluster
        let isExternal =
            service.type == .nodePort || service.type == .loadBalancer
            || service.type == .clusterIP && !spec.isEmpty(.externalIPs)
        if external != nil, !isExternal {
            spec.decoder.at(.externalTrafficPolicy) {
                spec.decoder.fault("is only possible for types NodePort and LoadBalancer, and with externalIPs")
            }
        }
        service.healthCheckNodePort = spec.port(.healthCheckNodePort, zeroIsNone: true)
    }
}
