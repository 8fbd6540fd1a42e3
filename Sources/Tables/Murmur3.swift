/// MurmurHash3, the 128-bit variant for 64-bit machines (Austin Appleby, public domain): what Cilium's Maglev hashes
/// backends with.
public enum Murmur3 {
    /// Both halves of the hash of some bytes under a 32-bit seed.
    public static func hash(_ bytes: [UInt8], seed: UInt32) -> (UInt64, UInt64) {
        let first: UInt64 = 0x87c3_7b91_1142_53d5
        let second: UInt64 = 0x4cf5_ad43_2745_937f
        var left = UInt64(seed)
        var right = UInt64(seed)
        var at = 0
        while bytes.count - at >= 16 {
            left ^= rotate(littleEndian(bytes, at, 8) &* first, 31) &* second
            left = rotate(left, 27) &+ right
            left = left &* 5 &+ 0x52dc_e729
            right ^= rotate(littleEndian(bytes, at + 8, 8) &* second, 33) &* first
            right = rotate(right, 31) &+ left
            right = right &* 5 &+ 0x3849_5ab5
            at += 16
        }
        let rest = bytes.count - at
        if rest > 8 { right ^= rotate(littleEndian(bytes, at + 8, rest - 8) &* second, 33) &* first }
        if rest > 0 { left ^= rotate(littleEndian(bytes, at, min(rest, 8)) &* first, 31) &* second }
        left ^= UInt64(bytes.count)
        right ^= UInt64(bytes.count)
        left &+= right
        right &+= left
        left = finish(left)
        right = finish(right)
        left &+= right
        right &+= left
        return (left, right)
    }

    /// Up to eight bytes as a number, the first one lowest.
    private static func littleEndian(_ bytes: [UInt8], _ at: Int, _ count: Int) -> UInt64 {
        var number: UInt64 = 0
        for offset in (0..<count).reversed() { number = number << 8 | UInt64(bytes[at + offset]) }
        return number
    }

    private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 {
        value << count | value >> (64 - count)
    }

    private static func finish(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed ^= mixed >> 33
        mixed = mixed &* 0xff51_afd7_ed55_8ccd
        mixed ^= mixed >> 33
        mixed = mixed &* 0xc4ce_b9fe_1a85_ec53
        return mixed ^ mixed >> 33
    }
}
