/// The checks of `culvert verify`: stable ids, and what each of them says of a trace.
package enum VerificationCheck: String, CaseIterable, Sendable {
    case points
    case sightings
    case lengths
    case checksumIP = "checksum.ip"
    case checksumTransport = "checksum.transport"
    case unchanged
    case timeToLive = "ttl"
    case fragments
    case generated
    case flows
    case comments
    case verdicts
    case statistics

    /// The id that findings carry.
    package var id: String { rawValue }

    /// What holds in a good trace.
    package var sentence: String {
        switch self {
        case .points:
            "capture points are LABEL:rx, LABEL:tx and drop, all of link type IPv4 and in nanoseconds"
        case .sightings:
            "a packet id is received once, then sent or dropped; direction and time fit the place"
        case .lengths: "what is sent is IPv4, and as long as its header says"
        case .checksumIP: "the IPv4 header checksum of everything sent is right, as received and as sent"
        case .checksumTransport:
            "a good TCP, UDP or ICMP checksum stays good, a bad one stays as bad, UDP without one stays without"
        case .unchanged: "translation changes addresses, ports, TTL and checksums, and nothing else"
        case .timeToLive: "what is forwarded has a TTL of one less; what is left to the node is as received"
        case .fragments: "fragments of one packet add up to it, and those of one datagram go the same way"
        case .generated: "a generated packet is correct, goes back to the sender and quotes what was received"
        case .flows:
            "the mapping of a flow never changes, replies are translated exactly back, no two flows share a tuple"
        case .comments: "comments are complete, in the known words, and agree with what was recorded"
        case .verdicts: "the verdict option agrees with the comment and with what became of the packet"
        case .statistics: "the statistics count the packets that are there"
        }
    }
}
