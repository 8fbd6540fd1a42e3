import Datapath
import TestSupport
import Testing
import Wire

/// One way to make the datapath drop or refuse a packet for a reason.
private struct Cause: Sendable {
    var reason: DropReason
    var input: Feed
    /// What comes before the packet.
    var before: [Feed] = []
    var verdict = Verdict.drop
    var change: @Sendable (inout World) -> Void = { _ in }
}

@Suite("Drop reasons")
struct DropReasonTests {
    typealias W = World

    private static let plain = udp(W.client, 40000, to: W.outside, 9)
    private static let segment = tcp(W.client, 40000, to: W.outside, 9, .ack)

    private static func from(_ source: IPv4Address, to destination: IPv4Address = W.backend) -> Feed {
        Feed(udp(source, 40000, to: destination, 9), from: W.uplink)
    }

    private static func fragment(_ transport: TransportProtocol, offset: Int, more: Bool, count: Int) -> [UInt8] {
        var builder = PacketBuilder(from: W.client, to: W.outside)
        builder.flagsAndOffset = UInt16(offset / 8) | (more ? FragmentField.moreFragmentsBit : 0)
        return builder.packet(transport, payload: [UInt8](repeating: 5, count: count))
    }

    private static func cut(_ bytes: [UInt8], to length: Int) -> Feed {
        var feed = Feed(Array(bytes.prefix(length)))
        feed.wireLength = bytes.count
        feed.marks = .truncated
        return feed
    }

    /// A packet that the link layer has refused already.
    private static func link(_ reason: DropReason) -> Cause {
        var feed = Feed(plain)
        feed.linkReason = reason
        return Cause(reason: reason, input: feed)
    }

    private static let structure: [Cause] = [
        link(.shortEthernet), link(.shortVLAN), link(.unsupportedEtherType), link(.unsupportedVLAN),
        link(.martianLinkLayer),
        Cause(reason: .shortIP, input: Feed([])), Cause(reason: .shortIP, input: Feed(Array(plain.prefix(19)))),
        Cause(reason: .malformedIHL, input: Feed([0x4f] + plain.dropFirst())),
        Cause(reason: .malformedVersion, input: Feed([0x55] + plain.dropFirst())),
        Cause(reason: .unsupportedIPv6, input: Feed([0x60] + [UInt8](repeating: 0, count: 39))),
        Cause(reason: .malformedIHL, input: Feed([0x44] + plain.dropFirst())),
        Cause(reason: .malformedTotalLength, input: Feed(Array(plain.dropLast()))),
        Cause(reason: .malformedTotalLength, input: Feed(changed(plain) { $0[3] = 19 })),
        Cause(reason: .checksumIP, input: Feed(plain.prefix(10) + [0, 0] + plain.dropFirst(12))),
        Cause(
            reason: .malformedIPOption,
            input: Feed(udp(W.client, 1, to: W.outside, 2) { $0.options = [148, 0, 0, 0] })
        ),
        Cause(reason: .sourceRoute, input: Feed(udp(W.client, 1, to: W.outside, 2) { $0.options = [131, 3, 4, 0] })),
        Cause(
            reason: .shortL4,
            input: Feed(PacketBuilder(from: W.client, to: W.outside).packet(.tcp, payload: [1, 2]))
        ),
        Cause(reason: .shortL4, input: Feed(PacketBuilder(from: W.client, to: W.outside).packet(.udp, payload: []))),
        Cause(reason: .shortL4, input: Feed(PacketBuilder(from: W.client, to: W.outside).packet(.icmp, payload: [8]))),
        Cause(reason: .malformedTCP, input: Feed(changed(segment) { $0[32] = 0x40 })),
        Cause(reason: .malformedTCP, input: Feed(changed(segment) { $0[32] = 0x60 })),
        Cause(reason: .malformedTCPFlags, input: Feed(tcp(W.client, 1, to: W.outside, 2, [.syn, .fin]))),
        Cause(reason: .malformedTCPFlags, input: Feed(tcp(W.client, 1, to: W.outside, 2, []))),
        Cause(reason: .malformedUDP, input: Feed(changed(plain) { $0[25] = 7 })),
        Cause(reason: .malformedUDP, input: Feed(changed(plain) { $0[25] = 200 })),
        Cause(reason: .malformedPortZero, input: Feed(udp(W.client, 2, to: W.outside, 0))),
        Cause(reason: .malformedPortZero, input: Feed(tcp(W.client, 1, to: W.outside, 0))),
        Cause(reason: .malformedPortZero, input: Feed(tcp(W.client, 0, to: W.outside, 9))),
        Cause(reason: .traceTruncated, input: cut(plain, to: 16)),
        Cause(reason: .traceTruncated, input: cut(segment, to: 36)),
        Cause(reason: .traceTruncated, input: cut(icmpError(W.outside, to: W.client, about: plain), to: 50)),
    ]

