/// A view of one ICMP message, in place (RFC 792).
public struct ICMPv4Message: ~Copyable, ~Escapable {
    /// The message from its header on, as far as it is there.
    public var bytes: MutableRawSpan

    /// Where the fields stand, in bytes from the beginning of the header (RFC 792).
    public enum Field {
        /// What the message is; 8 bits.
        public static let type = 0
        /// What exactly, within its type; 8 bits.
        public static let code = 1
        /// The sum over header and data, without a pseudo-header; 16 bits.
        public static let checksum = 2
        /// Of echo and timestamp; 16 bits.
        public static let identifier = 4
        /// Of echo and timestamp; 16 bits.
        public static let sequence = 6
        /// Where the header ends.
        public static let end = 8
    }

    /// The length of the header that all types share, in bytes.
    @inlinable public static var headerLength: Int { 8 }
    /// Where the checksum stands, in bytes from the beginning of the header.
    @inlinable public static var checksumOffset: Int { 2 }

    /// Checks that the header is there; throws `shortTransport` otherwise.
    @_lifetime(copy bytes)
    @inlinable public init(validating bytes: consuming MutableRawSpan) throws(Malformed) {
        guard bytes.byteCount >= Field.end else { throw .shortTransport }
        self.bytes = bytes
    }

    /// What the message is; setting it leaves the checksum to the caller.
    public var type: ICMPv4Type {
        @inlinable get { ICMPv4Type(rawValue: bytes.load8(Field.type)) }
        @inlinable @_lifetime(self: copy self) set { bytes.store8(newValue.rawValue, at: Field.type) }
    }
    /// What exactly the message says, within its type; setting it leaves the checksum to the caller.
    public var code: UInt8 {
        @inlinable get { bytes.load8(Field.code) }
        @inlinable @_lifetime(self: copy self) set { bytes.store8(newValue, at: Field.code) }
    }
    /// The checksum in host byte order, as the header carries it.
    public var checksum: UInt16 {
        @inlinable get { bytes.loadBE16(Field.checksum) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.checksum) }
    }
    /// Of echo and its kin: what ties a reply to its request, as a port does.
    public var identifier: UInt16 {
        @inlinable get { bytes.loadBE16(Field.identifier) }
        @inlinable @_lifetime(self: copy self) set { bytes.storeBE(newValue, at: Field.identifier) }
    }
}

/// The type of an ICMP message (RFC 792, IANA "ICMP Type Numbers").
public struct ICMPv4Type: Hashable, Sendable, BitwiseCopyable, RawRepresentable {
    /// The number in the header.
    public var rawValue: UInt8

    /// The type with a number, assigned or not.
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The answer to a ping (RFC 792).
    @inlinable public static var echoReply: Self { Self(rawValue: 0) }
    /// An error: the packet could not be delivered; `UnreachableCode` says why (RFC 792).
    @inlinable public static var destinationUnreachable: Self { Self(rawValue: 3) }
    /// An error that asked for a lower rate; obsolete (RFC 6633).
    @inlinable public static var sourceQuench: Self { Self(rawValue: 4) }
    /// A hint at a better first hop; quotes a packet as an error does (RFC 792).
    @inlinable public static var redirect: Self { Self(rawValue: 5) }
    /// A ping (RFC 792).
    @inlinable public static var echoRequest: Self { Self(rawValue: 8) }
    /// An error: the TTL or the time for reassembly is over (RFC 792).
    @inlinable public static var timeExceeded: Self { Self(rawValue: 11) }
    /// An error: a field of the header is wrong (RFC 792).
    @inlinable public static var parameterProblem: Self { Self(rawValue: 12) }
    /// A question for the time (RFC 792).
    @inlinable public static var timestampRequest: Self { Self(rawValue: 13) }
    /// The answer to one (RFC 792).
    @inlinable public static var timestampReply: Self { Self(rawValue: 14) }

    /// Whether the message reports an error about a packet that it quotes (RFC 1122 section 3.2.2).
    @inlinable public var isError: Bool {
        switch rawValue {
        case 3, 4, 5, 11, 12: true
        default: false
        }
    }

    /// Whether the message is a question that a query reply answers: echo or timestamp.
    @inlinable public var isQuery: Bool { rawValue == 8 || rawValue == 13 }
    /// Whether the message answers a query.
    @inlinable public var isQueryReply: Bool { rawValue == 0 || rawValue == 14 }
}

/// The codes of "destination unreachable" that Culvert sends or looks at (RFC 792, RFC 1812 section 5.2.7.1).
public enum UnreachableCode {
    /// No one listens on the port (RFC 792).
    public static let port: UInt8 = 3
    /// The packet is longer than the next link takes, and must not be fragmented (RFC 792, RFC 1191).
    public static let fragmentationNeeded: UInt8 = 4
    /// A filter refuses the packet (RFC 1812 section 5.2.7.1).
    public static let administrativelyProhibited: UInt8 = 13
}
