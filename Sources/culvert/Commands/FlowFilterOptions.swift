internal import ArgumentParser
internal import Control

/// The options that say which flows are meant: of one kind any may hold, of different kinds all must.
struct FlowFilterOptions: ParsableArguments {
    @Option(name: .long, help: "tcp, udp or icmp.")
    var `protocol`: [String] = []

    @Option(name: [.long, .customLong("from-ip")], help: "The client: an address or a block.")
    var src: [String] = []

    @Option(name: [.long, .customLong("to-ip")], help: "What the client sends to: an address or a block.")
    var dst: [String] = []

    @Option(help: "Any of the addresses, before or after translation.")
    var ip: [String] = []

    @Option(help: "The client's port.")
    var sport: [String] = []

    @Option(help: "The port that the client sends to.")
    var dport: [String] = []

    @Option(help: "Any of the ports, before or after translation.")
    var port: [String] = []

    @Option(help: "A Service: namespace/name or namespace/name:port.")
    var service: [String] = []

    @Option(help: "The backend of a Service's flow: an address, with or without its port.")
    var backend: [String] = []

    @Option(help: "ClusterIP, NodePort, LoadBalancer, ExternalIP or HostPort.")
    var frontend: [String] = []

    @Option(help: "A state as it is shown: SYN_SENT, ESTABLISHED, UNREPLIED, …")
    var state: [String] = []

    @Option(help: "A NodePort by which clients came.")
    var nodePort: [String] = []

    /// What was given, checked here so that mistakes are told without a daemon.
    func query() throws(Failure) -> Query {
        let kinds = [
            ("protocol", `protocol`), ("src", src), ("dst", dst), ("ip", ip), ("sport", sport), ("dport", dport),
            ("port", port), ("service", service), ("backend", backend), ("frontend", frontend), ("state", state),
            ("node-port", nodePort),
        ]
        var query = Query()
        var filter = FlowFilter()
        for (key, values) in kinds {
            for value in values {
                do throws(FilterError) {
                    _ = try filter.add(key, value)
                } catch {
                    throw Failure.input(["--\(key) \(value): is not \(error.expectation)"])
                }
                query.items.append(Query.Item(key, value))
            }
        }
        return query
    }
}
