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
        guard let metadata = fields.metadata(kind: Service.kind, name: .label, annotations: true) else {
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
        healthCheck(spec, &service)
    }

    /// `healthCheckNodePort` is of use for what asks nodes whether they have endpoints.
    private static func healthCheck(_ spec: Fields, _ service: inout Service) {
        guard let port = spec.port(.healthCheckNodePort, zeroIsNone: true) else { return }
        service.healthCheckNodePort = port
        let decoder = spec.decoder
        decoder.at(.healthCheckNodePort) {
            let range = decoder.rules.nodePortRange
            if service.type != .loadBalancer {
                decoder.fault("\(port)", "is not possible for a Service of type \(service.type.rawValue)")
            } else if service.externalTrafficPolicy != .local {
                // An API server refuses it; kube-proxy takes such a Service, and only has nothing to do.
                decoder.warn("\(port)", "is of no use without externalTrafficPolicy: Local")
            } else if !range.contains(port) {
                decoder.fault("\(port)", "is outside \(range.lowerBound)-\(range.upperBound)")
            }
        }
    }
}
