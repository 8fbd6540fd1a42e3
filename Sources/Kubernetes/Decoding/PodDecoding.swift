import Wire

/// Decodes Pods.
///
/// Their unknown fields are not warned of: Pods hold much that Culvert has no use for.
enum PodDecoding {
    static func pod(_ fields: Fields) -> Pod? {
        guard let metadata = fields.metadata(kind: Pod.kind, name: .subdomain) else { return nil }
        var pod = Pod(metadata: metadata, origin: fields.decoder.origin)
        fields.mapping(.spec, known: []) { spec($0, &pod) }
        fields.mapping(.status, known: []) { status($0, &pod) }
        return pod
    }

    private static func spec(_ spec: Fields, _ pod: inout Pod) {
        pod.nodeName = spec.text(.nodeName, .subdomain)
        pod.hostNetwork = spec.bool(.hostNetwork) ?? false
        pod.hostname = spec.text(.hostname, .label)
        pod.subdomain = spec.text(.subdomain, .label)
        let isHost = pod.hostNetwork
        let ports = spec.mappings(.containers, known: []) { _, container in Self.ports(container, hostNetwork: isHost) }
        let initPorts = spec.mappings(.initContainers, known: []) { _, container in
            container.text(.restartPolicy) == "Always" ? Self.ports(container, hostNetwork: isHost) : nil
        }
        pod.ports = (ports + initPorts).flatMap(\.self)
        hostPorts(pod, spec.decoder)
    }

    /// One port of the node leads to one port of the pod (`checkHostPortConflicts`).
    private static func hostPorts(_ pod: Pod, _ decoder: ObjectDecoder) {
        struct HostPort: Hashable {
            var port: UInt16
            var transport: TransportProtocol
            var address: IPv4Address?
        }
        var seen: Set<HostPort> = []
        for port in pod.ports {
            guard let number = port.hostPort else { continue }
            if seen.insert(HostPort(port: number, transport: port.transport, address: port.hostIP)).inserted {
                continue
            }
            decoder.at(.containers) {
                decoder.fault("hostPort \(number)/\(port.transport.rawValue)", "stands there twice")
            }
        }
    }

    private static func ports(_ container: Fields, hostNetwork: Bool) -> [ContainerPort] {
        let decoder = container.decoder
        var names: Set<String> = []
        return container.mappings(.ports, known: []) { _, entry in
            if !entry.has(.containerPort) { decoder.at(.containerPort) { decoder.fault("is missing") } }
            let name = entry.text(.name, .portName)
            if let name, !names.insert(name).inserted {
                decoder.at(.name) { decoder.fault(Quoting.quoted(name), "is already that of another port") }
            }
            let transport: TransportProtocol? = entry.word(.protocol)
            let hostPort = entry.port(.hostPort, zeroIsNone: true)
            guard let number = entry.port(.containerPort) else { return nil }
            var port = ContainerPort(containerPort: number)
            port.name = name ?? ""
            port.transport = transport ?? .tcp
            // The API server fills this in for pods in the node's network (core/v1 setHostPortDefaults).
            port.hostPort = hostPort ?? (hostNetwork ? number : nil)
            if hostNetwork, let hostPort, hostPort != number {
                decoder.at(.hostPort) { decoder.fault("\(hostPort)", "is not \(number), though hostNetwork is true") }
            }
            guard let text = entry.text(.hostIP) else { return port }
            switch decoder.at(.hostIP, { decoder.address(text) }) {
            // 0.0.0.0 is written for "all addresses".
            case .ipv4(let address): port.hostIP = address == .any ? nil : address
            // Such a port exists on IPv6 only, "::" apart.
            case .ipv6(let text): port.hostPort = text == "::" ? port.hostPort : nil
            case nil: break
            }
            return port
        }
    }

    private static func status(_ status: Fields, _ pod: inout Pod) {
        let decoder = status.decoder
        pod.phase = status.word(.phase)
        var addresses = status.mappings(.podIPs, known: []) { _, entry in
            entry.text(.ip).flatMap { ipv4($0, .ip, decoder) }
        }
        if addresses.isEmpty, let text = status.text(.podIP), let address = ipv4(text, .podIP, decoder) {
            addresses = [address]
        }
        if addresses.count > 1 { decoder.at(.podIPs) { decoder.fault("has more than one IPv4 address") } }
        pod.podIP = addresses.first
        let ready = status.mappings(.conditions, known: []) { _, condition -> Bool? in
            condition.text(.type) == "Ready" ? condition.text(.status) == "True" : nil
        }
        pod.ready = ready.first
    }

    /// An address that packets can be sent to; a cluster makes no endpoint of another one (`ValidateEndpointIP`).
    private static func ipv4(_ text: String, _ name: FieldName, _ decoder: ObjectDecoder) -> IPv4Address? {
        decoder.at(name) {
            guard case .ipv4(let address) = decoder.address(text) else { return nil }
            guard let use = address.specialUse else { return address }
            decoder.warn(text, "is \(use): nothing is sent to the pod")
            return nil
        }
    }
}
