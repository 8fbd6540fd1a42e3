import Tables
import TestSupport
import Testing

@Suite("Counts by sketch")
struct CountMinSketchTests {
    @Test("no count is too small, and what was added can be taken away", arguments: 0..<10)
    func bounds(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var sketch = CountMinSketch(width: 64)
        var counts: [UInt64: UInt32] = [:]
        let keys = (0..<200).map { _ in generator.next() }
        var tooSmall = 0
        for _ in 0..<5000 {
            let key = generator.pick(keys)
            if generator.chance(45), let count = counts[key], count > 0 {
                sketch.remove(key)
                counts[key] = count - 1
            } else {
                sketch.add(key)
                counts[key, default: 0] += 1
            }
            let count = sketch.count(key)
            if count < counts[key] ?? 0 { tooSmall += 1 }
        }
        #expect(tooSmall == 0)
        for (key, count) in counts { for _ in 0..<count { sketch.remove(key) } }
        let left = keys.reduce(0) { $0 + sketch.count($1) }
        #expect(left == 0)
    }

    @Test("a key in a crowd is counted with what shares both its places, which is little")
    func noise() {
        var generator = TestGenerator(seed: 3)
        var sketch = CountMinSketch(width: 4096)
        for _ in 0..<131_072 { sketch.add(generator.next()) }
        // 32 in each place on average: the least limit on half-open connections is twice that.
        var worst: UInt32 = 0
        for _ in 0..<1000 { worst = max(worst, sketch.count(generator.next())) }
        #expect(worst < 64)
        let key = generator.next()
        let before = sketch.count(key)
        for _ in 0..<1000 { sketch.add(key) }
        let after = sketch.count(key)
        #expect(after == before + 1000)
    }

    @Test("the width is a power of two")
    func width() {
        for (asked, expected) in [(1, 1), (3, 4), (4096, 4096), (4097, 8192)] {
            let sketch = CountMinSketch(width: asked)
            let (width, bytes) = (sketch.width, sketch.byteCount)
            #expect(width == expected && bytes == expected * 8)
        }
    }
}
