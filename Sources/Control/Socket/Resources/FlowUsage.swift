package import Datapath
internal import Wire

/// Who uses the conntrack table: flows counted by Service, by what they lead to, and by client.
///
/// A masqueraded flow takes one port of the node's address for its protocol and outer destination; the ports of one destination
/// are what runs out first (`snat.ports_exhausted`).
package struct FlowUsage: Sendable {
    private struct Destination: Hashable {
        var transport: UInt8
        var endpoint: FlowEndpoint
    }

    private struct Amount {
        var flows = 0
        var masqueraded = 0
        var packets: UInt64 = 0
        var bytes: UInt64 = 0
    }

    private var total = Amount()
    private var services: [String: Amount] = [:]
    private var destinations: [Destination: Amount] = [:]
    private var clients: [IPv4Address: Amount] = [:]

    /// Nothing counted.
    package init() {}

    /// Counts a flow; `service` is the name of its ServicePort, empty for none.
    package mutating func add(_ flow: Flow, service: String) {
        let isMasqueraded = flow.flags.contains(.masquerade)
        func count(_ amount: inout Amount) {
            amount.flows += 1
            if isMasqueraded { amount.masqueraded += 1 }
            amount.packets += UInt64(flow.counts.originalPackets) + UInt64(flow.counts.replyPackets)
            amount.bytes &+= flow.counts.originalBytes &+ flow.counts.replyBytes
        }
        count(&total)
        if !service.isEmpty { count(&services[service, default: Amount()]) }
        var endpoint = flow.backend
        if flow.transport == .icmp { endpoint.port = 0 }
        count(&destinations[Destination(transport: flow.transport.rawValue, endpoint: endpoint), default: Amount()])
        count(&clients[flow.original.source, default: Amount()])
    }

    /// The largest of each kind, most flows first; equal ones in the order of their names.
    package func json(top count: Int, capacity: Int, ports: Int) -> JSONValue {
        .object([
            ("flows", .number(total.flows)), ("capacity", .number(capacity)), ("masqueradePorts", .number(ports)),
            (
                "services",
                .array(
                    Self.largest(services, count) {
                        $0
                    } json: {
                        [("service", .string($0))]
                    }
                )
            ),
            (
                "destinations",
                .array(
                    Self.largest(destinations, count) {
                        "\(Wire.TransportProtocol(rawValue: $0.transport)) \($0.endpoint)"
                    } json: {
                        let transport = Wire.TransportProtocol(rawValue: $0.transport)
                        let place = transport == .icmp ? $0.endpoint.address.description : $0.endpoint.description
                        return [("protocol", .string(transport.description)), ("destination", .string(place))]
                    }
                )
            ),
            (
                "clients",
                .array(
                    Self.largest(clients, count) {
                        "\($0)"
                    } json: {
                        [("client", .string($0.description))]
                    }
                )
            ),
        ])
    }

    private static func largest<Key>(
        _ amounts: [Key: Amount],
        _ count: Int,
        name: (Key) -> String,
        json: (Key) -> [(key: String, value: JSONValue)]
    ) -> [JSONValue] {
        let named = amounts.map { (name: name($0.key), key: $0.key, amount: $0.value) }
        let sorted = named.sorted { ($1.amount.flows, $0.name) < ($0.amount.flows, $1.name) }
        return sorted.prefix(count).map { entry in
            .object(
                json(entry.key) + [
                    ("flows", .number(entry.amount.flows)), ("masqueradedFlows", .number(entry.amount.masqueraded)),
                    ("packets", .number(Int(clamping: entry.amount.packets))),
                    ("bytes", .number(Int(clamping: entry.amount.bytes))),
                ]
            )
        }
    }
}
