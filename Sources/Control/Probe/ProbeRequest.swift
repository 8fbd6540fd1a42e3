internal import Kubernetes
package import Wire

/// A packet was described that cannot be, or something else of the question makes no sense.
package struct ProbeError: Error, Equatable, Sendable {
    /// What is wrong, with the words that were given.
    package let problem: String
    /// What may have been meant.
    package let hint: String?

    init(_ problem: String, hint: String? = nil) {
        self.problem = problem
        self.hint = hint
    }
}

/// The packet of a "what if": what `culvert trace` was asked about.
package struct ProbeRequest: Equatable, Sendable {
    /// TCP, UDP or ICMP.
    package let transport: Wire.TransportProtocol
    /// Where the packet comes from.
    package let source: IPv4Address
    /// 0 for ICMP.
    package let sourcePort: UInt16
    /// Where it goes.
    package let destination: IPv4Address
    /// 0 for ICMP.
    package let destinationPort: UInt16
    /// Of TCP.
    package var flags: TCPFlags = .syn
    /// As the packet arrives.
    package var timeToLive: UInt8 = 64
    /// The IP total length; nil for the shortest packet of its kind.
    package var length: Int?

    /// The source port where none is given.
    package static let defaultSourcePort: UInt16 = 40000
    /// The identifier of pings.
    static let identifier: UInt16 = 1
    /// What ping(8) sends, in bytes.
    private static let pingLength = 84

    /// Reads `tcp`, `udp` or `icmp`, and where from and to, as the command line has them.
    package init(transport word: String, source: String, destination: String) throws(ProbeError) {
        switch word.lowercased() {
        case "tcp": transport = .tcp
        case "udp": transport = .udp
        case "icmp": transport = .icmp
        default:
            let meant = Suggestion.nearest(to: word, in: ["tcp", "udp", "icmp"])
            throw ProbeError("\(word): is not tcp, udp or icmp", hint: meant.map { "did you mean \($0)?" })
        }
        let from = try Self.place(source)
        let to = try Self.place(destination)
        if transport == .icmp {
            guard from.port == nil, to.port == nil else {
                throw ProbeError("\(from.port == nil ? destination : source): ICMP has no ports")
            }
        } else if to.port == nil {
            throw ProbeError("\(destination): has no port", hint: "\(destination):80, for example")
        }
        self.source = from.address
        self.destination = to.address
        sourcePort = transport == .icmp ? 0 : from.port ?? Self.defaultSourcePort
        destinationPort = to.port ?? 0
    }

    private static func place(_ text: String) throws(ProbeError) -> (address: IPv4Address, port: UInt16?) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPv4Address(first) else {
            throw ProbeError("\(text): is not an IPv4 address" + (parts.count > 1 ? " and port" : ""))
        }
        guard parts.count > 1 else { return (address, nil) }
        let digits = parts[1]
        guard digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let port = UInt16(digits) else {
            throw ProbeError("\(text): \(digits.isEmpty ? "nothing" : digits) is no port")
        }
        return (address, port)
    }

    /// Reads flags, as words (`syn,ack`) or as tcpdump prints them (`S.`).
    package mutating func setFlags(_ text: String) throws(ProbeError) {
        guard transport == .tcp else { throw ProbeError("--flags \(text): \(transport) has none") }
        flags = try Self.flags(text)
    }

    private static func flags(_ text: String) throws(ProbeError) -> TCPFlags {
        let letters: [Character: TCPFlags] = [
            "F": .fin, "S": .syn, "R": .rst, "P": .psh, ".": .ack, "U": .urg, "E": .ece, "W": .cwr,
        ]
        if !text.isEmpty, text.allSatisfy({ letters[$0] != nil }) {
            return TCPFlags(text.compactMap { letters[$0] })
        }
        let words: [String: TCPFlags] = [
            "fin": .fin, "syn": .syn, "rst": .rst, "psh": .psh, "ack": .ack, "urg": .urg, "ece": .ece, "cwr": .cwr,
            "none": [],
        ]
        var flags: TCPFlags = []
        for word in text.lowercased().split(separator: ",", omittingEmptySubsequences: false) {
            guard let flag = words[String(word)] else {
                throw ProbeError(
                    "--flags \(text): \(word.isEmpty ? "an empty word" : word) is no TCP flag",
                    hint: "fin, syn, rst, psh, ack, urg, ece, cwr or none, with commas between; or S. as tcpdump has it"
                )
            }
            flags.formUnion(flag)
        }
        return flags
    }

    /// The shortest packet of this kind, in bytes.
    private var minimumLength: Int {
        IPv4Packet.minimumHeaderLength
            + (transport == .tcp ? TCPSegment.minimumHeaderLength : UDPDatagram.headerLength)
    }

    /// The packet, whole and with right checksums; one to the cluster's DNS asks for its domain, unless it has a length.
    func packet(for cluster: Cluster) throws(ProbeError) -> [UInt8] {
        let total = length ?? (transport == .icmp ? Self.pingLength : minimumLength)
        guard (minimumLength...65535).contains(total) else {
            throw ProbeError("--length \(total): is outside \(minimumLength)-65535 for \(transport)")
        }
        var builder = PacketBuilder(from: source, to: destination)
        builder.timeToLive = timeToLive
        var payload = [UInt8](repeating: 0, count: total - minimumLength)
        if transport == .udp, length == nil, destination == cluster.ownDNSAddress,
            destinationPort == DNSHeader.port
        {
            payload = DNSQuery.message(cluster.configuration.cluster.domain, .startOfAuthority, identifier: 1)
        }
        switch transport {
        case .tcp:
            return builder.tcp(sourcePort, destinationPort, flags: flags, payload: payload)
        case .udp:
            return builder.udp(sourcePort, destinationPort, payload: payload)
        default:
            return builder.icmp(.echoRequest, rest: UInt32(Self.identifier) << 16 | 1, payload: payload)
        }
    }
}
