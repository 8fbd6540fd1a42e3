internal import Tables

/// The source ports that a flow may be given instead of its client's own.
///
/// From 1024 on (RFC 4787 REQ-3a), without NodePorts, host ports and health check ports: replies to those would be
/// taken for new requests of others. Identifiers of ICMP queries are drawn from the same numbers.
struct UsablePorts: ~Copyable {
    /// The lowest one.
    static let first: UInt16 = 1024
    /// A word for every 64 ports.
    static let wordCount = 1024

    /// A bit for each usable port.
    private(set) var mask = FixedArray<UInt64>(count: UsablePorts.wordCount)
    private var list = FixedArray<UInt16>(count: 65536)
    /// How many there are.
    private(set) var count: UInt32 = 0

    /// The ports that neither the range of NodePorts nor the services take.
    init(nodePorts: ClosedRange<UInt16>, services: ServiceTable) { update(nodePorts: nodePorts, services: services) }

    /// Follows a new service table, in place.
    mutating func update(nodePorts: ClosedRange<UInt16>, services: ServiceTable) {
        count = 0
        for word in 0..<Self.wordCount { mask[word] = 0 }
        for port in Self.first...UInt16.max where !nodePorts.contains(port) && !services.isHostPort(port) {
            mask[Int(port >> 6)] |= 1 << UInt64(port & 63)
            list[Int(count)] = port
            count &+= 1
        }
    }

    /// Whether a port may be used.
    func contains(_ port: UInt16) -> Bool { mask[Int(port >> 6)] >> UInt64(port & 63) & 1 == 1 }

    /// The usable port with a number below `count`.
    subscript(number: UInt32) -> UInt16 { list[number] }
}