    private static let addresses: [Cause] = [
        Cause(reason: .martianSource, input: from(IPv4Address(0, 1, 2, 3))),
        Cause(reason: .martianSource, input: from(IPv4Address(127, 0, 0, 1))),
        Cause(reason: .martianSource, input: from(IPv4Address(169, 254, 1, 1))),
        Cause(reason: .martianSource, input: from(IPv4Address(224, 0, 0, 1))),
        Cause(reason: .martianSource, input: from(.broadcast)),
        // Not the address of a pod, on the interface of the pods.
        Cause(reason: .martianSource, input: Feed(udp(W.outside, 1, to: W.backend, 2), from: W.pods)),
        Cause(reason: .martianDestination, input: from(W.outside, to: IPv4Address(0, 0, 0, 1))),
        Cause(reason: .martianDestination, input: from(W.outside, to: IPv4Address(127, 0, 0, 1))),
        Cause(reason: .martianDestination, input: from(W.outside, to: .broadcast)),
        Cause(reason: .martianDestination, input: from(W.outside, to: IPv4Address(240, 0, 0, 1))),
        Cause(reason: .multicastDestination, input: from(W.outside, to: IPv4Address(224, 0, 0, 251))),
        Cause(reason: .multicastDestination, input: from(W.outside, to: IPv4Address(239, 255, 255, 255))),
        Cause(reason: .land, input: Feed(tcp(W.client, 80, to: W.client, 80))),
        Cause(reason: .spoofVIP, input: from(W.vip)), Cause(reason: .spoofVIP, input: from(W.unallocated)),
        Cause(reason: .spoofVIP, input: from(W.loadBalancer)), Cause(reason: .spoofVIP, input: from(W.externalIP)),
        Cause(reason: .spoofNode, input: from(W.node)), Cause(reason: .spoofNode, input: from(W.secondNode)),
    ]

    private static let fragments: [Cause] = [
        Cause(reason: .fragmentTiny, input: Feed(fragment(.tcp, offset: 0, more: true, count: 16))),
        Cause(reason: .fragmentTiny, input: Feed(fragment(.tcp, offset: 8, more: false, count: 16))),
        Cause(reason: .fragmentTiny, input: Feed(fragment(.tcp, offset: 16, more: false, count: 16))),
        Cause(reason: .fragmentEmpty, input: Feed(fragment(.udp, offset: 64, more: false, count: 0))),
        Cause(reason: .fragmentMisaligned, input: Feed(fragment(.udp, offset: 64, more: true, count: 9))),
        Cause(reason: .fragmentOverflow, input: Feed(fragment(.udp, offset: 65504, more: false, count: 40))),
        Cause(
            reason: .fragmentOverlap,
            input: Feed(fragment(.udp, offset: 64, more: false, count: 16)),
            before: [Feed(fragment(.udp, offset: 72, more: true, count: 16))]
        ),
        // The flow of the datagram has ended between its fragments.
        Cause(
            reason: .fragmentNoFirst,
            input: Feed(
                udpFragments(W.client, 1, to: W.vip, 53, payload: [UInt8](repeating: 0, count: 40), size: 24)[1],
                at: 3
            ),
            before: [
                Feed(udpFragments(W.client, 1, to: W.vip, 53, payload: [UInt8](repeating: 0, count: 40), size: 24)[0]),
                Feed(plain, at: 2),
            ],
            change: { $0.configuration.timeouts.udp = Timeouts.second }
        ),
    ]

