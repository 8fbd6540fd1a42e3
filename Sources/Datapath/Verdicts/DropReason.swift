/// Why a packet was dropped or refused: stable ids, never renamed or reused.
///
/// Each case is a counter, a metric label, a text of `culvert explain` and a test. `none` stands for "no reason".
package enum DropReason: UInt8, Sendable, CaseIterable, BitwiseCopyable {
    case none
    case shortEthernet
    case shortVLAN
    case shortIP
    case shortL4
    case malformedVersion
    case malformedIHL
    case malformedTotalLength
    case malformedIPOption
    case malformedTCP
    case malformedTCPFlags
    case malformedUDP
    case malformedPortZero
    case checksumIP
    case checksumL4
    case unsupportedIPv6
    case unsupportedL4
    case unsupportedEtherType
    case unsupportedVLAN
    case martianSource
    case martianDestination
    case martianLinkLayer
    case multicastDestination
    case land
    case spoofVIP
    case spoofNode
    case sourceRoute
    case fragmentTiny
    case fragmentOverlap
    case fragmentOverflow
    case fragmentMisaligned
    case fragmentEmpty
    case fragmentNoFirst
    case fragmentTimeout
    case fragmentTableFull
    case ttlZero
    case ttlExpired
    case noService
    case noEndpoints
    case noLocalEndpoints
    case sourceRange
    case conntrackNoState
    case conntrackInvalid
    case conntrackTableFull
    case snatPortsExhausted
    case icmpUnrelated
    case icmpInnerShort
    case icmpInnerChecksum
    case icmpInnerFragment
    case icmpErrorAboutError
    case icmpRedirect
    case icmpUnsupported
    case oversize
    case noRoute
    case traceTruncated
    case replayAnswered
    case conntrackReset
    case dnsNoQuery

    /// The id that events, traces, counters and metrics use; empty for `none`.
    package var id: String {
        switch self {
        case .none: ""
        case .shortEthernet: "short.ethernet"
        case .shortVLAN: "short.vlan"
        case .shortIP: "short.ip"
        case .shortL4: "short.l4"
        case .malformedVersion: "malformed.version"
        case .malformedIHL: "malformed.ihl"
        case .malformedTotalLength: "malformed.totlen"
        case .malformedIPOption: "malformed.ipopt"
        case .malformedTCP: "malformed.tcp"
        case .malformedTCPFlags: "malformed.tcpflags"
        case .malformedUDP: "malformed.udp"
        case .malformedPortZero: "malformed.port0"
        case .checksumIP: "checksum.ip"
        case .checksumL4: "checksum.l4"
        case .unsupportedIPv6: "unsupported.ipv6"
        case .unsupportedL4: "unsupported.l4"
        case .unsupportedEtherType: "unsupported.ethertype"
        case .unsupportedVLAN: "unsupported.vlan"
        case .martianSource: "martian.src"
        case .martianDestination: "martian.dst"
        case .martianLinkLayer: "martian.l2"
        case .multicastDestination: "multicast.dst"
        case .land: "land"
        case .spoofVIP: "spoof.vip"
        case .spoofNode: "spoof.node"
        case .sourceRoute: "ipopt.srcroute"
        case .fragmentTiny: "frag.tiny"
        case .fragmentOverlap: "frag.overlap"
        case .fragmentOverflow: "frag.overflow"
        case .fragmentMisaligned: "frag.misaligned"
        case .fragmentEmpty: "frag.empty"
        case .fragmentNoFirst: "frag.no_first"
        case .fragmentTimeout: "frag.timeout"
        case .fragmentTableFull: "frag.table_full"
        case .ttlZero: "ttl.zero"
        case .ttlExpired: "ttl.expired"
        case .noService: "no_service"
        case .noEndpoints: "no_endpoints"
        case .noLocalEndpoints: "no_local_endpoints"
        case .sourceRange: "source_range"
        case .conntrackNoState: "ct.nostate"
        case .conntrackInvalid: "ct.invalid"
        case .conntrackTableFull: "ct.table_full"
        case .snatPortsExhausted: "snat.ports_exhausted"
        case .icmpUnrelated: "icmp.unrelated"
        case .icmpInnerShort: "icmp.inner_short"
        case .icmpInnerChecksum: "icmp.inner_checksum"
        case .icmpInnerFragment: "icmp.inner_fragment"
        case .icmpErrorAboutError: "icmp.error_about_error"
        case .icmpRedirect: "icmp.redirect"
        case .icmpUnsupported: "icmp.unsupported"
        case .oversize: "oversize"
        case .noRoute: "no_route"
        case .traceTruncated: "trace.truncated"
        case .replayAnswered: "replay.answered"
        case .conntrackReset: "ct.reset"
        case .dnsNoQuery: "dns.no_query"
        }
    }

    /// Whether the packet was well enough, but something was used up.
    var isShortage: Bool {
        self == .conntrackTableFull || self == .snatPortsExhausted || self == .fragmentTableFull
    }

    /// The reason with an id.
    package init?(id: some StringProtocol) {
        guard let found = Self.allCases.first(where: { $0 != .none && $0.id == id }) else { return nil }
        self = found
    }
}
