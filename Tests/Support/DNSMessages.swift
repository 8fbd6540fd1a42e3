package import Datapath
package import Wire

/// A DNS query as bytes, each part of which can be wrong.
package struct DNSQuestion: Sendable {
    package var name: String
    package var type: DNSRecordType
    package var identifier: UInt16 = 0x1d64
    /// Recursion desired, as stubs ask.
    package var flags: UInt16 = 0x0100
    package var recordClass: UInt16 = 1
    package var questions: UInt16 = 1
    /// The payload size of an OPT record; nil for none.
    package var payloadSize: UInt16?
    package var version: UInt8 = 0

    package init(_ name: String, _ type: DNSRecordType = .address, payloadSize: UInt16? = nil) {
        self.name = name
        self.type = type
        self.payloadSize = payloadSize
    }

    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for field in [identifier, flags, questions, 0, 0, payloadSize == nil ? 0 : 1] { bytes.append(big: field) }
        bytes += Self.encode(name)
        bytes.append(big: type.rawValue)
        bytes.append(big: recordClass)
        if let payloadSize {
            bytes += [0, 0, 41]
            bytes.append(big: payloadSize)
            bytes += [0, version, 0, 0, 0, 0]
        }
        return bytes
    }

    /// A name as its labels, each behind its length, and the root.
    package static func encode(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + Array($0.utf8) } + [0]
    }
}

/// A DNS message taken apart by the book (RFC 1035), independently of the reader of `Wire`, as lines of text.
package struct DNSDissection: Sendable, Equatable {
    package let identifier: UInt16
    package let flags: UInt16
    package var code: UInt16
    /// `name TYPE`, the name as it was written.
    package var question: String?
    /// `name TYPE data`, one for each record.
    package private(set) var answers: [String] = []
    package private(set) var authorities: [String] = []
    /// Without the OPT record.
    package private(set) var additionals: [String] = []
    /// The payload size of the OPT record.
    package private(set) var payloadSize: UInt16?
    /// How many bytes are left behind the last record.
    package private(set) var rest = 0

    package var isResponse: Bool { flags & 0x8000 != 0 }
    package var isAuthoritative: Bool { flags & 0x0400 != 0 }
    package var isTruncated: Bool { flags & 0x0200 != 0 }
    package var offersRecursion: Bool { flags & 0x0080 != 0 }

    /// In one line, for tables: the code, answers, `|` and authorities.
    package var summary: String {
        let names: [UInt16: String] = [
            0: answers.isEmpty ? "NODATA" : "NOERROR", 1: "FORMERR", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED",
            16: "BADVERS",
        ]
        let zone = authorities.first.map { " | " + $0.split(separator: " ").prefix(2).joined(separator: " ") } ?? ""
        return ([names[code] ?? "\(code)"] + answers).joined(separator: " ; ") + zone
    }

    /// Nil when the bytes are no whole message.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 12 else { return nil }
        func word(_ at: Int) -> UInt16? { at + 1 < bytes.count ? UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) : nil }
        identifier = word(0) ?? 0
        flags = word(2) ?? 0
        code = flags & 15
        var at = 12
        func name(_ start: Int) -> (text: String, end: Int)? {
            var (at, end, labels, hops) = (start, -1, [String](), 0)
            while at < bytes.count {
                let octet = Int(bytes[at])
                if octet == 0 {
                    let text = labels.isEmpty ? "." : labels.joined(separator: ".")
                    return (text, end < 0 ? at + 1 : end)
                }
                if octet >= 192 {
                    guard let target = word(at), hops < 100 else { return nil }
                    if end < 0 { end = at + 2 }
                    hops += 1
                    at = Int(target) & 0x3fff
                } else {
                    guard octet < 64, at + octet < bytes.count else { return nil }
                    labels.append(String(decoding: bytes[(at + 1)...(at + octet)], as: UTF8.self))
                    at += octet + 1
                }
            }
            return nil
        }
        func record() -> (text: String, type: UInt16, recordClass: UInt16, ttl: [UInt8])? {
            guard let owner = name(at), let type = word(owner.end), let length = word(owner.end + 8) else { return nil }
            let data = owner.end + 10
            let end = data + Int(length)
            guard end <= bytes.count else { return nil }
            at = end
            var text = ""
            switch type {
            case 1 where length == 4: text = "A " + bytes[data..<end].map(String.init).joined(separator: ".")
            case 2, 5, 12:
                guard let target = name(data), target.end == end else { return nil }
                text = (type == 2 ? "NS " : type == 5 ? "CNAME " : "PTR ") + target.text
            case 6:
                guard let server = name(data), let mailbox = name(server.end), mailbox.end + 20 == end else {
                    return nil
                }
                text = "SOA \(server.text) \(mailbox.text)"
            case 16: text = "TXT " + String(decoding: bytes[(data + 1)..<end], as: UTF8.self)
            case 33:
                guard let target = name(data + 6), target.end == end else { return nil }
                text = "SRV \(word(data) ?? 0) \(word(data + 2) ?? 0) \(word(data + 4) ?? 0) \(target.text)"
                // RFC 2782: not compressed.
                if bytes[(data + 6)..<end].contains(where: { $0 >= 192 }) { return nil }
            default: text = "TYPE\(type)"
            }
            let (recordClass, ttl) = (word(owner.end + 2) ?? 0, Array(bytes[(owner.end + 4)..<(owner.end + 8)]))
            return ("\(owner.text) \(text)", type, recordClass, ttl)
        }
        for _ in 0..<(word(4) ?? 0) {
            guard let asked = name(at), let type = word(asked.end) else { return nil }
            question = "\(asked.text) \(type)"
            at = asked.end + 4
        }
        for (section, count) in [word(6) ?? 0, word(8) ?? 0, word(10) ?? 0].enumerated() {
            for _ in 0..<count {
                guard let found = record() else { return nil }
                if section == 2, found.type == 41 {
                    payloadSize = found.recordClass
                    code |= UInt16(found.ttl[0]) << 4
                } else if found.recordClass != 1 || found.ttl != [0, 0, 0, 5] {
                    return nil
                } else if section == 0 {
                    answers.append(found.text)
                } else if section == 1 {
                    authorities.append(found.text)
                } else {
                    additionals.append(found.text)
                }
            }
        }
        rest = bytes.count - at
    }
}

extension NameTable {
    /// The response to a message as it was taken apart; nil for none, or for one that is no message.
    package func ask(
        _ question: DNSQuestion,
        _ transport: NameTransport = .datagram,
        limit: Int = 65535
    ) -> DNSDissection? {
        response(to: question.bytes, transport, limit: limit).flatMap { DNSDissection($0) }
    }
}
