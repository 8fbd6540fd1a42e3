// Netlink messages (netlink(7), rtnetlink(7), Documentation/userspace-api/netlink/intro.rst): a 16-byte header, a
// fixed structure of the family, then attributes, each a 16-bit length and type followed by its value. Everything is
// aligned to four bytes and in the byte order of the host, addresses excepted.

internal import CTun

/// A netlink request under construction.
package struct NetlinkRequest: Equatable, Sendable {
    /// The message so far; its length field is always right.
    package private(set) var bytes: [UInt8]

    /// The bytes of `struct nlmsghdr` and of an attribute's header.
    static let headerLength = 16
    static let attributeHeaderLength = 4

    /// Begins a request; an acknowledgement is always asked for (NLM_F_ACK).
    ///
    /// - Parameters:
    ///   - type: RTM_*
    ///   - flags: NLM_F_* beyond NLM_F_REQUEST and NLM_F_ACK
    package init(type: Int, flags: Int32 = 0) {
        bytes = []
        bytes.reserveCapacity(128)
        appendHost(UInt32(Self.headerLength))
        appendHost(UInt16(truncatingIfNeeded: type))
        appendHost(UInt16(truncatingIfNeeded: flags | NLM_F_REQUEST | NLM_F_ACK))
        appendHost(UInt32(0))
        appendHost(UInt32(0))
    }

    /// Appends a field of the fixed structure, in host byte order.
    package mutating func appendField(_ value: some FixedWidthInteger) {
        appendHost(value)
        setLength()
    }

    /// Appends an attribute whose value is an integer in host byte order.
    package mutating func appendAttribute(_ type: Int, _ value: some FixedWidthInteger) {
        var content = NetlinkRequest(content: [])
        content.appendHost(value)
        appendAttribute(type, bytes: content.bytes)
    }

    /// Appends an attribute whose value is a text with a zero byte behind it.
    package mutating func appendAttribute(_ type: Int, text: String) {
        appendAttribute(type, bytes: Array(text.utf8) + [0])
    }

    /// Appends an attribute; `bytes` has at most 65,531 bytes, everything beyond is left out.
    package mutating func appendAttribute(_ type: Int, bytes value: [UInt8]) {
        let value = value.prefix(Int(UInt16.max) - Self.attributeHeaderLength)
        appendHost(UInt16(Self.attributeHeaderLength + value.count))
        appendHost(UInt16(truncatingIfNeeded: type))
        bytes.append(contentsOf: value)
        while bytes.count % 4 != 0 { bytes.append(0) }
        setLength()
    }

    /// Appends an attribute that contains attributes.
    package mutating func appendAttribute(_ type: Int, nested build: (inout NetlinkRequest) -> Void) {
        var content = NetlinkRequest(content: [])
        build(&content)
        appendAttribute(type, bytes: content.bytes)
    }

    /// The message with its sequence number, which the reply repeats.
    package func numbered(_ sequence: UInt32) -> NetlinkRequest {
        var copy = self
        copy.overwrite(at: 8, sequence)
        return copy
    }

    /// Bytes without a header, for the content of an attribute.
    private init(content: [UInt8]) {
        bytes = content
        isContent = true
    }

    private var isContent = false

    private mutating func setLength() {
        if !isContent { overwrite(at: 0, UInt32(bytes.count)) }
    }

    /// Appends an integer in host byte order.
    private mutating func appendHost(_ value: some FixedWidthInteger) {
        // What is little-endian of the little-endian value is the host's order of the value itself.
        let value = value.littleEndian
        for index in 0..<(value.bitWidth / 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index)))
        }
    }

    private mutating func overwrite(at offset: Int, _ value: UInt32) {
        let value = value.littleEndian
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
    }
}
