import Wire

/// How an address field may be filled in.
enum AddressForm: Equatable {
    case ipv4(IPv4Address)
    /// A well-formed IPv6 address.
    case ipv6
    /// No address; the text is the end of "VALUE is …".
    case invalid(String)

    init(_ text: String) {
        if let address = IPv4Address(text) {
            self = .ipv4(address)
        } else if Self.isMapped(text) {
            self = .invalid("is an IPv4 address written as an IPv6 one")
        } else if Self.isIPv6(text) {
            self = .ipv6
        } else if Self.hasLeadingZeros(text) {
            self = .invalid("has leading zeros, which programs read in different ways")
        } else {
            self = .invalid("is not an IP address")
        }
    }

    /// Whether four decimal numbers would be an address but for their zeros.
    private static func hasLeadingZeros(_ text: String) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...16).contains(part.utf8.count) && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
                    && (Int(part) ?? 256) < 256
            }
    }

    /// Whether a text is an IPv4 address in the form of RFC 4291 section 2.5.5.2, which programs take for one or for the other
    /// (refused since 1.36, KEP-4858).
    private static func isMapped(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), isIPv6(text) else { return false }
        let groups = text[..<colon].split(separator: ":").map { $0.drop { $0 == "0" } }
        return IPv4Address(text[text.index(after: colon)...]) != nil && groups.last?.lowercased() == "ffff"
            && groups.dropLast().allSatisfy(\.isEmpty)
    }

    /// RFC 4291 section 2.2, without zones.
    static func isIPv6(_ text: String) -> Bool {
        guard text.utf8.count <= 45, text.utf8.contains(UInt8(ascii: ":")) else { return false }
        var groups = text.split(separator: ":", omittingEmptySubsequences: false)
        var missing = 8 - groups.count
        if let last = groups.last, last.utf8.contains(UInt8(ascii: ".")) {
            guard IPv4Address(last) != nil else { return false }
            groups[groups.count - 1] = "0"
            missing -= 1
        }
        // A leading or trailing "::" leaves two empty parts, of which one is taken away.
        if groups.count >= 2, groups[0].isEmpty, groups[1].isEmpty { groups.removeFirst() }
        if groups.count >= 2, groups[groups.count - 1].isEmpty, groups[groups.count - 2].isEmpty { groups.removeLast() }
        let empty = groups.count { $0.isEmpty }
        guard empty == 0 && missing == 0 || empty == 1 && missing >= 0 || groups == [""] else { return false }
        return groups.allSatisfy { group in
            group.utf8.count <= 4 && group.utf8.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        } && (groups.first?.isEmpty != true || text.hasPrefix("::"))
            && (groups.last?.isEmpty != true || text.hasSuffix("::"))
    }
}

extension IPv4Address {
    /// Why no packet can be sent to the address on behalf of others, as the end of "VALUE is …"; nil if one can.
    ///
    /// The API server refuses the first four for endpoints and external addresses (`ValidateEndpointIP`,
    /// `ValidateNonSpecialIP`); link-local ones since they reach the metadata service of clouds (CVE-2021-25737).
    var specialUse: String? {
        if isThisNetwork { return "in 0.0.0.0/8, which is no destination" }
        if isLoopback { return "a loopback address" }
        if isLinkLocal { return "a link-local address" }
        if isMulticast { return "a multicast address" }
        return self == .broadcast ? "the broadcast address" : nil
    }
}
