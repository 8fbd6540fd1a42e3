/// What a walk over the options of an IPv4 header found (RFC 791 section 3.1).
public enum IPv4Options: Sendable {
    /// Nothing that a router must refuse.
    case harmless
    /// Loose or strict source routing (types 131 and 137), which a Service datapath refuses (RFC 7126 section 4.3).
    case sourceRoute

    /// Walks the options between the fixed header and `headerLength` (in bytes); every length must keep within.
    ///
    /// The header must be there as far as `headerLength`. Throws `option`.
    @inlinable public static func walk(_ bytes: RawSpan, headerLength: Int) throws(Malformed) -> IPv4Options {
        var found = IPv4Options.harmless
        var at = IPv4Packet.minimumHeaderLength
        while at < headerLength {
            let type = bytes.load8(at)
            if type == 0 { break }  // end of the list; what follows is padding
            if type == 1 {  // no operation, one byte
                at &+= 1
                continue
            }
            guard headerLength &- at >= 2 else { throw .option }
            let length = Int(bytes.load8(at &+ 1))
            guard length >= 2, length <= headerLength &- at else { throw .option }
            if type == 131 || type == 137 { found = .sourceRoute }
            at &+= length
        }
        return found
    }
}
