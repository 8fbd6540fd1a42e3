/// A view of one ICMP message, in place (RFC 792).
public struct ICMPv4Message: ~Copyable, ~Escapable {
    public var bytes: MutableRawSpan

    public enum Field {
        public static let type = 0
        public static let code = 1
        public static let checksum = 2
        public static let identifier = 4
        public static let sequence = 6
        public static let end = 8
    }

    /// The length of the header that all types share, in bytes.
    @inlinable public static var headerLength: Int { 8 }
    /// Where the checksum stands, in bytes from the beginning of the header.
    @inlinable public static var checksumOffset: Int { 2 }

    @_lifetime(copy bytes)
    @inlinable public init(validating bytes: consuming MutableRawSpan) throws(Malformed) {
        guard bytes.byteCount >= Field.end else { throw .shortTransport }
        self.bytes = bytes
    }

    public var type: ICMPv4Type {
        @inlinable get { ICMPv4Type(rawValue: bytes.load8(Field.type)) }
        @inlinable @_lifetime(self: copy self) set { bytes.store8(newValue.rawValue, at: Field.type) }
    }
    public var code: UInt8 {
        @inlinable get { bytes.load8(Field.code) }
        @inlinable @_lifetime(self: copy self) set { bytes.store8(newValue, at: Field.code) }
    }
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
    public var rawValue: UInt8

    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    @inlinable public static var echoReply: Self { Self(rawValue: 0) }
    @inlinable public static var destinationUnreachable: Self { Self(rawValue: 3) }
    @inlinable public static var sourceQuench: Self { Self(rawValue: 4) }
    @inlinable public static var redirect: Self { Self(rawValue: 5) }
    @inlinable public static var echoRequest: Self { Self(rawValue: 8) }
    @inlinable public static var timeExceeded: Self { Self(rawValue: 11) }
    @inlinable public static var parameterProblem: Self { Self(rawValue: 12) }
    @inlinable public static var timestampRequest: Self { Self(rawValue: 13) }
    @inlinable public static var timestampReply: Self { Self(rawValue: 14) }

    /// Whether the message reports an error about a packet that it quotes (RFC 1122 section 3.2.2).
    @inlinable public var isError: Bool {
        switch rawValue {
        case 3, 4, 5, 11, 12: true
        default: false
        }
    }

    /// Whether the message is a question that a `queryReply` answers.
    @inlinable public var isQuery: Bool { rawValue == 8 || rawValue == 13 }
    /// Whether the message answers a query.
    @inlinable public var isQueryReply: Bool { rawValue == 0 || rawValue == 14 }
}

/// The codes of "destination unreachable" that Culvert sends or looks at (RFC 792, RFC 1812 section 5.2.7.1).
public enum UnreachableCode {
    public static let port: UInt8 = 3
    public static let fragmentationNeeded: UInt8 = 4
    public static let administrativelyProhibited: UInt8 = 13
}
