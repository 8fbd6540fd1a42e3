import Wire

// The load-balancer half of a Service.
extension ServiceDecoding {
    static func loadBalancer(_ spec: Fields, _ service: inout Service) {
        let decoder = spec.decoder
        if let text = spec.text(.loadBalancerIP) {
            decoder.at(.loadBalancerIP) {
                switch AddressForm(text) {
                case .ipv4(let address): service.loadBalancerIP = address
                case .ipv6: service.ignoredIPv6.append(decoder.ignoredIPv6(text))
                // The API server takes any text here, and leaves it to the cloud provider.
                case .invalid(let reason): decoder.warn(Quoting.quoted(text), "\(reason), and is ignored")
                }
            }
        }
        service.loadBalancerSourceRanges = spec.strings(.loadBalancerSourceRanges) { _, text in decoder.block(text) }
        if !spec.isEmpty(.loadBalancerSourceRanges), service.type != .loadBalancer {
            decoder.at(.loadBalancerSourceRanges) { decoder.fault("is only possible for type LoadBalancer") }
        }
        annotatedRanges(service, hasRanges: !spec.isEmpty(.loadBalancerSourceRanges), decoder)
        service.loadBalancerClass = spec.text(.loadBalancerClass, .qualified)
        if service.loadBalancerClass != nil, service.type != .loadBalancer {
            decoder.at(.loadBalancerClass) { decoder.fault("is only possible for type LoadBalancer") }
        }
        if spec.has(.allocateLoadBalancerNodePorts), service.type != .loadBalancer {
            decoder.at(.allocateLoadBalancerNodePorts) { decoder.fault("is only possible for type LoadBalancer") }
        }
        service.allocateLoadBalancerNodePorts = spec.bool(.allocateLoadBalancerNodePorts) ?? true
    }

    /// The annotation that was there before the field: clouds read it, kube-proxy does not, the API server checks it.
    private static func annotatedRanges(_ service: Service, hasRanges: Bool, _ decoder: ObjectDecoder) {
        let name = "service.beta.kubernetes.io/load-balancer-source-ranges"
        guard let text = service.metadata.annotations[name], !hasRanges else { return }
        decoder.atRoot {
            decoder.at(.metadata) {
                decoder.at(.annotations) {
                    decoder.at(key: name) {
                        if service.type != .loadBalancer {
                            return decoder.fault("is only possible for type LoadBalancer")
                        }
                        for range in text.split(separator: ",") { _ = decoder.block(String(range)) }
                        decoder.warn("is not read by proxies; spec.loadBalancerSourceRanges is")
                    }
                }
            }
        }
    }

    /// A name under which a load balancer is reached; an address belongs in `ip`.
    private static func hostname(_ entry: Fields) -> String? {
        let decoder = entry.decoder
        guard let name = entry.text(.hostname, .subdomain) else { return nil }
        if case .invalid = AddressForm(name) { return name }
        decoder.at(.hostname) { decoder.fault(Quoting.quoted(name), "is an address, not a DNS name") }
        return nil
    }

    static func status(_ status: Fields, _ service: inout Service) {
        let decoder = status.decoder
        status.mapping(.loadBalancer, known: [.ingress]) { balancer in
            if service.type != .loadBalancer, !balancer.isEmpty(.ingress) {
                // kube-proxy serves them whatever the type; an API server has cleared them when the type changed.
                let text = "is left over: a Service of type \(service.type.rawValue) has no load balancer"
                decoder.at(.ingress) { decoder.warn(text) }
            }
            service.loadBalancerIngress = balancer.mappings(
                .ingress,
                known: [.ip, .hostname, .ipMode, .ports]
            ) { _, entry in
                let mode: LoadBalancerIngress.Mode? = entry.word(.ipMode)
                let hostname = hostname(entry)
                guard let text = entry.text(.ip) else {
                    if mode != nil { decoder.at(.ipMode) { decoder.fault("is only possible beside ip") } }
                    return hostname.map { LoadBalancerIngress(address: nil, hostname: $0, mode: mode ?? .vip) }
                }
                if mode == .proxy {
                    decoder.at(.ipMode) { decoder.warn("\"Proxy\"", "means that \(text) is not served here") }
                }
                return decoder.at(.ip) { ingress(text, hostname, mode ?? .vip, decoder, &service) }
            }
        }
    }

    private static func ingress(
        _ text: String,
        _ hostname: String?,
        _ mode: LoadBalancerIngress.Mode,
        _ decoder: ObjectDecoder,
        _ service: inout Service
    ) -> LoadBalancerIngress? {
        switch decoder.destination(text) {
        case .ipv4(let address):
            if mode == .vip, decoder.rules.nodeAddresses.contains(address) {
                decoder.warn(text, "is an address of the node: the Service takes over its ports there")
            }
            return LoadBalancerIngress(address: address, hostname: hostname, mode: mode)
        case .ipv6(let text):
            service.ignoredIPv6.append(decoder.ignoredIPv6(text))
            return nil
        case nil: return nil
        }
    }
}
