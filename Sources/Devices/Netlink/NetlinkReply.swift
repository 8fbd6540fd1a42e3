internal import CTun

/// A reply that is not a netlink message: which rule it breaks.
package enum NetlinkMalformed: Error, Equatable, Sendable {
    /// Fewer bytes than a header has, or a length that ends within the header or behind the datagram.
    case message
    /// The same, of an attribute.
    case attribute
    /// A fixed structure is cut short.
    case structure
    /// A value that the field cannot have.
    case value
}

/// A message of a reply; `payload` is what follows the header.
package struct NetlinkMessage: Equatable, Sendable {
    /// NLMSG_* or RTM_*.
    package let type: UInt16
    /// NLM_F_*.
    package let flags: UInt16
    /// The number of the request that this answers.
    package let sequence: UInt32
    /// What follows the header: the fixed structure, then attributes.
    package let payload: ArraySlice<UInt8>

    /// Takes a datagram apart; never traps, whatever the bytes.
    package static func parse(_ datagram: ArraySlice<UInt8>) throws(NetlinkMalformed) -> [NetlinkMessage] {
        var messages: [NetlinkMessage] = []
        var rest = datagram
        while !rest.isEmpty {
            guard let length = rest.host32(at: 0), let type = rest.host16(at: 4), let flags = rest.host16(at: 6),
                let sequence = rest.host32(at: 8), Int(length) >= NetlinkRequest.headerLength,
                Int(length) <= rest.count
            else { throw .message }
            let payload = rest.prefix(Int(length)).dropFirst(NetlinkRequest.headerLength)
            messages.append(NetlinkMessage(type: type, flags: flags, sequence: sequence, payload: payload))
            rest = rest.dropFirst((Int(length) + 3) & ~3)
        }
        return messages
    }
}

/// An attribute of a message: a type without its flag bits, and its value.
package struct NetlinkAttribute: Equatable, Sendable {
    /// The type, such as IFLA_MTU.
    package let type: Int
    /// The value, without padding.
    package let value: ArraySlice<UInt8>

    /// Takes a run of attributes apart; never traps, whatever the bytes.
    package static func parse(_ bytes: ArraySlice<UInt8>) throws(NetlinkMalformed) -> [NetlinkAttribute] {
        var attributes: [NetlinkAttribute] = []
        var rest = bytes
        while !rest.isEmpty {
            guard let length = rest.host16(at: 0), let type = rest.host16(at: 2),
                Int(length) >= NetlinkRequest.attributeHeaderLength, Int(length) <= rest.count
            else { throw .attribute }
            let value = rest.prefix(Int(length)).dropFirst(NetlinkRequest.attributeHeaderLength)
            // NLA_F_NESTED and NLA_F_NET_BYTEORDER are the two highest bits.
            attributes.append(NetlinkAttribute(type: Int(type & 0x3fff), value: value))
            rest = rest.dropFirst((Int(length) + 3) & ~3)
        }
        return attributes
    }

    /// The value as a text, without the zero byte behind it; bytes that are not UTF-8 become U+FFFD.
    package var text: String { String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }

    /// The value as an integer in host byte order; nil if it is too short.
    package var host32: UInt32? { value.host32(at: 0) }
}

/// The reply to one request, put together from its datagrams.
///
/// Messages with another sequence number belong to a request that was given up, and are passed over.
package struct NetlinkExchange: Sendable {
    /// What is known after a datagram.
    package enum Progress: Equatable, Sendable {
        /// The reply goes on in another datagram.
        case more
        /// The kernel has done what it was asked for.
        case done
        /// The kernel refused: the errno, and its own words for it if it had any.
        case failed(Int32, String?)
    }

    /// The number that the request carried.
    package let sequence: UInt32
    /// The messages that make up the answer, in order.
    package private(set) var messages: [NetlinkMessage] = []
    /// Whether the tables changed while the kernel listed them (NLM_F_DUMP_INTR), so that the list may be wrong.
    package private(set) var isInconsistent = false

    /// Expects the reply to the request that carried this number.
    package init(sequence: UInt32) {
        self.sequence = sequence
    }

    /// Takes the next datagram in.
    package mutating func take(_ datagram: ArraySlice<UInt8>) throws(NetlinkMalformed) -> Progress {
        for message in try NetlinkMessage.parse(datagram) where message.sequence == sequence {
            if Int32(message.flags) & NLM_F_DUMP_INTR != 0 { isInconsistent = true }
            switch Int32(message.type) {
            case NLMSG_ERROR, NLMSG_DONE:
                return try Self.outcome(of: message)
            case NLMSG_NOOP:
                continue
            default:
                messages.append(message)
            }
        }
        return .more
    }

    /// Reads NLMSG_ERROR and NLMSG_DONE, which both begin with a negated errno.
    private static func outcome(of message: NetlinkMessage) throws(NetlinkMalformed) -> Progress {
        let payload = message.payload
        guard let bits = payload.host32(at: 0) else {
            // Old kernels end a list without a status.
            if Int32(message.type) == NLMSG_DONE, payload.isEmpty { return .done }
            throw .structure
        }
        let status = Int32(bitPattern: bits)
        // MAX_ERRNO of include/linux/err.h; DONE may carry a count.
        guard status >= -4095, status <= 0 || Int32(message.type) == NLMSG_DONE else { throw .value }
        if status >= 0 { return .done }
        return .failed(-status, text(of: message))
    }

    /// The kernel's words in an error (NLMSGERR_ATTR_MSG): nil if there are none, or none that can be read.
    private static func text(of message: NetlinkMessage) -> String? {
        let flags = Int32(message.flags)
        guard flags & NLM_F_ACK_TLVS != 0 else { return nil }
        var offset = 4
        if Int32(message.type) == NLMSG_ERROR {
            // The request is quoted, or only its header.
            guard let quoted = message.payload.host32(at: 4) else { return nil }
            offset += flags & NLM_F_CAPPED != 0 ? NetlinkRequest.headerLength : (Int(quoted) + 3) & ~3
        }
        guard let attributes = try? NetlinkAttribute.parse(message.payload.dropFirst(offset)) else { return nil }
        return attributes.first { $0.type == Int(NLMSGERR_ATTR_MSG.rawValue) }?.text
    }
}

extension ArraySlice<UInt8> {
    /// The 16 bits at an offset from the start of the slice, in host byte order; nil if the slice ends before.
    func host16(at offset: Int) -> UInt16? {
        guard offset >= 0, offset + 2 <= count else { return nil }
        let at = startIndex + offset
        return UInt16(littleEndian: UInt16(self[at]) | UInt16(self[at + 1]) << 8)
    }

    /// The 32 bits at an offset from the start of the slice, in host byte order; nil if the slice ends before.
    func host32(at offset: Int) -> UInt32? {
        guard offset >= 0, offset + 4 <= count else { return nil }
        let at = startIndex + offset
        let low = UInt32(self[at]) | UInt32(self[at + 1]) << 8
        return UInt32(littleEndian: low | UInt32(self[at + 2]) << 16 | UInt32(self[at + 3]) << 24)
    }

    /// The byte at an offset from the start of the slice; nil if the slice ends before.
    func byte(at offset: Int) -> UInt8? {
        offset >= 0 && offset < count ? self[startIndex + offset] : nil
    }
}
