import TestSupport
import Testing
import Wire

@Suite("TCP options")
struct TCPOptionsTests {
    private static func offer(_ bytes: [UInt8], _ range: Range<Int>? = nil) -> TCPOptions.Offer {
        var bytes = bytes
        let range = range ?? 0..<bytes.count
        return withMutableBytes(of: &bytes) { TCPOptions.offer($0.bytes, range) }
    }

    private static func edge(_ bytes: [UInt8], _ range: Range<Int>? = nil, beyond: UInt32) -> UInt32 {
        var bytes = bytes
        let range = range ?? 0..<bytes.count
        return withMutableBytes(of: &bytes) { TCPOptions.highestEdge($0.bytes, range, beyond: beyond) }
    }

    private static func isTimestamps(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        var bytes = bytes
        return withMutableBytes(of: &bytes) { TCPOptions.areTimestampsOnly($0.bytes, range) }
    }

    @Test("what a SYN offers")
    func offers() {
        let usual: [UInt8] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7]
        #expect(Self.offer(usual).windowScale == 7 && Self.offer(usual).permitsSACK)
        #expect(Self.offer([]) == TCPOptions.Offer())
        #expect(Self.offer([3, 3, 200]).windowScale == 14, "RFC 7323 section 2.3")
        #expect(Self.offer([0, 3, 3, 7]).windowScale == nil, "nothing counts behind the end")
        #expect(Self.offer([3, 4, 7, 0, 4, 2]) == Self.offer([4, 2]), "of another length it is no window scale")
        #expect(Self.offer([4, 3, 0, 3, 3, 5]).permitsSACK == false)
        #expect(Self.offer([8, 1, 3, 3, 5]).windowScale == nil, "an impossible length ends the list")
        #expect(Self.offer([8, 10, 3, 3, 5]).windowScale == nil, "an option that is cut ends the list")
        #expect(Self.offer([1, 1, 3]).windowScale == nil)
    }

    @Test("the highest edge of SACK blocks, around the end of the numbers")
    func edges() {
        let block: (UInt32, UInt32) -> [UInt8] = { left, right in
            [left, right].flatMap { number in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) } }
        }
        #expect(Self.edge([1, 1, 5, 18] + block(10, 20) + block(30, 40), beyond: 5) == 40)
        #expect(Self.edge([1, 1, 5, 18] + block(30, 40) + block(10, 20), beyond: 5) == 40)
        #expect(Self.edge([1, 1, 5, 10] + block(1, 2), beyond: 5) == 5)
        #expect(Self.edge([1, 1, 5, 10] + block(0xffff_fff0, 8), beyond: 0xffff_fff0) == 8)
        #expect(Self.edge([5, 9] + block(30, 40), beyond: 5) == 5, "half a block is none")
        #expect(Self.edge([5, 2, 5, 10] + block(30, 40), beyond: 5) == 40, "nor is an empty option")
        #expect(Self.edge([1, 1, 5, 10, 0, 0], beyond: 5) == 5)
    }

    @Test("timestamps in their usual place")
    func timestamps() {
        let usual: [UInt8] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]
        #expect(Self.isTimestamps(usual, 0..<12))
        #expect(!Self.isTimestamps(usual + usual, 0..<24))
        #expect(!Self.isTimestamps(usual, 0..<8))
        #expect(!Self.isTimestamps(usual, 4..<16), "cut by a capture")
        let other: [UInt8] = [8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1]
        #expect(!Self.isTimestamps(other, 0..<12))
    }

    @Test("any bytes, and any range of them, are read without harm", arguments: 0..<300)
    func total(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<100 {
            let bytes = generator.bytes(generator.pick(0..<41)).map { generator.chance(40) ? $0 % 12 : $0 }
            let range = 0..<generator.pick(0..<61)
            let offer = Self.offer(bytes, range)
            #expect(offer.windowScale ?? 0 <= 14)
            let base = generator.word()
            let edge = Self.edge(bytes, range, beyond: base)
            #expect(Int32(bitPattern: edge &- base) >= 0)
        }
    }
}
