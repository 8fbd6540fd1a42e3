/// Decodes `spec.ports` of a Service.
enum ServicePortDecoding {
    static let fields: [FieldName] = [.name, .protocol, .port, .targetPort, .nodePort, .appProtocol]
    /// `ports.KubeletPort` of pkg/cluster/ports.
    private static let kubeletPort: UInt16 = 10250

    static func ports(_ spec: Fields, of service: Service) -> [ServicePort] {
        let decoder = spec.decoder
        let ports = spec.mappings(.ports, known: fields) { index, port in
            ServicePortDecoding.port(port, of: service).map { (index: index, port: $0) }
        }
        let isOptional = service.clusterIP == .headless || service.type == .externalName
        if !isOptional, spec.isEmpty(.ports) {
            decoder.at(.ports) { decoder.fault("is missing: a Service that is not headless needs a port") }
        }
        decoder.at(.ports) { duplicates(ports, decoder) }
        return ports.map(\.port)
    }

    private static func port(_ fields: Fields, of service: Service) -> ServicePort? {
        let decoder = fields.decoder
        if !fields.has(.port) { decoder.at(.port) { decoder.fault("is missing") } }
        let name = fields.text(.name, .label)
        let transport: TransportProtocol? = fields.word(.protocol)
        let target = targetPort(fields)
        let nodePort = nodePort(fields, of: service)
        let appProtocol = fields.text(.appProtocol, .qualified)
        guard let number = fields.port(.port) else { return nil }
        if service.type == .loadBalancer, number == kubeletPort {
            decoder.at(.port) { decoder.fault("\(number)", "is the kubelet's port, which may not be exposed") }
        }
        var port = ServicePort(port: number)
        port.name = name ?? ""
        port.transport = transport ?? .tcp
        port.targetPort = target == .number(number) ? nil : target
        port.nodePort = nodePort
        port.appProtocol = appProtocol
        return port
    }

    /// A number, or the name of a container port; 0 and an empty name count as not written.
    private static func targetPort(_ fields: Fields) -> TargetPort? {
        guard let node = fields.value(.targetPort) else { return nil }
        let decoder = fields.decoder
        if decoder.tree.kind(node) == .plain, case .integer = ScalarValue(decoder.tree.string(node)) {
            return fields.port(.targetPort, zeroIsNone: decoder.tree.string(node) == "0").map(TargetPort.number)
        }
        return fields.text(.targetPort, .portName).map(TargetPort.name)
    }

    private static func nodePort(_ fields: Fields, of service: Service) -> UInt16? {
        let decoder = fields.decoder
        guard let nodePort = fields.port(.nodePort, zeroIsNone: true) else { return nil }
        let range = decoder.rules.nodePortRange
        decoder.at(.nodePort) {
            if service.type != .nodePort && service.type != .loadBalancer {
                decoder.fault("\(nodePort)", "is not possible for a Service of type \(service.type.rawValue)")
            } else if !range.contains(nodePort) {
                decoder.fault("\(nodePort)", "is outside \(range.lowerBound)-\(range.upperBound)")
            }
        }
        return nodePort
    }

    /// Reports names that are missing or stand twice, and ports that stand twice.
    private static func duplicates(_ ports: [(index: Int, port: ServicePort)], _ decoder: ObjectDecoder) {
        struct Number: Hashable {
            var transport: TransportProtocol
            var port: UInt16
        }
        var names: [String: Int] = [:]
        var numbers: [Number: Int] = [:]
        var nodePorts: [Number: Int] = [:]
        func claim<Key: Hashable>(
            _ owners: inout [Key: Int],
            _ key: Key,
            _ index: Int,
            _ shown: String,
            _ name: FieldName?
        ) {
            guard let owner = owners.updateValue(index, forKey: key) else { return }
            owners[key] = owner
            decoder.at(index: index) {
                let report = { decoder.fault(shown, "is already that of spec.ports[\(owner)]") }
                if let name { decoder.at(name, report) } else { report() }
            }
        }
        for (index, port) in ports {
            if port.name.isEmpty, ports.count > 1 {
                decoder.at(index: index) { decoder.at(.name) { decoder.fault("is missing: there are several ports") } }
            } else if !port.name.isEmpty {
                claim(&names, port.name, index, Quoting.quoted(port.name), .name)
            }
            let number = Number(transport: port.transport, port: port.port)
            claim(&numbers, number, index, "\(port.port)/\(port.transport.rawValue)", .port)
            if let nodePort = port.nodePort {
                let number = Number(transport: port.transport, port: nodePort)
                claim(&nodePorts, number, index, "\(nodePort)/\(port.transport.rawValue)", .nodePort)
            }
        }
    }
}
