internal import Wire

/// DNS messages as a stub resolver and CoreDNS write them (RFC 1035).
enum DNS {
    enum RecordType: UInt16 {
        case address = 1
        case startOfAuthority = 6
        case ipv6Address = 28
    }

    enum ResponseCode: UInt16 {
        case noError = 0
        case nameError = 3
    }

    /// A query for one record, recursion desired.
    static func query(_ identifier: UInt16, _ name: String, _ type: RecordType) -> [UInt8] {
        header(identifier, flags: 0x0100, answers: 0, authorities: 0) + question(name, type)
    }

    /// An authoritative answer with an address.
    static func answer(_ identifier: UInt16, _ name: String, _ address: IPv4Address) -> [UInt8] {
        var message = header(identifier, flags: 0x8500, answers: 1, authorities: 0) + question(name, .address)
        // The name is that of the question, at byte 12.
        message += [0xc0, 0x0c]
        message.append(big: RecordType.address.rawValue)
        message.append(big: 1 as UInt16)
        message.append(big: 5 as UInt32)
        message.append(big: 4 as UInt16)
        message.append(big: address.bits)
        return message
    }

    /// An authoritative "no such record", or "no such name", with the SOA record that RFC 2308 section 3 asks for.
    static func nothing(_ identifier: UInt16, _ name: String, _ type: RecordType, _ code: ResponseCode) -> [UInt8] {
        var data = encode("ns.dns.cluster.local") + encode("hostmaster.cluster.local")
        for number in [1_768_435_200, 7200, 1800, 86400, 5] as [UInt32] { data.append(big: number) }
        var message =
            header(identifier, flags: 0x8500 | code.rawValue, answers: 0, authorities: 1) + question(name, type)
        message += encode("cluster.local")
        message.append(big: RecordType.startOfAuthority.rawValue)
        message.append(big: 1 as UInt16)
        message.append(big: 5 as UInt32)
        message.append(big: UInt16(data.count))
        return message + data
    }

    private static func header(_ identifier: UInt16, flags: UInt16, answers: UInt16, authorities: UInt16) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in [identifier, flags, 1, answers, authorities, 0] { bytes.append(big: field) }
        return bytes
    }

    private static func question(_ name: String, _ type: RecordType) -> [UInt8] {
        var bytes = encode(name)
        bytes.append(big: type.rawValue)
        bytes.append(big: 1 as UInt16)
        return bytes
    }

    /// A name as its labels, each behind its length, and the root.
    private static func encode(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }
}
