/// The Internet checksum in its plainest form (RFC 1071 section 4.1), to judge the code under test by.
///
/// Byte by byte in a wide integer: no incremental update, no machine words, nothing shared with `Wire`.
package enum NaiveChecksum {
    /// The folded ones'-complement sum of 16-bit words, an odd last byte padded with zero.
    package static func sum(_ bytes: some Collection<UInt8>) -> UInt16 {
        var total: UInt64 = 0
        var isHigh = true
        for byte in bytes {
            total += isHigh ? UInt64(byte) * 256 : UInt64(byte)
            isHigh.toggle()
        }
        while total > 0xffff { total = total % 65536 + total / 65536 }
        return UInt16(total)
    }

    /// The pseudo-header of TCP and UDP as bytes.
    package static func pseudoHeader(_ packet: Dissection, length: Int) -> [UInt8] {
        Array(packet.bytes[12..<20]) + [0, packet.transport, UInt8(length / 256), UInt8(length % 256)]
    }
}
