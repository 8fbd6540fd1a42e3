internal import Tables
internal import Wire

/// How a message travels, which decides how long it may be.
package enum NameTransport: Sendable, BitwiseCopyable {
    /// In a datagram: 512 bytes, or as many as the client says with EDNS (RFC 6891 section 6.2.3).
    case datagram
    /// Over a connection.
    case stream
}

// The server's part of DNS, for zones that it owns and nothing else (RFC 1034 section 4.3.2): no recursion, no transfer.
// One function for UDP in the datapath and for TCP in the daemon.

extension NameTable {
    /// How many aliases are followed in one answer; a circle of them ends there.
    private static var aliasLimit: Int { 8 }
    /// The length of an OPT record without options.
    private static var extensionsLength: Int { 11 }
    /// The longest datagram that is taken, as DNS Flag Day 2020 recommends.
    private static var takenPayload: UInt16 { 1232 }

    /// Writes the response to a message; returns its length, 0 for a message that gets none.
    ///
    /// At most one response to whatever comes, and none to a response. What does not fit is left out with the flag TC,
    /// down to the bare header. `response` has room for a header at least, and does not overlap `message`.
    package func respond(
        to message: RawSpan,
        into response: inout MutableRawSpan,
        _ transport: NameTransport
    ) -> Int {
        guard response.byteCount >= DNSHeader.length else { return 0 }
        switch DNSQuery.read(message) {
        case .success(let query):
            return respond(to: query, message, into: &response, transport)
        case .failure(.noQuery):
            return 0
        case .failure(.code(let code)):
            var reply = NameResponse(limit: response.byteCount)
            reply.code = code
            reply.finish(query: message, questions: 0, &response)
            return reply.writer.at
        }
    }

    /// The response to a message, at most `limit` bytes long; nil for a message that gets none.
    package func response(to message: [UInt8], _ transport: NameTransport, limit: Int) -> [UInt8]? {
        var response = [UInt8](repeating: 0, count: max(limit, DNSHeader.length))
        let length = withBytes(of: message) { query in
            withMutableBytes(of: &response) { respond(to: query, into: &$0, transport) }
        }
        if length == 0 { return nil }
        response.removeLast(response.count - length)
        return response
    }

    private func respond(
        to query: DNSQuery,
        _ message: RawSpan,
        into bytes: inout MutableRawSpan,
        _ transport: NameTransport
    ) -> Int {
        var limit = min(bytes.byteCount, DNSHeader.maximumMessageLength)
        if transport == .datagram {
            limit = min(limit, max(DNSHeader.plainUDPLength, query.extensions?.payloadSize ?? 0))
        }
        let reserved = query.extensions == nil ? 0 : Self.extensionsLength
        var reply = NameResponse(limit: limit - reserved)
        guard query.questionEnd + reserved <= limit else {
            reply.flags.insert(.truncated)
            reply.finish(query: message, questions: 0, &bytes)
            return reply.writer.at
        }
        // The question goes back as it came, upper and lower case included.
        let question = message.extracting(DNSHeader.length..<query.questionEnd)
        copyBytes(question, into: &bytes, at: DNSHeader.length)
        reply.writer.rewind(to: query.questionEnd)
        if (query.extensions?.version ?? 0) > 0 {
            reply.code = .badVersion
        } else if query.recordClass != dnsInternetClass || query.type == .transfer
            || query.type == .incrementalTransfer
        {
            reply.code = .refused
        } else {
            resolve(query, message, &reply, &bytes)
        }
        if query.extensions != nil { appendExtensions(&reply, limit: limit, &bytes) }
        reply.finish(query: message, questions: 1, &bytes)
        return reply.writer.at
    }

    /// Finds the name, follows aliases, and writes the three sections.
    private func resolve(
        _ query: DNSQuery,
        _ message: RawSpan,
        _ reply: inout NameResponse,
        _ bytes: inout MutableRawSpan
    ) {
        var match = find(query.name, message, &reply)
        guard match.zone != 0 else {
            reply.code = .refused
            return
        }
        reply.flags.insert(.authoritative)
        var owner: UInt32?
        var follows = 0
        while match.exists, query.type != .alias, query.type != .any, let alias = alias(of: match.node),
            match.podAddress == nil
        {
            guard append(alias, weight: 0, owner, &reply, &bytes) else { return }
            follows += 1
            match = self.match(alias.value)
            owner = alias.value
            // What lies elsewhere is left to the client.
            if match.zone == 0 || follows == Self.aliasLimit { return }
        }
        if !match.exists { reply.code = .nameError }
        let before = reply.answers
        let start = reply.writer.at
        guard appendAnswers(query.type, match, owner, &reply, &bytes) else { return }
        if reply.answers == before {
            appendAuthority(match.zone, &reply, &bytes)
        } else {
            appendTargets(match.node, start, Int(reply.answers - before), &reply, &bytes)
        }
    }

    /// Walks down the labels of a name, from the last one on, and remembers where each name on the way stands.
    private func find(_ name: DNSName, _ message: RawSpan, _ reply: inout NameResponse) -> Match {
        var node: UInt32 = 0
        var zone: UInt32 = 0
        var left = name.labelCount
        while left > 0 {
            let offset = name.offset(left - 1)
            let label = DNSLabel(message, at: offset)
            guard let next = child(of: node, label), nodes[next].marks.contains(.exists) else {
                var match = Match(node: node, zone: zone, exists: false, podAddress: nil)
                if left == 1, nodes[node].marks.contains(.pods) {
                    match.podAddress = Self.podAddress(label)
                    match.exists = match.podAddress != nil
                }
                return match
            }
            node = next
            if nodes[node].marks.contains(.zone) { zone = node }
            reply.remember(node, at: offset)
            left -= 1
        }
        return Match(node: node, zone: zone, exists: true, podAddress: nil)
    }

