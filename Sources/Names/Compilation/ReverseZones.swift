internal import Datapath
internal import Wire

/// The zones of `in-addr.arpa` that the cluster answers for (RFC 1035 section 3.5).
///
/// Zones end at whole bytes of an address: a block of another length has several, and one longer than /24 has that of its
/// /24. An address outside of the blocks that has a name is a zone of its own, so that nothing is said of its neighbours.
struct ReverseZones {
    private let top: NameTableBuilder.Name
    private let server: NameTableBuilder.Name
    private let mailbox: NameTableBuilder.Name
    private var blocks: [IPv4Prefix] = []

    /// Makes the zones of some blocks.
    init?(
        _ blocks: [IPv4Prefix],
        server: NameTableBuilder.Name,
        mailbox: NameTableBuilder.Name,
        _ builder: inout NameTableBuilder
    ) {
        guard let top = builder.path("in-addr.arpa") else { return nil }
        self.top = top
        self.server = server
        self.mailbox = mailbox
        for block in blocks {
            let octets = min((Int(block.length) + 7) / 8, 3)
            self.blocks.append(IPv4Prefix(block.address, length: min(block.length, 24)))
            let free = max(octets * 8 - Int(block.length), 0)
            for number in 0..<UInt32(1) << UInt32(free) {
                let address = IPv4Address(bits: block.address.bits | number << UInt32(32 - octets * 8))
                guard let zone = name(of: address, octets: octets, &builder) else { return nil }
                builder.makeZone(zone, server: server, mailbox: mailbox)
            }
        }
    }

    /// The name under which an address is looked up.
    func name(of address: IPv4Address, _ builder: inout NameTableBuilder) -> NameTableBuilder.Name? {
        guard let name = name(of: address, octets: 4, &builder) else { return nil }
        if !blocks.contains(where: { $0.contains(address) }) {
            builder.makeZone(name, server: server, mailbox: mailbox)
        }
        return name
    }

    private func name(
        of address: IPv4Address,
        octets: Int,
        _ builder: inout NameTableBuilder
    ) -> NameTableBuilder.Name? {
        var name = top
        for number in 0..<octets {
            let octet = address.bits >> UInt32(24 - number * 8) & 255
            guard let next = builder.name("\(octet)", below: name) else { return nil }
            name = next
        }
        return name
    }
}
