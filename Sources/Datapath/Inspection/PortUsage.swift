internal import Tables
package import Wire

/// Who uses up the source ports: what `get conntrack --top` shows.
package struct PortUsage: Sendable {
    /// An outer destination: what packets have in common whose source ports must differ.
    package struct Destination: Hashable, Sendable {
        /// The protocol.
        package var transport: TransportProtocol
        /// The address that packets are sent from.
        package var source: IPv4Address
        /// Where they go; the port is 0 for ICMP.
        package var destination: FlowEndpoint
    }

    /// How many flows of a kind there are.
    package struct Share<Key: Hashable & Sendable>: Hashable, Sendable {
        /// Whose they are.
        package var key: Key
        /// How many.
        package var flows: Int
    }

    /// Outer destinations with the most flows first.
    package var destinations: [Share<Destination>]
    /// Clients with the most flows first.
    package var clients: [Share<IPv4Address>]
    /// How many ports one destination can have at most.
    package var portsEach: Int
}

extension Pipeline {
    /// The outer destinations and the clients with the most masqueraded or remapped flows, `limit` of each at most.
    ///
    /// Walks the whole table, expired flows left out; for whoever asks, not for packets.
    package func portUsage(limit: Int, now: UInt64) -> PortUsage {
        var destinations: [PortUsage.Destination: Int] = [:]
        var clients: [IPv4Address: Int] = [:]
        var number: UInt32 = 1
        while number < flows.flows.highWater {
            let flow = flows.flows[number]
            number &+= 1
            guard flow.transport.rawValue != 0, flow.deadline > now, flow.hasOtherSource,
                let key = OuterDestination(answeredBy: flow.reply, flow.transport)
            else { continue }
            let destination = PortUsage.Destination(
                transport: key.transport,
                source: key.source,
                destination: FlowEndpoint(address: key.destination, port: key.destinationPort)
            )
            destinations[destination, default: 0] += 1
            clients[flow.original.source, default: 0] += 1
        }
        return PortUsage(
            destinations: Self.most(destinations, limit) { left, right in
                (left.destination.address.bits, left.destination.port, left.source.bits, left.transport.rawValue)
                    < (
                        right.destination.address.bits, right.destination.port, right.source.bits,
                        right.transport.rawValue
                    )
            },
            clients: Self.most(clients, limit) { $0.bits < $1.bits },
            portsEach: Int(usablePorts.count)
        )
    }

    /// The largest shares, equal ones in the order of their keys, so that the answer is always the same.
    private static func most<Key>(
        _ counts: [Key: Int],
        _ limit: Int,
        _ precedes: (Key, Key) -> Bool
    ) -> [PortUsage.Share<Key>] {
        let sorted = counts.sorted { left, right in
            left.value == right.value ? precedes(left.key, right.key) : left.value > right.value
        }
        return sorted.prefix(max(limit, 0)).map { PortUsage.Share(key: $0.key, flows: $0.value) }
    }
}

extension Flow {
    /// Whether packets leave with another source address or port than they came with.
    fileprivate var hasOtherSource: Bool {
        reply.destination != original.source || reply.destinationPort != original.sourcePort
            || flags.contains(.masquerade)
    }
}
