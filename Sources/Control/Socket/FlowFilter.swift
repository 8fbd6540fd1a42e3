package import Datapath
internal import Kubernetes
internal import Wire

/// Which flows are meant: values of one kind are alternatives, and every kind that is given must hold.
package struct FlowFilter: Sendable {
    /// A backend, with or without its port.
    private struct Place: Sendable {
        var prefix: IPv4Prefix
        var port: UInt16?
    }

    private var protocols: [Wire.TransportProtocol] = []
    private var sources: [IPv4Prefix] = []
    private var destinations: [IPv4Prefix] = []
    private var addresses: [IPv4Prefix] = []
    private var sourcePorts: [UInt16] = []
    private var destinationPorts: [UInt16] = []
    private var ports: [UInt16] = []
    private var nodePorts: [UInt16] = []
    private var services: [String] = []
    private var backends: [Place] = []
    private var frontends: [FrontendKind] = []
    private var states: [FlowState] = []
    /// Whether nothing is asked for, so that every flow is meant.
    package private(set) var isEmpty = true

    /// The kinds, as a query and the options of commands name them.
    package static let keys = [
        "protocol", "src", "dst", "ip", "sport", "dport", "port", "service", "backend", "frontend", "state",
        "node-port",
    ]

    /// A filter that everything passes.
    package init() {}

    /// Adds an alternative; throws what is wrong with it, and false is returned for a key that is no filter.
    package mutating func add(_ key: String, _ value: String) throws(FilterError) -> Bool {
        func need<Value>(_ value: Value?, _ expectation: String) throws(FilterError) -> Value {
            guard let value else { throw FilterError(key: key, expectation: expectation) }
            return value
        }
        func block() throws(FilterError) -> IPv4Prefix {
            try need(Self.block(value), "an address or a block such as 10.244.0.0/16")
        }
        func port() throws(FilterError) -> UInt16 { try need(UInt16(value), "a port from 0 to 65535") }
        switch key {
        case "protocol":
            let known: [Wire.TransportProtocol] = [.tcp, .udp, .icmp]
            let word = value.lowercased()
            protocols.append(try need(known.first { $0.description == word }, "tcp, udp or icmp"))
        case "src": sources.append(try block())
        case "dst": destinations.append(try block())
        case "ip": addresses.append(try block())
        case "sport": sourcePorts.append(try port())
        case "dport": destinationPorts.append(try port())
        case "port": ports.append(try port())
        case "node-port": nodePorts.append(try port())
        case "service":
            services.append(try need(Self.service(value), "a Service such as default/web or default/web:http"))
        case "backend": backends.append(try need(Self.place(value), "an address such as 10.244.1.5 or 10.244.1.5:8080"))
        case "frontend":
            let kinds = FrontendKind.allCases.filter { $0 != .none }
            let kind = kinds.first { $0.word.lowercased() == value.lowercased() }
            frontends.append(try need(kind, kinds.map(\.word).joined(separator: ", ")))
        case "state":
            let known = FlowState.allCases.filter { $0 != .none }
            let state = known.first { $0.name == value.uppercased() }
            states.append(try need(state, "one of " + known.map(\.name).joined(separator: ", ")))
        default: return false
        }
        isEmpty = false
        return true
    }

    private static func block(_ text: String) -> IPv4Prefix? {
        text.contains("/") ? IPv4Prefix(text) : IPv4Address(text).map { IPv4Prefix($0, length: 32) }
    }

    /// `namespace/name`, with or without `:port`.
    private static func service(_ text: String) -> String? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } ? text : nil
    }

    private static func place(_ text: String) -> Place? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let prefix = block(String(parts[0])) else { return nil }
        if parts.count == 1 { return Place(prefix: prefix, port: nil) }
        guard let port = UInt16(parts[1]) else { return nil }
        return Place(prefix: prefix, port: port)
    }

    /// Whether a flow is meant; `service` is the name of its ServicePort, empty for none.
    package func matches(_ flow: Flow, service: String) -> Bool {
        if isEmpty { return true }
        return matchesAddresses(flow) && matchesPorts(flow) && matchesService(flow, service)
            && any(protocols) { $0 == flow.transport } && any(states) { $0 == flow.state }
    }

    private func any<Value>(_ values: [Value], _ matches: (Value) -> Bool) -> Bool {
        values.isEmpty || values.contains(where: matches)
    }

    private func matchesAddresses(_ flow: Flow) -> Bool {
        any(sources) { $0.contains(flow.original.source) }
            && any(destinations) { $0.contains(flow.original.destination) }
            && any(addresses) {
                $0.contains(flow.original.source) || $0.contains(flow.original.destination)
                    || $0.contains(flow.reply.source) || $0.contains(flow.reply.destination)
            }
    }

    /// ICMP has no ports: its identifier is none.
    private func matchesPorts(_ flow: Flow) -> Bool {
        if flow.transport == .icmp {
            return sourcePorts.isEmpty && destinationPorts.isEmpty && ports.isEmpty && nodePorts.isEmpty
        }
        return any(sourcePorts) { $0 == flow.original.sourcePort }
            && any(destinationPorts) { $0 == flow.original.destinationPort }
            && any(nodePorts) { flow.frontend == .nodePort && $0 == flow.original.destinationPort }
            && any(ports) {
                $0 == flow.original.sourcePort || $0 == flow.original.destinationPort || $0 == flow.reply.sourcePort
                    || $0 == flow.reply.destinationPort
            }
    }

    private func matchesService(_ flow: Flow, _ service: String) -> Bool {
        any(frontends) { $0 == flow.frontend }
            && any(services) { !service.isEmpty && (service == $0 || service.hasPrefix($0 + ":")) }
            && any(backends) { place in
                flow.service != 0 && place.prefix.contains(flow.backend.address)
                    && (place.port ?? flow.backend.port) == flow.backend.port
            }
    }
}

/// A value that its filter does not take.
package struct FilterError: Error, Equatable, Sendable {
    /// The kind of filter.
    package let key: String
    /// What it takes.
    package let expectation: String
}
