/// Why a captured frame has no IPv4 packet to give; each is one of the datapath's drop reasons.
package enum LinkFault: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    /// The frame ends inside its link-layer header: `short.ethernet`.
    case shortEthernet
    /// The frame ends inside a VLAN tag: `short.vlan`.
    case shortVLAN
    /// The payload is neither IPv4 nor IPv6 (ARP, LLC, …): `unsupported.ethertype`.
    case unsupportedEtherType
    /// More than two VLAN tags: `unsupported.vlan`.
    case unsupportedVLAN
    /// The payload is IPv6: `unsupported.ipv6`. The packet is delivered all the same.
    case unsupportedIPv6
    /// An IPv4 packet from a group address, which is nobody's (IEEE 802.3 section 3.2.3): `martian.l2`.
    case martianL2
}

/// The link-layer headers that captures are read with (https://www.tcpdump.org/linktypes.html).
package enum LinkType: Sendable {
    /// LINKTYPE_ETHERNET, 1.
    case ethernet
    /// LINKTYPE_RAW (101; 12 and 14 on some systems) and LINKTYPE_IPV4 (228): no header.
    case raw
    /// LINKTYPE_NULL (0) and LINKTYPE_LOOP (108): an address family in the writer's byte order, or in network order.
    case loopback
    /// LINKTYPE_LINUX_SLL, 113: tcpdump's `any` interface.
    case linuxSLL
    /// LINKTYPE_LINUX_SLL2, 276: the same, since libpcap 1.10.
    case linuxSLL2

    /// What these are called in an error message.
    package static let names = "Ethernet, raw IP, IPv4, NULL, LOOP, Linux SLL, Linux SLL2"

    /// The link type of a number from a file (LINKTYPE_…) or from libpcap (DLT_…); on Linux these agree for all of ours.
    package init?(number: Int32) {
        switch number {
        case 1: self = .ethernet
        case 12, 14, 101, 228: self = .raw
        case 0, 108: self = .loopback
        case 113: self = .linuxSLL
        case 276: self = .linuxSLL2
        default: return nil
        }
    }
}

/// What a link-layer header says: where the network layer begins and whether it is one for the datapath.
struct LinkHeader: Equatable {
    /// Bytes of link-layer header in front of the network layer.
    var length: Int
    var fault: LinkFault?
}

extension LinkType {
    /// Reads the header of a captured frame.
    ///
    /// Raw packets are passed on whatever they are: the IP layer judges them.
    @inline(__always)
    func header(of frame: RawSpan) -> LinkHeader {
        // What nearly every frame is: IPv4 behind Ethernet without a tag, from no group address.
        if case .ethernet = self, frame.byteCount >= 14, frame.networkOrder16(at: 12) == 0x0800,
            frame.byte(at: 6) & 1 == 0
        {
            return LinkHeader(length: 14, fault: nil)
        }
        return otherHeader(of: frame)
    }

    private func otherHeader(of frame: RawSpan) -> LinkHeader {
        switch self {
        case .raw: LinkHeader(length: 0, fault: nil)
        case .ethernet: ethernet(frame)
        case .loopback: loopback(frame)
        case .linuxSLL: cooked(frame, typeOffset: 14, length: 16)
        case .linuxSLL2: cooked(frame, typeOffset: 0, length: 20)
        }
    }

    private func ethernet(_ frame: RawSpan) -> LinkHeader {
        guard frame.byteCount >= 14 else { return LinkHeader(length: frame.byteCount, fault: .shortEthernet) }
        var header = network(in: frame, type: frame.networkOrder16(at: 12), after: 14)
        // A group address has the lowest bit of its first byte set; as a source it is impossible. Only IPv4 is judged:
        // of other frames the protocol is the better reason.
        if header.fault == nil && frame.byte(at: 6) & 1 == 1 { header.fault = .martianL2 }
        return header
    }

    private func loopback(_ frame: RawSpan) -> LinkHeader {
        guard frame.byteCount >= 4 else { return LinkHeader(length: frame.byteCount, fault: .shortEthernet) }
        let bytes = UInt32(frame.networkOrder16(at: 0)) << 16 | UInt32(frame.networkOrder16(at: 2))
        // The families are small numbers, so that the byte order shows.
        return switch bytes > 0xffff ? bytes.byteSwapped : bytes {
        case 2: LinkHeader(length: 4, fault: nil)
        case 10, 24, 28, 30: LinkHeader(length: 4, fault: .unsupportedIPv6)  // AF_INET6 of Linux, the BSDs and Darwin.
        default: LinkHeader(length: 4, fault: .unsupportedEtherType)
        }
    }

    private func cooked(_ frame: RawSpan, typeOffset: Int, length: Int) -> LinkHeader {
        guard frame.byteCount >= length else { return LinkHeader(length: frame.byteCount, fault: .shortEthernet) }
        return network(in: frame, type: frame.networkOrder16(at: typeOffset), after: length)
    }

    /// Steps over at most two VLAN tags (IEEE 802.1Q section 9.6) to the payload of an EtherType.
    private func network(in frame: RawSpan, type first: UInt16, after length: Int) -> LinkHeader {
        var type = first
        var offset = length
        while type == 0x8100 || type == 0x88a8 || type == 0x9100 {
            if offset == length + 8 { return LinkHeader(length: offset, fault: .unsupportedVLAN) }
            guard frame.byteCount - offset >= 4 else { return LinkHeader(length: frame.byteCount, fault: .shortVLAN) }
            type = frame.networkOrder16(at: offset + 2)
            offset += 4
        }
        return switch type {
        case 0x0800: LinkHeader(length: offset, fault: nil)
        case 0x86dd: LinkHeader(length: offset, fault: .unsupportedIPv6)
        default: LinkHeader(length: offset, fault: .unsupportedEtherType)
        }
    }
}

extension RawSpan {
    /// The byte at `offset`.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        // Safe: every bit pattern is a UInt8, and the load is bounds-checked.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// Two bytes at `offset`, most significant first.
    @inline(__always)
    func networkOrder16(at offset: Int) -> UInt16 {
        // Safe: every bit pattern is a UInt16, and the load is bounds-checked.
        unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
}