    private func alias(of node: UInt32) -> Record? {
        let first = nodes[node].firstRecord
        guard nodes[node].recordCount > 0, records[first].type == .alias else { return nil }
        return records[first]
    }

    /// Writes the records of a type; false when not all of them fit.
    private func appendAnswers(
        _ type: DNSRecordType,
        _ match: Match,
        _ owner: UInt32?,
        _ reply: inout NameResponse,
        _ bytes: inout MutableRawSpan
    ) -> Bool {
        if let address = match.podAddress {
            guard type == .address || type == .any else { return true }
            let record = Record(type: .address, port: 0, value: address)
            return append(record, weight: 0, owner, &reply, &bytes)
        }
        guard match.exists else { return true }
        let node = nodes[match.node]
        guard node.recordCount > 0 else { return true }
        // RFC 8482 section 4.1: of all types one is enough.
        let wanted = type == .any ? records[node.firstRecord].type : type
        let weight = wanted == .service ? UInt16(truncatingIfNeeded: max(100 / node.recordCount, 1)) : 0
        for number in node.firstRecord..<node.firstRecord &+ node.recordCount where records[number].type == wanted {
            guard append(records[number], weight: weight, owner, &reply, &bytes) else { return false }
        }
        return true
    }

    /// Writes one record into the answer section; false, with TC set, when it does not fit.
    private func append(
        _ record: Record,
        weight: UInt16,
        _ owner: UInt32?,
        _ reply: inout NameResponse,
        _ bytes: inout MutableRawSpan
    ) -> Bool {
        let mark = reply.mark
        appendOwner(owner, &reply, &bytes)
        reply.append(record, weight: weight, self, to: &bytes)
        if reply.writer.isFull || reply.answers == .max {
            reply.rewind(to: mark)
            reply.flags.insert(.truncated)
            return false
        }
        reply.answers &+= 1
        return true
    }

    /// Writes the name that a record belongs to: that of the question, unless an alias has led elsewhere.
    private func appendOwner(_ owner: UInt32?, _ reply: inout NameResponse, _ bytes: inout MutableRawSpan) {
        if let owner {
            reply.append(owner, self, to: &bytes)
        } else {
            reply.writer.append(pointer: DNSHeader.length, to: &bytes)
        }
    }

    /// Writes the SOA record that says how long "there is none" holds (RFC 2308 section 3).
    private func appendAuthority(_ zone: UInt32, _ reply: inout NameResponse, _ bytes: inout MutableRawSpan) {
        let first = nodes[zone].firstRecord
        for number in first..<first &+ nodes[zone].recordCount where records[number].type == .startOfAuthority {
            let mark = reply.mark
            reply.append(zone, self, to: &bytes)
            reply.append(records[number], weight: 0, self, to: &bytes)
            if reply.writer.isFull { return reply.rewind(to: mark) }
            reply.authorities = 1
            return
        }
    }

    /// Writes the addresses of the targets of SRV records, as far as they fit (RFC 2181 section 9).
    ///
    /// The answers begin at `start`; each target stands at the end of its record, so that it can be pointed to.
    private func appendTargets(
        _ node: UInt32,
        _ start: Int,
        _ count: Int,
        _ reply: inout NameResponse,
        _ bytes: inout MutableRawSpan
    ) {
        let first = nodes[node].firstRecord
        var at = start
        var left = count
        for number in first..<first &+ nodes[node].recordCount {
            let record = records[number]
            guard record.type == .service, left > 0, let fields = DNSName.skip(bytes.bytes, at: at) else { continue }
            left &-= 1
            // Type, class, TTL and length, then priority, weight and port.
            let target = fields &+ 16
            at = fields &+ 10 &+ Int(bytes.loadBE16(fields &+ 8))
            guard target < 0x4000, appendAddresses(of: record.value, at: target, &reply, &bytes) else { return }
        }
    }

    private func appendAddresses(
        of node: UInt32,
        at place: Int,
        _ reply: inout NameResponse,
        _ bytes: inout MutableRawSpan
    ) -> Bool {
        let first = nodes[node].firstRecord
        for number in first..<first &+ nodes[node].recordCount where records[number].type == .address {
            let mark = reply.mark
            reply.writer.append(pointer: place, to: &bytes)
            reply.appendAddress(records[number].value, to: &bytes)
            if reply.writer.isFull || reply.additionals == .max - 1 {
                reply.rewind(to: mark)
                return false
            }
            reply.additionals &+= 1
        }
        return true
    }

    /// Writes the OPT record, for which room was kept (RFC 6891 section 6.1.2).
    private func appendExtensions(_ reply: inout NameResponse, limit: Int, _ bytes: inout MutableRawSpan) {
        reply.writer.limit = limit
        reply.writer.append(UInt8(0), to: &bytes)
        reply.writer.append(DNSRecordType.options.rawValue, to: &bytes)
        reply.writer.append(Self.takenPayload, to: &bytes)
        reply.writer.append(UInt32(reply.code.rawValue >> 4) << 24, to: &bytes)
        reply.writer.append(UInt16(0), to: &bytes)
        reply.additionals &+= 1
    }
}