    private static let rules: [Cause] = [
        Cause(reason: .dnsNoQuery, input: Feed(udp(W.client, 1, to: W.dns, 53, payload: [1, 2, 3]))),
        Cause(
            reason: .replayAnswered,
            input: Feed(udp(W.dns, 53, to: W.client, 1)),
            change: {
                $0.configuration.takesIngressFromSource = true
                $0.configuration.reconstructsReplies = true
            }
        ),
        Cause(reason: .ttlZero, input: Feed(udp(W.client, 1, to: W.outside, 2) { $0.timeToLive = 0 })),
        Cause(
            reason: .ttlExpired,
            input: Feed(udp(W.client, 1, to: W.outside, 2) { $0.timeToLive = 1 }),
            verdict: .reject
        ),
        Cause(reason: .noService, input: Feed(udp(W.client, 1, to: W.vip, 2)), verdict: .reject),
        Cause(
            reason: .noService,
            input: Feed(udp(W.outside, 1, to: W.node, 2), from: 1),
            verdict: .reject,
            change: { $0.interfaces.remove(at: 1) }
        ),
        Cause(reason: .unsupportedL4, input: Feed(changed(udp(W.client, 1, to: W.loadBalancer, 2)) { $0[9] = 47 })),
        Cause(reason: .noEndpoints, input: Feed(udp(W.client, 1, to: W.emptyVIP, 80)), verdict: .reject),
        Cause(reason: .noLocalEndpoints, input: Feed(tcp(W.client, 1, to: W.localVIP, 80))),
        Cause(reason: .sourceRange, input: Feed(tcp(W.outOfRange, 1, to: W.loadBalancer, 80))),
        Cause(reason: .conntrackNoState, input: Feed(tcp(W.client, 1, to: W.vip, 80, .ack))),
        Cause(
            reason: .conntrackInvalid,
            input: Feed(tcp(W.client, 1, to: W.vip, 80, .ack)),
            before: [Feed(tcp(W.client, 1, to: W.vip, 80))],
            change: { $0.configuration.strict = true }
        ),
        Cause(
            reason: .conntrackTableFull,
            input: Feed(plain),
            before: [
                Feed(tcp(W.client, 9, to: W.outside, 9, .ack)), Feed(tcp(W.outside, 9, to: W.client, 9, .ack)),
            ],
            change: { $0.configuration.conntrackCapacity = 1 }
        ),
        Cause(
            reason: .snatPortsExhausted,
            input: Feed(udp(W.outside, 1, to: W.node, 30053)),
            change: { $0.configuration.nodePortRange = 1...65535 }
        ),
        Cause(
            reason: .checksumL4,
            input: Feed(echo(W.outside, to: W.node).dropLast() + [0x55]),
            change: { $0.configuration.verifiesChecksums = true }
        ),
        Cause(
            reason: .oversize,
            input: Feed(udp(W.client, 1, to: W.outside, 2, payload: [UInt8](repeating: 0, count: 2000))),
            verdict: .reject
        ),
        Cause(reason: .noRoute, input: Feed(plain, from: 0), change: { $0.interfaces.remove(at: 2) }),
        Cause(reason: .icmpUnrelated, input: Feed(icmpError(W.router, to: W.vip, about: plain))),
        Cause(
            reason: .icmpUnrelated,
            input: Feed(icmpError(W.router, to: W.client, about: udp(W.client, 1, to: W.vip, 53)))
        ),
        Cause(reason: .icmpInnerShort, input: Feed(icmpError(W.router, to: W.client, about: plain, count: 27))),
        Cause(
            reason: .icmpInnerChecksum,
            input: Feed(icmpError(W.router, to: W.client, about: plain.prefix(10) + [0, 0] + plain.dropFirst(12)))
        ),
        Cause(
            reason: .icmpInnerFragment,
            input: Feed(icmpError(W.router, to: W.client, about: changed(plain) { $0[7] = 9 }))
        ),
        Cause(
            reason: .icmpErrorAboutError,
            input: Feed(icmpError(W.router, to: W.client, about: icmpError(W.client, to: W.outside, about: plain)))
        ),
        Cause(reason: .icmpRedirect, input: Feed(icmpError(W.router, to: W.client, .redirect, about: plain))),
        Cause(
            reason: .icmpUnsupported,
            input: Feed(icmpError(W.router, to: W.client, .sourceQuench, about: plain)),
            before: [Feed(plain)]
        ),
    ]

