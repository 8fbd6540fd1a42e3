internal import Tables

/// The source ports that a flow may be given instead of its client's own.
///
/// From 1024 on (RFC 4787 REQ-3a), without NodePorts, host ports and health check ports: replies to those would be
/// taken for new requests of others. Identifiers of ICMP queries are drawn from the same numbers.
///
/// Theory of operation: a bit for each port, and for each word of them how many usable ones come before it. So a reload
/// costs a pass over 1,024 words, and the port with a number is found by a search over them.
package struct UsablePorts: ~Copyable {
    /// The lowest one.
    static let first: UInt16 = 1024
    /// A word for every 64 ports.
    static let wordCount = 1024

    /// A bit for each usable port.
    private(set) var mask = FixedArray<UInt64>(count: UsablePorts.wordCount)
    /// How many usable ports come before those of a word.
    private var before = FixedArray<UInt32>(count: UsablePorts.wordCount)
    /// How many there are.
    package private(set) var count: UInt32 = 0

    /// The ports that neither the range of NodePorts nor the services take.
    package init(nodePorts: ClosedRange<UInt16>, services: ServiceTable) {
        update(nodePorts: nodePorts, services: services)
    }

    /// Follows a new service table, in place.
    mutating func update(nodePorts: ClosedRange<UInt16>, services: ServiceTable) {
        count = 0
        for word in 0..<Self.wordCount {
            let allowed = Self.bits(of: Self.first...UInt16.max, in: word)
            mask[word] = allowed & ~Self.bits(of: nodePorts, in: word) & ~services.hostPorts(inWord: word)
            before[word] = count
            count &+= UInt32(mask[word].nonzeroBitCount)
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
        // The last word with at most `number` usable ports before it: those behind it with as many have none.
        var word = 0
        var end = Self.wordCount
        while end &- word > 1 {
            let middle = (word &+ end) >> 1
            if before[middle] <= number { word = middle } else { end = middle }
        }
        var bits = mask[word]
        for _ in before[word]..<number { bits &= bits &- 1 }
        return UInt16(truncatingIfNeeded: word << 6 | bits.trailingZeroBitCount)
    }
}
