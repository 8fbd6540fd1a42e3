import Wire

/// What an address field holds.
enum DecodedAddress {
    case ipv4(IPv4Address)
    /// An IPv6 address, to be left aside.
    case ipv6(String)
}

extension ObjectDecoder {
    /// Reads the address at hand; reports what is none.
    func address(_ text: String) -> DecodedAddress? {
        switch AddressForm(text) {
        case .ipv4(let address): return .ipv4(address)
        case .ipv6: return .ipv6(text)
        case .invalid(let reason):
            fault(Quoting.quoted(text), reason)
            return nil
        }
    }

    /// Reads the address at hand, which packets will be sent to; reports what is none, or of special use.
    func destination(_ text: String) -> DecodedAddress? {
        let address = address(text)
        if case .ipv4(let ipv4) = address, let use = ipv4.specialUse {
            fault(text, "is \(use)")
            return nil
        }
        return address
    }

    /// Reads the IPv4 block at hand; nil for IPv6 ones.
    ///
    /// Host bits are warned of and cleared, as the API server does.
    func block(_ text: String) -> IPv4Prefix? {
        let trimmed = text.filter { $0 != " " }
        if let block = IPv4Prefix(trimmed, allowingHostBits: true) {
            if IPv4Prefix(trimmed) == nil {
                warn(Quoting.quoted(text), "has bits set behind the prefix; \(block) is used")
            }
            return block
        }
        let parts = trimmed.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 2, AddressForm.isIPv6(String(parts[0])), let length = UInt8(parts[1]), length <= 128 {
            warn(Quoting.quoted(text), "is an IPv6 block, which is ignored")
            return nil
        }
        fault(Quoting.quoted(text), "is not a block of addresses (such as 10.0.0.0/8)")
        return nil
    }

    /// Reports that the IPv6 value at hand is left aside.
    func ignoredIPv6(_ text: String) -> IgnoredValue {
        warn(text, "is an IPv6 address, which is ignored")
        return IgnoredValue(field: field, value: text)
    }
}
