/// The header of a DNS message (RFC 1035 section 4.1.1).
public enum DNSHeader {
    /// The port of servers, UDP and TCP (RFC 1035 section 4.2).
    public static let port: UInt16 = 53
    /// The length of the header, in bytes.
    public static let length = 12
    /// The longest message, which TCP can carry (RFC 1035 section 4.2.2).
    public static let maximumMessageLength = 65535
    /// The longest message over UDP for those who do not say otherwise (RFC 1035 section 4.2.1).
    public static let plainUDPLength = 512

    /// Where the fields stand, in bytes from the beginning of the message; 16 bits each.
    public enum Field {
        /// The number by which a client finds the answer to its question.
        public static let identifier = 0
        /// Flags, opcode and response code: `DNSFlags`.
        public static let flags = 2
        /// How many questions there are.
        public static let questions = 4
        /// How many records the answer section has.
        public static let answers = 6
        /// How many records the authority section has.
        public static let authorities = 8
        /// How many records the additional section has.
        public static let additionals = 10
    }
}

/// The second word of the header: flags, opcode and response code.
public struct DNSFlags: OptionSet, Sendable, BitwiseCopyable {
    /// The word in host byte order.
    public var rawValue: UInt16
    /// The flags of a word.
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// QR: the message is an answer.
    public static let response = DNSFlags(rawValue: 0x8000)
    /// AA: the answer comes from the owner of the zone.
    public static let authoritative = DNSFlags(rawValue: 0x0400)
    /// TC: something did not fit.
    public static let truncated = DNSFlags(rawValue: 0x0200)
    /// RD: the client wants the server to ask others.
    public static let recursionDesired = DNSFlags(rawValue: 0x0100)
    /// RA: the server would ask others.
    public static let recursionAvailable = DNSFlags(rawValue: 0x0080)

    /// The kind of query, 0 for a standard one; 4 bits.
    @inlinable public var opcode: UInt16 { rawValue >> 11 & 15 }
    /// The lower four bits of the response code.
    @inlinable public var code: UInt16 { rawValue & 15 }

    /// The bits of the opcode.
    public static let opcodeMask: UInt16 = 0x7800
}

/// What came of a query (RFC 1035 section 4.1.1, RFC 6891 section 6.1.3): 12 bits, the upper eight in the OPT record.
public struct DNSResponseCode: RawRepresentable, Sendable, Hashable, BitwiseCopyable {
    /// The number.
    public var rawValue: UInt16
    /// The code of a number.
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// No error; an answer without records says that the name has none of the type.
    public static let noError = DNSResponseCode(rawValue: 0)
    /// FORMERR: the query cannot be understood.
    public static let formatError = DNSResponseCode(rawValue: 1)
    /// NXDOMAIN: the name does not exist.
    public static let nameError = DNSResponseCode(rawValue: 3)
    /// NOTIMP: this kind of query is not answered.
    public static let notImplemented = DNSResponseCode(rawValue: 4)
    /// REFUSED: not for this server.
    public static let refused = DNSResponseCode(rawValue: 5)
    /// BADVERS: a version of EDNS that the server does not know.
    public static let badVersion = DNSResponseCode(rawValue: 16)
}

/// The type of a record, or what a question asks for.
public struct DNSRecordType: RawRepresentable, Sendable, Hashable, BitwiseCopyable {
    /// The number, in the registry of IANA.
    public var rawValue: UInt16
    /// The type of a number.
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// A: an IPv4 address.
    public static let address = DNSRecordType(rawValue: 1)
    /// NS: a server of the zone.
    public static let nameServer = DNSRecordType(rawValue: 2)
    /// CNAME: the name is another one's alias.
    public static let alias = DNSRecordType(rawValue: 5)
    /// SOA: the top of a zone.
    public static let startOfAuthority = DNSRecordType(rawValue: 6)
    /// PTR: the name of an address.
    public static let pointer = DNSRecordType(rawValue: 12)
    /// TXT: text.
    public static let text = DNSRecordType(rawValue: 16)
    /// AAAA: an IPv6 address (RFC 3596).
    public static let ipv6Address = DNSRecordType(rawValue: 28)
    /// SRV: host and port of a service (RFC 2782).
    public static let service = DNSRecordType(rawValue: 33)
    /// OPT: the record of EDNS (RFC 6891).
    public static let options = DNSRecordType(rawValue: 41)
    /// IXFR: the changes of a zone (RFC 1995).
    public static let incrementalTransfer = DNSRecordType(rawValue: 251)
    /// AXFR: all of a zone (RFC 5936).
    public static let transfer = DNSRecordType(rawValue: 252)
    /// ANY: whatever the server likes to give (RFC 8482).
    public static let any = DNSRecordType(rawValue: 255)
}

/// The class of the internet, the only one in use (RFC 1035 section 3.2.4).
public let dnsInternetClass: UInt16 = 1