    private static let causes = structure + addresses + fragments + rules

    /// Reasons that a packet gets in another test of this target, because they need more than one packet to be seen.
    private static let elsewhere: Set<DropReason> = [.fragmentTimeout, .fragmentTableFull, .conntrackReset]
    /// What the pipeline never gives as a reason.
    private static let notHere: Set<DropReason> = [.none]

    @Test("each cause gives its reason, a count, and no packet", arguments: causes.indices)
    func cause(index: Int) {
        let cause = Self.causes[index]
        var world = World()
        cause.change(&world)
        let harness = DatapathHarness(world)
        harness.send(cause.before)
        let (counted, flows) = (harness.pipeline.counters[cause.reason], harness.flows.count)
        let treatment = harness.send([cause.input])[0]
        #expect(treatment.reason == cause.reason, "\(cause.reason.id): \(treatment.summary)")
        #expect(treatment.verdict == cause.verdict, "\(cause.reason.id)")
        #expect(
            treatment.sent.allSatisfy { $0.isGenerated } && treatment.sent.count == (cause.verdict == .reject ? 1 : 0)
        )
        #expect(harness.pipeline.counters[cause.reason] > counted)
        #expect(harness.flows.count <= flows, "a packet that was not sent has left state")
        #expect(harness.accountingIssues == [])
    }

    @Test("every reason has a cause")
    func complete() {
        let covered = Set(Self.causes.map(\.reason))
        #expect(covered.isDisjoint(with: Self.notHere))
        for reason in DropReason.allCases {
            let isAccountedFor =
                covered.contains(reason) || Self.elsewhere.contains(reason) || Self.notHere.contains(reason)
            #expect(isAccountedFor, "\(reason) has no test")
        }
    }

    @Test("the first of several defects names the packet")
    func order() {
        let rows: [(String, [UInt8], DropReason)] = [
            (
                "checksum before address",
                udp(.broadcast, 1, to: W.outside, 0).prefix(10) + [0, 0]
                    + udp(.broadcast, 1, to: W.outside, 0).dropFirst(12), .checksumIP
            ),
            (
                "address before options", udp(.broadcast, 1, to: W.outside, 1) { $0.options = [148, 0, 0, 0] },
                .martianSource
            ),
            (
                "options before transport", udp(W.client, 1, to: W.outside, 0) { $0.options = [131, 3, 4, 0] },
                .sourceRoute
            ),
            ("fragment before transport", fragmentWithBadFlags(), .fragmentTiny),
            ("transport before TTL 0", udp(W.client, 1, to: W.outside, 0) { $0.timeToLive = 0 }, .malformedPortZero),
            ("TTL 0 before lookup", udp(W.client, 1, to: W.emptyVIP, 80) { $0.timeToLive = 0 }, .ttlZero),
            ("lookup before TTL 1", udp(W.client, 1, to: W.emptyVIP, 80) { $0.timeToLive = 1 }, .noEndpoints),
            (
                "TTL 1 before size",
                udp(W.client, 1, to: W.outside, 80, payload: [UInt8](repeating: 1, count: 1600)) { $0.timeToLive = 1 },
                .ttlExpired
            ),
        ]
        for (name, input, reason) in rows {
            #expect(DatapathHarness().send(input).reason == reason, "\(name)")
        }
    }

    private func fragmentWithBadFlags() -> [UInt8] {
        var builder = PacketBuilder(from: W.client, to: W.outside)
        builder.flagsAndOffset = FragmentField.moreFragmentsBit
        return builder.packet(.tcp, payload: [UInt8](repeating: 0, count: 16))
    }

    @Test("ids are unique, of one form, and lead back to their case")
    func ids() {
        let ids = DropReason.allCases.filter { $0 != .none }.map(\.id)
        #expect(Set(ids).count == ids.count)
        #expect(
            ids.allSatisfy { !$0.isEmpty && $0.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789._".contains($0) } }
        )
        for reason in DropReason.allCases where reason != .none { #expect(DropReason(id: reason.id) == reason) }
        #expect(DropReason(id: "") == nil && DropReason(id: "no.such") == nil)
    }
}
