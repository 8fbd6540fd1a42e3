/// The Internet checksum: ones'-complement sums (RFC 1071) and their incremental update (RFC 1624).
///
/// A *sum* is the folded ones'-complement sum in host byte order; what a header carries is its complement.
public enum Checksum {
    /// Folds a 64-bit accumulation of 16-bit words to 16 bits, carries added back in (RFC 1071 section 4.1).
    @inlinable public static func fold(_ sum: UInt64) -> UInt16 {
        // A word and itself with its halves exchanged: the high half of their sum is that of both, and what the low half
        // carries is added back in.
        let half = UInt32(truncatingIfNeeded: (sum &+ (sum >> 32 | sum << 32)) >> 32)
        return UInt16(truncatingIfNeeded: (half &+ (half >> 16 | half << 16)) >> 16)
    }

    /// The sum of the bytes in `range`, an odd last byte padded with zero.
    ///
    /// Works in the byte order of the machine and swaps at the end: the sum does not depend on it (RFC 1071
    /// section 1.B).
    @inlinable public static func sum(_ bytes: RawSpan, _ range: Range<Int>) -> UInt16 {
        var total: UInt64 = 0
        var at = range.lowerBound
        let end = range.upperBound
        while end &- at >= 8 {
            let (partial, carry) = total.addingReportingOverflow(bytes.loadNative64(at))
            total = partial &+ (carry ? 1 : 0)
            at &+= 8
        }
        // What is left is less than eight bytes; it goes into words of its own, so nothing can overflow.
        var rest: UInt64 = 0
        if end &- at >= 4 {
            rest &+= UInt64(bytes.loadNative32(at))
            at &+= 4
        }
        while end &- at >= 2 {
            rest &+= UInt64(bytes.loadBE16(at).bigEndian)
            at &+= 2
        }
        if at < end { rest &+= UInt64((UInt16(bytes.load8(at)) << 8).bigEndian) }
        return UInt16(bigEndian: fold(UInt64(fold(total)) &+ UInt64(fold(rest))))
    }

    /// The sum of the pseudo-header of TCP and UDP (RFC 9293 section 3.1, RFC 768).
    ///
    /// `length` is that of the segment or datagram, header included.
    @inlinable public static func pseudoHeader(
        source: IPv4Address,
        destination: IPv4Address,
        transport: UInt8,
        length: Int
    ) -> UInt16 {
        fold(
            UInt64(source.bits) &+ UInt64(destination.bits) &+ UInt64(transport)
                &+ UInt64(truncatingIfNeeded: length & 0xffff)
        )
    }

    /// What has to be added to the complement of a checksum when a 32-bit field changes from `old` to `new`.
    ///
    /// This is the `~m + m'` of RFC 1624 equation 3, folded; both values are in host byte order. Deltas add up.
    @inlinable public static func delta(from old: UInt32, to new: UInt32) -> UInt16 {
        fold(UInt64(~old) &+ UInt64(new))
    }

    /// The same for a 16-bit field.
    @inlinable public static func delta(from old: UInt16, to new: UInt16) -> UInt16 {
        fold(UInt64(~old) &+ UInt64(new))
    }

    /// Adds two sums or deltas.
    @inlinable public static func add(_ left: UInt16, _ right: UInt16) -> UInt16 {
        // 17 bits at most: with the carry added back in they are 16, and never one more.
        let sum = UInt32(left) &+ UInt32(right)
        return UInt16(truncatingIfNeeded: sum &+ sum >> 16)
    }

    /// A checksum as it is after a change of `delta`: `HC' = ~(~HC + delta)` (RFC 1624 equation 3).
    @inlinable public static func update(_ check: UInt16, by delta: UInt16) -> UInt16 { ~add(~check, delta) }

    /// RFC 1624 equation 3 for a 32-bit field that changes from `old` to `new`.
    @inlinable public static func update(_ check: UInt16, replacing old: UInt32, with new: UInt32) -> UInt16 {
        ~fold(UInt64(~check) &+ UInt64(~old) &+ UInt64(new))
    }

    /// RFC 1624 equation 3 for a 16-bit field that changes from `old` to `new`.
    @inlinable public static func update(_ check: UInt16, replacing old: UInt16, with new: UInt16) -> UInt16 {
        ~fold(UInt64(~check) &+ UInt64(~old) &+ UInt64(new))
    }
}
