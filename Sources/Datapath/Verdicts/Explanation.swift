/// What a drop reason means, for people: `culvert explain`.
package struct Explanation: Sendable {
    /// One sentence: what the packet was, and what became of it.
    package let meaning: String
    /// What usually lies behind it.
    package let causes: String
    /// The rule: an RFC, the kernel, kube-proxy, or a decision of Culvert's.
    package let rule: String
}

extension DropReason {
    /// The explanation of the reason.
    package var explanation: Explanation {
        switch self {
        case .none: Explanation(meaning: "There was no reason to drop it.", causes: "-", rule: "-")
        case .shortEthernet:
            Explanation(
                meaning: "The frame is shorter than an Ethernet header.",
                causes: "A damaged capture, or a capture with a very small snapshot length.",
                rule: "IEEE 802.3"
            )
        case .shortVLAN:
            Explanation(
                meaning: "The frame ends within a VLAN tag.",
                causes: "A damaged or cut capture.",
                rule: "IEEE 802.1Q"
            )
        case .shortIP:
            Explanation(
                meaning: "There are fewer bytes than an IPv4 header has.",
                causes: "A truncated packet, or something that is no IPv4 packet at all.",
                rule: "RFC 1812 section 5.2.2"
            )
        case .shortL4:
            Explanation(
                meaning: "The IPv4 packet is too short for the header of its TCP, UDP or ICMP.",
                causes: "A crafted or damaged packet.",
                rule: "RFC 9293, RFC 768, RFC 792: fixed headers of 20, 8 and 8 bytes"
            )
        case .malformedVersion:
            Explanation(
                meaning: "The version field is neither 4 nor 6.",
                causes: "Not an IP packet, or a damaged one.",
                rule: "RFC 1812 section 5.2.2"
            )
        case .malformedIHL:
            Explanation(
                meaning: "The header length field says less than 20 bytes, or more than the packet has.",
                causes: "A crafted or damaged packet.",
                rule: "RFC 791 section 3.1, RFC 1812 section 5.2.2"
            )
        case .malformedTotalLength:
            Explanation(
                meaning: "The total length is below the header length, or beyond the bytes that came.",
                causes: "A cut frame, a crafted packet, or a capture of segmentation offload.",
                rule: "RFC 1812 section 5.2.2"
            )
        case .malformedIPOption:
            Explanation(
                meaning: "An IP option has an impossible length.",
                causes: "A crafted packet.",
                rule: "RFC 791 section 3.1"
            )
        case .malformedTCP:
            Explanation(
                meaning: "The TCP data offset is below 5, or beyond the segment.",
                causes: "A crafted or damaged packet.",
                rule: "RFC 9293 section 3.1"
            )
        case .malformedTCPFlags:
            Explanation(
                meaning: "The combination of TCP flags is one that no TCP sends.",
                causes: "A port scan (null, FIN, Xmas), or a crafted packet.",
                rule: "tcp_valid_flags in net/netfilter/nf_conntrack_proto_tcp.c"
            )
        case .malformedUDP:
            Explanation(
                meaning: "The UDP length is below 8, or beyond the datagram.",
                causes: "A crafted or damaged packet.",
                rule: "RFC 768"
            )
        case .malformedPortZero:
            Explanation(
                meaning: "The source or destination port is 0.",
                causes: "A crafted packet or a broken client.",
                rule: "RFC 6335 section 6: port 0 is reserved"
            )
        case .checksumIP:
            Explanation(
                meaning: "The IPv4 header checksum is wrong.",
                causes: "Damage on the way, or a crafted packet.",
                rule: "RFC 1812 section 5.2.2"
            )
        case .checksumL4:
            Explanation(
                meaning: "The checksum of TCP, UDP or ICMP is wrong, and Culvert itself would have had to answer.",
                causes: "Damage, or a capture taken before the sender's network card filled the checksum in.",
                rule: "RFC 1122 section 3.2.2; packets that are only sent on keep their bad checksum and are counted"
            )
        case .unsupportedIPv6:
            Explanation(
                meaning: "The packet is IPv6, which Culvert does not forward.",
                causes: "Router solicitations of an interface that has IPv6 on; dual-stack clients.",
                rule: "docs/limits.md"
            )
        case .unsupportedL4:
            Explanation(
                meaning: "A packet to a Service address has a protocol that Services do not have here.",
                causes: "SCTP, GRE, ESP or IPIP to a VIP.",
                rule: "docs/service-rules.md: TCP and UDP only"
            )
        case .unsupportedEtherType:
            Explanation(
                meaning: "The frame carries something else than IPv4.",
                causes: "ARP, LLDP, spanning tree.",
                rule: "IEEE 802 EtherTypes"
            )
        case .unsupportedVLAN:
            Explanation(
                meaning: "The frame has more VLAN tags than are looked through.",
                causes: "Deeply stacked tags.",
                rule: "IEEE 802.1ad: two tags"
            )
        case .martianSource:
            Explanation(
                meaning: "The source address cannot be that of a sender, or not on this interface.",
                causes: "A spoofed or misconfigured sender; a pod that uses an address which is not its own.",
                rule: "RFC 1812 section 5.3.7, RFC 2827"
            )
        case .martianDestination:
            Explanation(
                meaning: "The destination is in 0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16 or 240.0.0.0/4.",
                causes: "A misconfigured sender, or an attempt to reach a host's loopback (CVE-2020-8558).",
                rule: "RFC 1812 section 5.3.7, RFC 3927 section 7"
            )
        case .martianLinkLayer:
            Explanation(
                meaning: "The frame's source is a group address.",
                causes: "A crafted frame.",
                rule: "IEEE 802.3"
            )
        case .multicastDestination:
            Explanation(
                meaning: "The destination is a multicast address, which Services do not have.",
                causes: "mDNS, IGMP, routing protocols.",
                rule: "RFC 1112; docs/limits.md"
            )
        case .land:
            Explanation(
                meaning: "Source and destination are the same address.",
                causes: "A LAND attack.",
                rule: "RFC 1812 section 5.3.7"
            )
        case .spoofVIP:
            Explanation(
                meaning: "The source is an address of a Service, which sends nothing by itself.",
                causes:
                    "A spoofed packet; or a capture taken at a client, replayed with --replies as-is, or whose beginning is missing.",
                rule: "docs/conntrack.md"
            )
        case .spoofNode:
            Explanation(
                meaning: "The source is an address of this node, but the packet came from elsewhere.",
                causes: "A spoofed packet, or two nodes with one address.",
                rule: "RFC 2827"
            )
        case .sourceRoute:
            Explanation(
                meaning: "The packet asks to be source-routed.",
                causes: "A probe; nothing legitimate does this today.",
                rule: "RFC 7126 section 4.3"
            )
        case .fragmentTiny:
            Explanation(
                meaning: "The first fragment does not hold the whole transport header, or a later one writes over it.",
                causes: "An attempt to hide ports or flags from a filter.",
                rule: "RFC 1858, RFC 3128"
            )
        case .fragmentOverlap:
            Explanation(
                meaning: "Fragments of the datagram overlap; all of it is dropped.",
                causes: "A teardrop attack; rarely, a fragment that was duplicated on the way.",
                rule: "RFC 1858, RFC 5722"
            )
        case .fragmentOverflow:
            Explanation(
                meaning: "The fragments would add up to more than 65,535 bytes.",
                causes: "A ping of death.",
                rule: "RFC 791 section 3.2"
            )
        case .fragmentMisaligned:
            Explanation(
                meaning: "A fragment other than the last has a length that is no multiple of 8.",
                causes: "A crafted packet.",
                rule: "RFC 791 section 3.2"
            )
        case .fragmentEmpty:
            Explanation(
                meaning: "A fragment carries nothing.",
                causes: "A crafted packet.",
                rule: "RFC 791 section 3.2"
            )
        case .fragmentNoFirst:
            Explanation(
                meaning: "The first fragment was not sent on, or its flow is gone, so this one cannot be either.",
                causes: "The first fragment was refused, or its flow ended in between.",
                rule: "docs/conntrack.md"
            )
        case .fragmentTimeout:
            Explanation(
                meaning: "The first fragment did not come in time.",
                causes: "Loss on the way, or a flood of fragments.",
                rule: "RFC 791 section 3.2; conntrack.timeouts: fragment"
            )
        case .fragmentTableFull:
            Explanation(
                meaning: "There is no room for another fragmented datagram, or for a fragment that must wait.",
                causes: "A flood of fragments.",
                rule: "docs/conntrack.md: bounded memory"
            )
        case .ttlZero:
            Explanation(
                meaning: "The packet came with a TTL of 0.",
                causes: "A broken router before this one.",
                rule: "RFC 1812 section 5.3.1"
            )
        case .ttlExpired:
            Explanation(
                meaning: "The TTL ends here; \"time exceeded\" was sent back.",
                causes: "traceroute, or a routing loop.",
                rule: "RFC 1812 section 5.3.1"
            )
        case .noService:
            Explanation(
                meaning:
                    "No Service has this port on this Service address, no Service has the address, or the endpoint is itself a Service's address.",
                causes:
                    "A wrong port; a Service that was deleted; a client with an old DNS answer; a ping to a ClusterIP; a Service as the endpoint of another.",
                rule: "kube-proxy (nftables): REJECT for an allocated ClusterIP, DROP for the rest of serviceCIDR"
            )
        case .noEndpoints:
            Explanation(
                meaning: "The Service has no usable endpoint anywhere; \"port unreachable\" was sent back.",
                causes: "No ready pod, a selector that matches nothing, a readiness probe that fails.",
                rule: "kube-proxy: REJECT for Services without endpoints"
            )
        case .noLocalEndpoints:
            Explanation(
                meaning: "The traffic policy is Local, and no usable endpoint runs on this node.",
                causes: "externalTrafficPolicy or internalTrafficPolicy Local, and all pods on other nodes.",
                rule: "kube-proxy: DROP for a Local policy without local endpoints"
            )
        case .sourceRange:
            Explanation(
                meaning: "The source is outside of the Service's loadBalancerSourceRanges.",
                causes: "The client is not among those admitted; NodePort and ClusterIP are not restricted by them.",
                rule: "kube-proxy: the firewall comes before everything else"
            )
        case .conntrackNoState:
            Explanation(
                meaning: "A TCP segment to a Service belongs to no known connection and does not begin one.",
                causes:
                    "The capture begins in the middle; the flow timed out; Culvert was started anew without its state.",
                rule: "conntrack.midstream: refuse (default); pickup takes such connections in"
            )
        case .conntrackInvalid:
            Explanation(
                meaning: "The segment does not fit the state of its connection.",
                causes: "A late or spoofed segment, with conntrack.strict on.",
                rule: "nf_conntrack: INVALID"
            )
        case .conntrackTableFull:
            Explanation(
                meaning: "There is no room for this flow: nothing in the full conntrack table may be given up, "
                    + "or its source has all the half-open connections that it may have.",
                causes: "More flows than conntrack.capacity; a flood; a scan (conntrack.halfOpenPerSource).",
                rule: "docs/conntrack.md: full-table policy"
            )
        case .snatPortsExhausted:
            Explanation(
                meaning: "No port is left for masquerading this flow to this backend.",
                causes: "More than about 61,000 flows from one node address to one backend port.",
                rule: "docs/conntrack.md: all of 1024-65535 but NodePorts and host ports are tried"
            )
        case .icmpUnrelated:
            Explanation(
                meaning: "An ICMP error speaks of a packet that no known flow has sent.",
                causes: "The flow ended; or a blind attack.",
                rule: "RFC 5508 section 4.2, RFC 5927"
            )
        case .icmpInnerShort:
            Explanation(
                meaning: "The packet quoted in an ICMP error is too short to tell its flow.",
                causes: "A crafted error; routers must quote the header and eight bytes.",
                rule: "RFC 792, RFC 1812 section 4.3.2.3"
            )
        case .icmpInnerChecksum:
            Explanation(
                meaning: "The packet quoted in an ICMP error has a wrong IPv4 header checksum.",
                causes: "A crafted error, or a broken router.",
                rule: "RFC 5508 section 4.2"
            )
        case .icmpInnerFragment:
            Explanation(
                meaning: "An ICMP error quotes a fragment that has no ports.",
                causes: "A fragment other than the first was refused.",
                rule: "RFC 1812 section 4.3.2.7: no errors about such fragments"
            )
        case .icmpErrorAboutError:
            Explanation(
                meaning: "An ICMP error quotes an ICMP error.",
                causes: "A crafted packet.",
                rule: "RFC 1122 section 3.2.2"
            )
        case .icmpRedirect:
            Explanation(
                meaning: "An ICMP redirect, which a Service datapath does not act on or pass on.",
                causes: "A router that knows a shorter way, or an attack.",
                rule: "RFC 1812 section 5.2.7.2"
            )
        case .icmpUnsupported:
            Explanation(
                meaning: "An ICMP type that is not passed on.",
                causes: "Source quench, which is obsolete.",
                rule: "RFC 6633"
            )
        case .oversize:
            Explanation(
                meaning:
                    "The packet is longer than the next link takes and must not be fragmented; \"fragmentation needed\" was sent back.",
                causes: "Path MTU discovery at work; links of different MTU.",
                rule: "RFC 1191"
            )
        case .noRoute:
            Explanation(
                meaning: "No interface leads to the destination.",
                causes: "A backend outside of podCIDR, and no uplink.",
                rule: "RFC 1812 section 5.2.4"
            )
        case .traceTruncated:
            Explanation(
                meaning: "The capture kept too little of the packet to read its headers.",
                causes: "A capture with a small snapshot length (tcpdump -s).",
                rule: "pcap: captured length below the original one"
            )
        case .replayAnswered:
            Explanation(
                meaning: "A captured answer to a query that Culvert answered itself.",
                causes: "Replaying a capture of DNS with cluster.dnsAddress set.",
                rule: "docs/replay.md"
            )
        case .conntrackReset:
            Explanation(
                meaning: "The endpoint of the connection was deleted; both ends got a RST.",
                causes: "A reload without the endpoint or its Service, with conntrack.resetDeletedEndpoints.",
                rule: "docs/reload.md; RFC 9293 section 3.10.7.1, RFC 5961 section 3.2"
            )
        case .dnsNoQuery:
            Explanation(
                meaning: "A datagram to the cluster's DNS that is no query: a response, or shorter than a DNS header.",
                causes: "A probe, a forged or reflected response, or something that does not speak DNS.",
                rule: "RFC 1035 section 4.1.1; answering responses could go on for ever"
            )
        }
    }
}
