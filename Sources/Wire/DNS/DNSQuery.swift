/// A query that can be answered: one question of a standard query, and what EDNS says of its sender (RFC 1035 section 4.1,
/// RFC 6891).
public struct DNSQuery: Sendable, BitwiseCopyable {
    /// What a client told with an OPT record.
    public struct Extensions: Sendable, BitwiseCopyable {
        /// The longest message over UDP that the client takes, in bytes, as it says.
        public var payloadSize: Int
        /// The version of EDNS.
        public var version: UInt8
    }

    /// Why a message gets no answer, or only a response code.
    public enum Refusal: Error, Hashable, Sendable {
        /// It is no query: shorter than a header, or a response. To answer could go on for ever.
        case noQuery
        /// The header is all that could be read.
        case code(DNSResponseCode)
    }

    /// The name in question.
    public let name: DNSName
    /// The type in question.
    public let type: DNSRecordType
    /// The class in question.
    public let recordClass: UInt16
    /// Where the question ends; it begins behind the header.
    public let questionEnd: Int
    /// What EDNS says; nil for a client without it.
    public let extensions: Extensions?

    /// Reads a message; bounded by its length, whatever it says of itself.
    ///
    /// What cannot be answered is a value and no thrown error: whoever sends it chooses how often that happens, and to throw
    /// out of an initializer asks for memory (seen with Swift 6.3.1).
    public static func read(_ message: RawSpan) -> Result<DNSQuery, Refusal> {
        typealias Field = DNSHeader.Field
        guard message.byteCount >= DNSHeader.length else { return .failure(.noQuery) }
        let flags = DNSFlags(rawValue: message.loadBE16(Field.flags))
        if flags.contains(.response) { return .failure(.noQuery) }
        if flags.opcode != 0 { return .failure(.code(.notImplemented)) }
        // RFC 9619: one question, no more and no less.
        guard message.loadBE16(Field.questions) == 1, let name = DNSName(message, at: DNSHeader.length),
            name.end + 4 <= message.byteCount,
            case .some(let extensions) = extensions(message, behind: name.end + 4)
        else { return .failure(.code(.formatError)) }
        return .success(
            DNSQuery(
                name: name,
                type: DNSRecordType(rawValue: message.loadBE16(name.end)),
                recordClass: message.loadBE16(name.end + 2),
                questionEnd: name.end + 4,
                extensions: extensions
            )
        )
    }

    /// A query for a name in the dotted form, as a message; labels that are none are left out.
    public static func message(_ name: String, _ type: DNSRecordType, identifier: UInt16) -> [UInt8] {
        var bytes: [UInt8] = []
        for field in [identifier, DNSFlags.recursionDesired.rawValue, 1, 0, 0, 0] { bytes.append(big: field) }
        for part in name.split(separator: ".") {
            guard let label = DNSLabel(part) else { continue }
            for place in 0...label.count { bytes.append(label.byte(place)) }
        }
        bytes.append(0)
        bytes.append(big: type.rawValue)
        bytes.append(big: dnsInternetClass)
        return bytes
    }

    /// Walks over the records behind the question to the OPT record; nil when they are damaged.
    private static func extensions(_ message: RawSpan, behind question: Int) -> Extensions?? {
        typealias Field = DNSHeader.Field
        let others = Int(message.loadBE16(Field.answers)) + Int(message.loadBE16(Field.authorities))
        let all = others + Int(message.loadBE16(Field.additionals))
        var at = question
        var found: Extensions?
        // Each record has eleven bytes at least, so the length of the message bounds the walk.
        for number in 0..<all {
            guard let fields = DNSName.skip(message, at: at), fields + 10 <= message.byteCount else {
                return nil
            }
            let next = fields + 10 + Int(message.loadBE16(fields + 8))
            guard next <= message.byteCount else { return nil }
            if number >= others, message.loadBE16(fields) == DNSRecordType.options.rawValue {
                // RFC 6891 section 6.1.1: one of them, at the root.
                guard found == nil, fields == at + 1 else { return nil }
                found = Extensions(
                    payloadSize: Int(message.loadBE16(fields + 2)),
                    version: message.load8(fields + 5)
                )
            }
            at = next
        }
        return .some(found)
    }
}
