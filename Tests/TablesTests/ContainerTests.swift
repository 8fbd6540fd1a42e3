import Synchronization
import Tables
import TestSupport
import Testing

/// A record with a link, as slabs need it.
private struct Cell: SlabElement {
    var link: UInt32
    var value: UInt64
}

@Suite("Fixed arrays and regions")
struct FixedArrayTests {
    @Test("elements begin as zero, keep what is stored, and have both kinds of index")
    func storage() {
        var array = FixedArray<UInt64>(count: 1000)
        var sum: UInt64 = 0
        for index in 0..<1000 { sum += array[index] }
        #expect(sum == 0)
        for index in 0..<1000 { array[index] = UInt64(index) * 3 }
        var wrong = 0
        for index in 0..<1000 where array[UInt32(index)] != UInt64(index) * 3 { wrong += 1 }
        #expect(wrong == 0)
        let (count, size) = (array.count, array.byteCount)
        #expect(count == 1000 && size == 8000)
        array.prefetch(-1)
        array.prefetch(Int.max)
    }

    @Test("an empty array has no elements, and is none the worse for it")
    func empty() {
        let array = FixedArray<UInt8>(count: 0)
        array.prefetch(0)
        let count = array.count
        #expect(count == 0)
    }

    @Test("an index outside traps", arguments: [0, 1, 2, 3])
    func bounds(kind: Int) async {
        switch kind {
        case 0:
            await #expect(processExitsWith: .failure) {
                let array = FixedArray<UInt8>(count: 8)
                _ = array[8]
            }
        case 1:
            await #expect(processExitsWith: .failure) {
                let array = FixedArray<UInt8>(count: 8)
                _ = array[-1]
            }
        case 2:
            await #expect(processExitsWith: .failure) {
                var array = FixedArray<UInt8>(count: 8)
                array[UInt32(8)] = 1
            }
        default:
            await #expect(processExitsWith: .success) {
                var array = FixedArray<UInt8>(count: 8)
                array[7] = 1
            }
        }
    }
}

@Suite("Slabs")
struct SlabTests {
    @Test("numbers are handed out in order, 0 never, and no more than there are")
    func order() {
        var slab = Slab<Cell>(capacity: 5)
        var numbers: [UInt32?] = []
        for _ in 0..<7 { numbers.append(slab.allocate()) }
        #expect(numbers == [1, 2, 3, 4, 5, nil, nil])
        let (used, high) = (slab.count, slab.highWater)
        #expect(used == 5 && high == 6)
    }

    @Test("the slab hands out what a set of free numbers would", arguments: 0..<20)
    func model(seed: Int) {
        var generator = TestGenerator(seed: seed)
        let capacity = generator.pick(1..<40)
        var slab = Slab<Cell>(capacity: capacity)
        var inUse: [UInt32: UInt64] = [:]
        for step in 0..<2000 {
            if generator.chance(52) {
                guard let number = slab.allocate() else {
                    #expect(inUse.count == capacity)
                    continue
                }
                #expect(inUse[number] == nil && number > 0 && number <= capacity)
                slab[number].value = UInt64(step)
                inUse[number] = UInt64(step)
            } else if let number = inUse.keys.sorted().randomElement(using: &generator) {
                let value = slab[number].value
                #expect(value == inUse[number])
                slab.release(number)
                inUse[number] = nil
            }
            let count = slab.count
            #expect(count == inUse.count)
        }
    }

    @Test("a number of no element traps")
    func bounds() async {
        await #expect(processExitsWith: .failure) {
            let slab = Slab<Cell>(capacity: 3)
            _ = slab[4]
        }
    }
}

@Suite("The bucket index")
struct BucketIndexTests {
    /// How the hashes of the test come about.
    enum Hashes: CaseIterable { case spread, oneBucket, allEqual, lastBuckets }

    private func hash(_ key: UInt32, _ kind: Hashes) -> UInt64 {
        switch kind {
        case .spread: UInt64(key) &* 0x9e37_79b9_7f4a_7c15
        case .oneBucket: UInt64(key) << 32
        case .allEqual: 0xabcd_ef01_2345_6789
        case .lastBuckets: UInt64(key) << 33 | 0xffff_ffff
        }
    }

    @Test("the index is a dictionary under random operations, whatever the hashes", arguments: Hashes.allCases, 0..<8)
    func model(kind: Hashes, seed: Int) {
        var generator = TestGenerator(seed: seed)
        let capacity = generator.pick([7, 40, 200])
        var index = BucketIndex(capacity: capacity)
        var present = Set<UInt32>()
        for _ in 0..<3000 {
            let key = UInt32(generator.pick(1..<capacity * 2))
            let hashed = hash(key, kind)
            switch generator.pick(0..<3) {
            case 0 where !present.contains(key) && present.count < capacity:
                let entered = index.insert(hashed, key)
                #expect(entered)
                present.insert(key)
            case 1:
                let removed = index.remove(hashed, key)
                #expect(removed == present.contains(key))
                present.remove(key)
            default:
                let found = index.find(hashed) { $0 == key }
                #expect(found == (present.contains(key) ? key : nil))
            }
        }
        for key in 1..<UInt32(capacity * 2) {
            let found = index.find(hash(key, kind)) { $0 == key }
            #expect(found == (present.contains(key) ? key : nil))
        }
        for key in present { _ = index.remove(hash(key, kind), key) }
        let left = occupiedWords(of: index)
        #expect(left == 0)
    }

    /// How many words are in use, those included that count who moved on.
    private func occupiedWords(of index: borrowing BucketIndex) -> Int {
        var occupied = 0
        for word in 0..<index.bucketCount * 8 where unsafe index.words[word].load(ordering: .relaxed) != 0 {
            occupied += 1
        }
        return occupied
    }

    @Test("an index that is full says so, and is as it was before")
    func full() {
        var index = BucketIndex(capacity: 1)
        let places = index.bucketCount * BucketIndex.entriesPerBucket
        var entered = 0
        for key in 1...UInt32(places) { entered += index.insert(7, key) ? 1 : 0 }
        #expect(entered == places)
        let beyond = index.insert(7, 999)
        #expect(!beyond)
        let missing = index.find(7) { $0 == 999 }
        #expect(missing == nil)
        var found = 0
        for key in 1...UInt32(places) { found += index.find(7) { $0 == key } == key ? 1 : 0 }
        #expect(found == places)
        for key in 1...UInt32(places) { _ = index.remove(7, key) }
        let left = occupiedWords(of: index)
        #expect(left == 0)
    }

    @Test("an index is large enough for its capacity at any size", arguments: [1, 9, 10, 11, 100, 1000, 4096])
    func capacity(capacity: Int) {
        var index = BucketIndex(capacity: capacity)
        var generator = SplitMix64(state: 3)
        var refused = 0
        for key in 1...UInt32(capacity) where !index.insert(generator.next(), key) { refused += 1 }
        #expect(refused == 0)
        let places = index.bucketCount * 5
        #expect(places >= capacity)
    }

    @Test("the candidate is the reference when it is in its own bucket")
    func candidate() {
        var index = BucketIndex(capacity: 100)
        _ = index.insert(0x1234_5678_0000_0003, 42)
        let candidate = index.candidate(0x1234_5678_0000_0003)
        let other = index.candidate(0x2234_5678_0000_0003)
        #expect(candidate == 42)
        #expect(other == nil)
    }
}
