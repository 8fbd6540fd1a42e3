internal import Tables
internal import Wire

/// A response that is being written: numbers only; the bytes are handed in with each call.
///
/// Names are compressed against all that stand in the message already, by the numbers of their nodes; of the places
/// of names the first few are remembered, so a long answer is compressed less.
struct NameResponse: BitwiseCopyable {
    var writer: DNSWriter
    var flags: DNSFlags = [.response]
    var code = DNSResponseCode.noError
    var answers: UInt16 = 0
    var authorities: UInt16 = 0
    var additionals: UInt16 = 0
    private var placeNodes = InlineArray<32, UInt32>(repeating: 0)
    private var placeOffsets = InlineArray<32, UInt16>(repeating: 0)
    private var placeCount = 0

    /// How long a client may keep a record, in seconds: the default of CoreDNS; also of what does not exist (RFC 2308).
    static var timeToLive: UInt32 { 5 }

    init(limit: Int) { writer = DNSWriter(at: DNSHeader.length, limit: limit) }

    /// A place to go back to.
    struct Mark: BitwiseCopyable {
        var at: Int
        var placeCount: Int
    }

    var mark: Mark { Mark(at: writer.at, placeCount: placeCount) }

    mutating func rewind(to mark: Mark) {
        writer.rewind(to: mark.at)
        placeCount = mark.placeCount
    }

    /// Remembers that a name stands at an offset.
    mutating func remember(_ node: UInt32, at offset: Int) {
        guard placeCount < placeNodes.count, offset < 0x4000 else { return }
        placeNodes[placeCount] = node
        placeOffsets[placeCount] = UInt16(truncatingIfNeeded: offset)
        placeCount &+= 1
    }

    private func place(of node: UInt32) -> Int? {
        for number in 0..<placeCount where placeNodes[number] == node { return Int(placeOffsets[number]) }
        return nil
    }

    /// Writes a name, or what of it stands nowhere yet and a pointer to the rest.
    mutating func append(
        _ node: UInt32,
        _ table: NameTable,
        compressed: Bool = true,
        to bytes: inout MutableRawSpan
    ) {
        var current = node
        while current != 0 {
            if compressed, let offset = place(of: current) {
                writer.append(pointer: offset, to: &bytes)
                return
            }
            remember(current, at: writer.at)
            writer.append(table.label(at: table.nodes[current].label), to: &bytes)
            current = table.nodes[current].parent
        }
        writer.append(UInt8(0), to: &bytes)
    }

    /// Writes what stands before the data of a record, with no length of it yet; returns where that goes.
    private mutating func begin(_ type: DNSRecordType, _ bytes: inout MutableRawSpan) -> Int {
        writer.append(type.rawValue, to: &bytes)
        writer.append(dnsInternetClass, to: &bytes)
        writer.append(Self.timeToLive, to: &bytes)
        writer.append(UInt16(0), to: &bytes)
        return writer.at
    }

    private func end(_ data: Int, _ bytes: inout MutableRawSpan) {
        if !writer.isFull { bytes.storeBE(UInt16(truncatingIfNeeded: writer.at &- data), at: data &- 2) }
    }

    /// Writes an A record behind its owner.
    mutating func appendAddress(_ address: UInt32, to bytes: inout MutableRawSpan) {
        let data = begin(.address, &bytes)
        writer.append(address, to: &bytes)
        end(data, &bytes)
    }

    /// Writes a record behind its owner; `weight` is for SRV only.
    mutating func append(
        _ record: NameTable.Record,
        weight: UInt16,
        _ table: NameTable,
        to bytes: inout MutableRawSpan
    ) {
        let data = begin(record.type, &bytes)
        switch record.type {
        case .address:
            writer.append(record.value, to: &bytes)
        case .service:
            writer.append(UInt16(0), to: &bytes)
            writer.append(weight, to: &bytes)
            writer.append(record.port, to: &bytes)
            // RFC 2782: the target must not be compressed.
            append(record.value, table, compressed: false, to: &bytes)
        case .text:
            writer.append(table.label(at: record.value), to: &bytes)
        case .startOfAuthority:
            append(record.value, table, to: &bytes)
            append(table.mailbox, table, to: &bytes)
            // Serial, refresh, retry and expire are for those who copy a zone, which nobody can.
            writer.append(UInt32(1), to: &bytes)
            writer.append(UInt32(7200), to: &bytes)
            writer.append(UInt32(1800), to: &bytes)
            writer.append(UInt32(86400), to: &bytes)
            writer.append(Self.timeToLive, to: &bytes)
        default:
            append(record.value, table, to: &bytes)
        }
        end(data, &bytes)
    }

    /// Writes the header over the first twelve bytes.
    func finish(query: RawSpan, questions: UInt16, _ bytes: inout MutableRawSpan) {
        typealias Field = DNSHeader.Field
        let asked = query.loadBE16(Field.flags)
        let kept = asked & (DNSFlags.opcodeMask | DNSFlags.recursionDesired.rawValue)
        bytes.storeBE(query.loadBE16(Field.identifier), at: Field.identifier)
        bytes.storeBE(flags.rawValue | kept | code.rawValue & 15, at: Field.flags)
        bytes.storeBE(questions, at: Field.questions)
        bytes.storeBE(answers, at: Field.answers)
        bytes.storeBE(authorities, at: Field.authorities)
        bytes.storeBE(additionals, at: Field.additionals)
    }
}
