internal import Wire

/// The ways that fragmented datagrams take: later fragments go to and come from where the first one does, under one
/// identification.
///
/// The last 8,192 datagrams are kept; a first fragment begins its datagram anew.
struct FragmentPaths {
    private struct Datagram: Hashable {
        var source: IPv4Address
        var destination: IPv4Address
        var identification: UInt16
        var transport: TransportProtocol
    }

    private struct Path: Equatable {
        var source: IPv4Address
        var destination: IPv4Address
        var identification: UInt16
    }

    private static let capacity = 8192
    private var paths: [Datagram: Path] = [:]
    private var order: [Datagram] = []
    private var next = 0

    /// Takes in a fragment that was sent on; returns what is wrong.
    mutating func follow(_ received: SightedPacket, _ sent: SightedPacket) -> String? {
        guard received.fragment.isFragment else { return nil }
        let datagram = Datagram(
            source: received.source,
            destination: received.destination,
            identification: received.identification,
            transport: received.transport
        )
        let path = Path(source: sent.source, destination: sent.destination, identification: sent.identification)
        if received.fragment.offset == 0 {
            if paths.updateValue(path, forKey: datagram) == nil { remember(datagram) }
            return nil
        }
        guard let first = paths[datagram], first != path else { return nil }
        if first.source == path.source && first.destination == path.destination {
            return "is a fragment with identification \(path.identification), the first one has \(first.identification)"
        }
        return "is a fragment from \(path.source) to \(path.destination), "
            + "the first one went from \(first.source) to \(first.destination)"
    }

    private mutating func remember(_ datagram: Datagram) {
        if order.count < Self.capacity { return order.append(datagram) }
        paths.removeValue(forKey: order[next])
        order[next] = datagram
        next = (next + 1) % Self.capacity
    }
}
