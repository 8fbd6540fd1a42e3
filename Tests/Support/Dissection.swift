package import Wire

/// A packet taken apart by the book (RFC 791, 9293, 768, 792), independently of the views of `Wire`.
package struct Dissection: Sendable, Equatable {
    package let bytes: [UInt8]
    package let headerLength: Int

    /// Nil when the bytes cannot be one whole IPv4 packet.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= 20, bytes[0] / 16 == 4 else { return nil }
        let header = Int(bytes[0] % 16) * 4
        guard header >= 20, header <= bytes.count else { return nil }
        self.bytes = bytes
        headerLength = header
        guard totalLength == bytes.count else { return nil }
    }

    /// The 16-bit field at an offset; 0 past the end.
    package func word(_ offset: Int) -> UInt16 {
        guard offset + 1 < bytes.count else { return 0 }
        return UInt16(bytes[offset]) * 256 + UInt16(bytes[offset + 1])
    }

    package func long(_ offset: Int) -> UInt32 { UInt32(word(offset)) * 65536 + UInt32(word(offset + 2)) }

    package var typeOfService: UInt8 { bytes[1] }
    package var totalLength: Int { Int(word(2)) }
    package var identification: UInt16 { word(4) }
    package var flagsAndOffset: UInt16 { word(6) }
    package var doesNotFragment: Bool { flagsAndOffset & 0x4000 != 0 }
    package var moreFragments: Bool { flagsAndOffset & 0x2000 != 0 }
    /// In bytes.
    package var fragmentOffset: Int { Int(flagsAndOffset % 8192) * 8 }
    package var timeToLive: UInt8 { bytes[8] }
    package var transport: UInt8 { bytes[9] }
    package var source: IPv4Address { IPv4Address(bits: long(12)) }
    package var destination: IPv4Address { IPv4Address(bits: long(16)) }
    package var options: [UInt8] { Array(bytes[20..<headerLength]) }
    /// All that IP carries, the transport header included.
    package var carried: [UInt8] { Array(bytes[headerLength...]) }

    package var sourcePort: UInt16 { word(headerLength) }
    package var destinationPort: UInt16 { word(headerLength + 2) }
    package var tcpFlags: UInt8 { headerLength + 13 < bytes.count ? bytes[headerLength + 13] : 0 }
    package var sequence: UInt32 { long(headerLength + 4) }
    package var icmpType: UInt8 { headerLength < bytes.count ? bytes[headerLength] : 255 }
    package var icmpCode: UInt8 { headerLength + 1 < bytes.count ? bytes[headerLength + 1] : 255 }
    /// The second word of an ICMP header: identifier and sequence, or the next hop's MTU.
    package var icmpRest: UInt32 { long(headerLength + 4) }
    /// What an ICMP error quotes.
    package var quote: [UInt8] { bytes.count > headerLength + 8 ? Array(bytes[(headerLength + 8)...]) : [] }

    /// Where the transport checksum stands, in bytes from the beginning; nil where there is none.
    package var transportChecksumOffset: Int? {
        let offset: Int
        switch transport {
        case 6: offset = 16
        case 17: offset = 6
        case 1: offset = 2
        default: return nil
        }
        return headerLength + offset + 2 <= bytes.count ? headerLength + offset : nil
    }

    package var transportChecksum: UInt16 { transportChecksumOffset.map { word($0) } ?? 0 }

    /// The bytes behind the transport header.
    package var payload: [UInt8] {
        switch transport {
        case 6 where carried.count >= 20: Array(carried.dropFirst(Int(carried[12] / 16) * 4))
        case 17, 1: Array(carried.dropFirst(8))
        default: carried
        }
    }

    package var isHeaderChecksumValid: Bool { NaiveChecksum.sum(bytes[0..<headerLength]) == 0xffff }

    /// Whether the transport checksum is right; UDP's zero counts as right, and so does a fragment's, which is not
    /// that of the bytes at hand.
    package var isTransportChecksumValid: Bool {
        guard transportChecksumOffset != nil, flagsAndOffset & 0x3fff == 0 else { return true }
        switch transport {
        case 1: return NaiveChecksum.sum(carried) == 0xffff
        case 17 where transportChecksum == 0: return true
        default:
            return NaiveChecksum.sum(NaiveChecksum.pseudoHeader(self, length: carried.count) + carried) == 0xffff
        }
    }
}
