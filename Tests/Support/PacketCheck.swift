package import Wire

/// One thing that must hold for an emitted packet; checks are put together as in gVisor's `checker`.
///
/// #expect(issues(in: sent, .from(vip, port: 80), .to(client, port: 40000), .timeToLive(63), .validChecksums) == [])
package struct PacketCheck: Sendable {
    let issue: @Sendable (Dissection) -> String?

    package init(_ issue: @escaping @Sendable (Dissection) -> String?) { self.issue = issue }

    private static func equal<Value: Equatable & Sendable>(
        _ name: String,
        _ expected: Value,
        _ value: @escaping @Sendable (Dissection) -> Value
    ) -> PacketCheck {
        PacketCheck { packet in
            let found = value(packet)
            return found == expected ? nil : "\(name) is \(found), expected \(expected)"
        }
    }

    package static func from(_ address: IPv4Address, port: UInt16? = nil) -> PacketCheck {
        PacketCheck { packet in
            guard packet.source == address, port == nil || packet.sourcePort == port else {
                return
                    "source is \(packet.source):\(packet.sourcePort), expected \(address):\(port.map(String.init) ?? "*")"
            }
            return nil
        }
    }

    package static func to(_ address: IPv4Address, port: UInt16? = nil) -> PacketCheck {
        PacketCheck { packet in
            guard packet.destination == address, port == nil || packet.destinationPort == port else {
                return "destination is \(packet.destination):\(packet.destinationPort), "
                    + "expected \(address):\(port.map(String.init) ?? "*")"
            }
            return nil
        }
    }

    package static func timeToLive(_ value: UInt8) -> PacketCheck { equal("TTL", value, \.timeToLive) }
    package static func typeOfService(_ value: UInt8) -> PacketCheck { equal("TOS", value, \.typeOfService) }
    package static func identification(_ value: UInt16) -> PacketCheck { equal("ID", value, \.identification) }
    package static func flagsAndOffset(_ value: UInt16) -> PacketCheck { equal("fragment", value, \.flagsAndOffset) }
    package static func transport(_ value: TransportProtocol) -> PacketCheck {
        equal("protocol", value.rawValue, \.transport)
    }
    package static func payload(_ value: [UInt8]) -> PacketCheck { equal("payload", value, \.payload) }
    package static func options(_ value: [UInt8]) -> PacketCheck { equal("options", value, \.options) }
    package static func length(_ value: Int) -> PacketCheck { equal("length", value, \.totalLength) }
    package static func transportChecksum(_ value: UInt16) -> PacketCheck {
        equal("transport checksum", value, \.transportChecksum)
    }

    /// An ICMP message of a type and code.
    package static func icmp(_ type: UInt8, code: UInt8 = 0) -> PacketCheck {
        PacketCheck { packet in
            guard packet.transport == 1, packet.icmpType == type, packet.icmpCode == code else {
                return
                    "protocol \(packet.transport) \(packet.icmpType)/\(packet.icmpCode), expected ICMP \(type)/\(code)"
            }
            return nil
        }
    }

    package static func icmpRest(_ value: UInt32) -> PacketCheck { equal("second ICMP word", value, \.icmpRest) }
    package static func quote(_ value: [UInt8]) -> PacketCheck { equal("quote", value, \.quote) }

    /// The header's checksum and that of the transport, computed anew.
    package static let validChecksums = PacketCheck { packet in
        if !packet.isHeaderChecksumValid { return "header checksum is wrong" }
        return packet.isTransportChecksumValid ? nil : "transport checksum is wrong"
    }

    /// Everything that a translating router leaves alone is as in `original` (RFC 1812 section 5.3, RFC 3022).
    ///
    /// The identification may have another value where `identification` says so: in fragments of masqueraded datagrams.
    package static func unchanged(since original: [UInt8], identification: Bool = true) -> PacketCheck {
        PacketCheck { packet in
            guard let before = Dissection(original) else { return "the original is no packet" }
            return changedField(before, packet, identification)
        }
    }

    private static func changedField(_ before: Dissection, _ after: Dissection, _ identification: Bool) -> String? {
        if before.bytes.count != after.bytes.count { return "length changed" }
        var left = before.bytes
        var right = after.bytes
        var changeable = Array(8...8) + Array(10...19)
        if !identification { changeable += [4, 5] }
        if before.fragmentOffset == 0 {
            let header = before.headerLength
            switch before.transport {
            case 6, 17: changeable += Array(header..<header + 4)
            case 1: changeable += Array(header + 4..<header + 6)
            default: break
            }
            if let place = before.transportChecksumOffset { changeable += [place, place + 1] }
        }
        for place in changeable where place < left.count {
            left[place] = 0
            right[place] = 0
        }
        guard let place = zip(left, right).enumerated().first(where: { $0.element.0 != $0.element.1 }) else {
            return nil
        }
        return "byte \(place.offset) changed from \(place.element.0) to \(place.element.1)"
    }
}

/// What is wrong with a packet; empty when all checks hold.
package func issues(in bytes: [UInt8], _ checks: PacketCheck...) -> [String] {
    guard let packet = Dissection(bytes) else { return ["not one whole IPv4 packet: \(bytes.prefix(40))"] }
    return checks.compactMap { $0.issue(packet) }
}

/// The same for a packet that may not have been sent at all.
package func issues(in sent: SentPacket?, _ checks: PacketCheck...) -> [String] {
    guard let sent else { return ["nothing was sent"] }
    guard let packet = Dissection(sent.bytes) else { return ["not one whole IPv4 packet: \(sent.bytes.prefix(40))"] }
    return checks.compactMap { $0.issue(packet) }
}
