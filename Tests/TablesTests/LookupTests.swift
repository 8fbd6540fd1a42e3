import Tables
import TestSupport
import Testing

@Suite("The prefix trie")
struct PrefixTrieTests {
    private struct Prefix {
        var bits: UInt32
        var length: UInt8
        var value: UInt32

        func covers(_ key: UInt32) -> Bool { length == 0 || (key ^ bits) >> (32 - UInt32(length)) == 0 }
    }

    /// The longest prefix wins, of equal ones the later.
    private func scan(_ prefixes: [Prefix], _ key: UInt32) -> UInt32? {
        var best: Prefix?
        for prefix in prefixes where prefix.covers(key) && prefix.length >= best?.length ?? 0 { best = prefix }
        return best?.value
    }

    @Test("a lookup agrees with a scan over all prefixes", arguments: 0..<40)
    func model(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var trie = PrefixTrie()
        var prefixes: [Prefix] = []
        // Prefixes close to one another, so that they nest.
        let base = generator.word()
        for number in 0..<generator.pick(1..<60) {
            let length = UInt8(generator.pick(0..<33))
            var bits = base ^ (generator.word() >> UInt32(generator.pick(0..<32)))
            if length < 32 { bits &= ~(UInt32.max >> UInt32(length)) }
            if generator.chance(10), let earlier = prefixes.randomElement(using: &generator) {
                prefixes.append(Prefix(bits: earlier.bits, length: earlier.length, value: UInt32(number)))
                trie.insert(earlier.bits, length: earlier.length, value: UInt32(number))
                continue
            }
            prefixes.append(Prefix(bits: bits, length: length, value: UInt32(number)))
            trie.insert(bits, length: length, value: UInt32(number))
        }
        for _ in 0..<1000 {
            let key = base ^ (generator.word() >> UInt32(generator.pick(0..<32)))
            #expect(trie.lookup(key) == scan(prefixes, key), "key \(key)")
        }
        for prefix in prefixes {
            let last =
                prefix.length == 0 ? UInt32.max : prefix.bits | UInt32(UInt64(UInt32.max) >> UInt64(prefix.length))
            for key in [prefix.bits, last, prefix.bits &- 1, last &+ 1] {
                #expect(trie.lookup(key) == scan(prefixes, key))
            }
        }
        #expect(trie.count == prefixes.count)
    }

    @Test("bits behind the prefix do not matter", arguments: UInt8(0)...32)
    func hostBits(length: UInt8) {
        var trie = PrefixTrie()
        trie.insert(0xfedc_ba98, length: length, value: 7)
        #expect(trie.lookup(0xfedc_ba98) == 7)
        #expect(trie.lookup(0x0123_4567) == (length == 0 ? 7 : nil))
    }

    @Test("an empty trie knows nothing, and the largest value fits")
    func edges() {
        var trie = PrefixTrie()
        #expect(trie.lookup(0) == nil && trie.lookup(.max) == nil)
        let largest: UInt32 = (1 << 30) - 1
        trie.insert(0, length: 0, value: largest)
        #expect(trie.lookup(.max) == largest)
    }
}

@Suite("Static maps, hashes, generators")
struct HashTests {
    @Test("a static map holds its entries and nothing else; of two with one key the first counts", arguments: 0..<20)
    func staticMap(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var expected: [UInt64: UInt32] = [:]
        var entries: [(key: UInt64, value: UInt32)] = []
        for _ in 0..<generator.pick(0..<300) {
            let key = UInt64(generator.pick(0..<200))
            let value = generator.chance(10) ? 0 : UInt32(generator.pick(0..<Int(UInt32.max)))
            entries.append((key, value))
            if expected[key] == nil { expected[key] = value }
        }
        let map = StaticMap(entries, seed: UInt64(seed))
        let count = map.count
        #expect(count == expected.count)
        for key in UInt64(0)..<250 {
            let value = map.lookup(key)
            #expect(value == expected[key])
        }
        let far = map.lookup(.max)
        #expect(far == nil)
    }

    @Test("a number below a bound is below it, and all of them come", arguments: [UInt32(1), 2, 3, 7, 10, 64512])
    func below(bound: UInt32) {
        var generator = SplitMix64(state: UInt64(bound))
        var seen = Set<UInt32>()
        for _ in 0..<bound * 20 {
            let value = generator.next(below: bound)
            #expect(value < bound)
            seen.insert(value)
        }
        #expect(seen.count == Int(bound))
    }

    @Test("a bound of 0 gives 0, the largest bound stays below it")
    func belowEdges() {
        var generator = SplitMix64(state: 1)
        #expect(generator.next(below: 0) == 0)
        for _ in 0..<1000 { #expect(generator.next(below: .max) < .max) }
    }

    @Test("choices below a bound are even")
    func even() {
        var generator = SplitMix64(state: 99)
        var counts = [Int](repeating: 0, count: 10)
        for _ in 0..<100_000 { counts[Int(generator.next(below: 10))] += 1 }
        // A standard deviation is 95; five of them leave one failure in a million seeds.
        for count in counts { #expect(abs(count - 10_000) < 480) }
    }

    @Test("the first numbers are those of the published generator")
    func splitMix() {
        var generator = SplitMix64(state: 1_234_567)
        let numbers = (0..<3).map { _ in generator.next() }
        #expect(numbers == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423])
    }

    @Test("neighbouring keys spread over buckets and tags under any seed", arguments: [UInt64(0), 1, 2, .max])
    func spread(seed: UInt64) {
        let hash = SeededHash(seed: seed)
        var low = [Int](repeating: 0, count: 64)
        var high = [Int](repeating: 0, count: 64)
        var all = Set<UInt64>()
        for key in UInt64(0)..<64_000 {
            let value = hash(0x0a00_0001_0a00_0002, key << 16 | 6)
            low[Int(value & 63)] += 1
            high[Int(value >> 57 & 63)] += 1
            all.insert(value)
        }
        // 1,000 expected in each, a standard deviation of 31.
        for count in low + high { #expect((800...1200).contains(count)) }
        #expect(all.count == 64_000)
    }

    @Test("one bit of a key changes about half of the hash")
    func avalanche() {
        let hash = SeededHash(seed: 5)
        var generator = TestGenerator(seed: 5)
        var changed = 0
        for _ in 0..<2000 {
            let (left, right) = (generator.next(), generator.next())
            let bit = UInt64(1) << UInt64(generator.pick(0..<64))
            let other = generator.chance(50) ? hash(left ^ bit, right) : hash(left, right ^ bit)
            changed += (hash(left, right) ^ other).nonzeroBitCount
        }
        #expect((30.0...34.0).contains(Double(changed) / 2000))
    }

    @Test("another seed gives another hash")
    func seeds() {
        let same = (0..<1000).count {
            SeededHash(seed: 1)(UInt64($0), 1) & 1023 == SeededHash(seed: 2)(UInt64($0), 1) & 1023
        }
        #expect(same < 20)
    }
}
