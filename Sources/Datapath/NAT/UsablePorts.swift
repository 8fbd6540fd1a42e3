internal import Tables

/// The source ports that a flow may be given instead of its client's own.
///
/// From 1024 on (RFC 4787 REQ-3a), without NodePorts, host ports and health check ports: replies to those would be
/// taken for new requests of others. Identifiers of ICMP queries are drawn from the same numbers.
///
/// Theory of operation: a bit for each port, for each word of them how many usable ones come before it, and for each 64
/// usable ones the word that the first of them is in. So a reload costs a pass over 1,024 words, and the port with a
/// number is in the word that is noted for it, or, behind words with few bits, a little further on.
package struct UsablePorts: ~Copyable {
    /// The lowest one, which begins a word.
    static let first: UInt16 = 1024
    /// A word for every 64 ports.
    static let wordCount = 1024

    /// A bit for each usable port.
    private(set) var mask = FixedArray<UInt64>(count: UsablePorts.wordCount)
    /// How many usable ports come before those of a word.
    private var before = FixedArray<UInt32>(count: UsablePorts.wordCount)
    /// The word of every 64th usable port.
    private var wordOfEvery64th = FixedArray<UInt16>(count: UsablePorts.wordCount)
    /// How many there are.
    package private(set) var count: UInt32 = 0

    /// The ports that neither the range of NodePorts nor the services take.
    package init(nodePorts: ClosedRange<UInt16>, services: ServiceTable) {
        update(nodePorts: nodePorts, services: services)
    }

    /// Follows a new service table, in place.
    mutating func update(nodePorts: ClosedRange<UInt16>, services: ServiceTable) {
        count = 0
        let nodePortWords = Int(nodePorts.lowerBound >> 6)...Int(nodePorts.upperBound >> 6)
        for word in 0..<Self.wordCount {
            var allowed = word < Int(Self.first >> 6) ? 0 : ~services.hostPorts(inWord: word)
            if nodePortWords.contains(word) { allowed &= ~Self.bits(of: nodePorts, in: word) }
            mask[word] = allowed
            before[word] = count
            let end = count &+ UInt32(mask[word].nonzeroBitCount)
            let every64th = (count &+ 63) >> 6
            if every64th << 6 < end { wordOfEvery64th[every64th] = UInt16(truncatingIfNeeded: word) }
            count = end
        }
    }

    /// A bit for each port of a range that a word stands for.
    private static func bits(of range: ClosedRange<UInt16>, in word: Int) -> UInt64 {
        let first = max(Int(range.lowerBound) - word * 64, 0)
        let end = min(Int(range.upperBound) + 1 - word * 64, 64)
        guard first < end else { return 0 }
        return UInt64.max << UInt64(first) & UInt64.max >> UInt64(64 - end)
    }

    /// Whether a port may be used.
    package func contains(_ port: UInt16) -> Bool { mask[Int(port >> 6)] >> UInt64(port & 63) & 1 == 1 }

    /// The usable port with a number, in ascending order from 0; 0 for numbers from `count` on.
    package subscript(number: UInt32) -> UInt16 {
        guard number < count else { return 0 }
        var word = Int(wordOfEvery64th[number >> 6])
        while word < Self.wordCount &- 1 && before[word &+ 1] <= number { word &+= 1 }
        return UInt16(truncatingIfNeeded: word << 6 | Self.place(of: number &- before[word], in: mask[word]))
    }

    /// The place of the bit with a number, from 0, among those that are set; there must be as many.
    private static func place(of number: UInt32, in bits: UInt64) -> Int {
        var left = number
        var place = 0
        // By halves down to 16, then bit by bit.
        for width in stride(from: 32, through: 16, by: -16) {
            let here = UInt32((bits >> UInt64(place) & (1 << UInt64(width) &- 1)).nonzeroBitCount)
            if left >= here {
                left &-= here
                place &+= width
            }
        }
        var rest = bits >> UInt64(place)
        for _ in 0..<left { rest &= rest &- 1 }
        return place &+ rest.trailingZeroBitCount
    }
}
