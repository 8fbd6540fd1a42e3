/// What is wrong with the bytes of a packet; each case is a drop reason of the datapath (`malformed.…`, `short.…`).
public enum Malformed: UInt8, Error, Sendable {
    /// Fewer bytes than an IPv4 header has; or a capture kept fewer than its IHL says.
    case shortIP
    /// The version field is not 4.
    case version
    /// The header length field says less than 20 bytes, or more than the packet has (RFC 791 section 3.1).
    case headerLength
    /// The total length is below the header length or beyond the frame.
    case totalLength
    /// An IP option with an impossible length (RFC 791 section 3.1).
    case option
    /// Fewer bytes than the header of TCP, UDP or ICMP has.
    case shortTransport
    /// A TCP data offset below 5 or beyond the segment (RFC 9293 section 3.1).
    case tcpDataOffset
    /// A UDP length below 8 or beyond the datagram (RFC 768).
    case udpLength
}
