import TestSupport
import Testing
import Wire

@Suite("Checksums")
struct ChecksumTests {
    @Test("the example of RFC 1624 section 4, which RFC 1141's equation gets wrong")
    func vector() {
        #expect(Checksum.update(0xdd2f, replacing: UInt16(0x5555), with: UInt16(0x3285)) == 0x0000)
        #expect(Checksum.update(0xdd2f, by: Checksum.delta(from: UInt16(0x5555), to: UInt16(0x3285))) == 0x0000)
    }

    @Test("the example of RFC 1071 section 3")
    func sumVector() { #expect(Checksum.sum([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]) == 0xddf2) }

    @Test("sums agree with the plain definition for all lengths and offsets")
    func sums() {
        var generator = TestGenerator(seed: 1)
        let random = generator.bytes(96)
        for pattern in [random, [UInt8](repeating: 0xff, count: 96), [UInt8](repeating: 0, count: 96)] {
            for offset in 0...17 {
                for length in 0...70 {
                    let found = Checksum.sum(pattern, from: offset, to: offset + length)
                    let expected = NaiveChecksum.sum(pattern[offset..<offset + length])
                    #expect(found == expected, "offset \(offset), length \(length)")
                }
            }
        }
    }

    @Test("the longest packet of all ones does not overflow the sum")
    func longest() {
        let bytes = [UInt8](repeating: 0xff, count: 65535)
        #expect(Checksum.sum(bytes) == NaiveChecksum.sum(bytes))
    }

    @Test("folding adds all carries back in")
    func fold() {
        var generator = TestGenerator(seed: 1)
        // Words of zeros and ones carry most.
        let edges: [UInt64] = [0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff]
        let carrying = (0..<4000).map { _ in
            (0..<4).reduce(0) { sum, _ in sum << 16 | edges.randomElement(using: &generator)! }
        }
        let others = (0..<4000).map { _ in UInt64.random(in: 0...UInt64.max, using: &generator) }
        for value in [0, 1, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, UInt64.max, 0xffff_0000_ffff_0001] + carrying
            + others
        {
            var expected = value
            while expected > 0xffff { expected = expected % 65536 + expected / 65536 }
            // Both have the same value modulo 65535; zero has two forms, of which folding keeps the one that is due.
            #expect(UInt64(Checksum.fold(value)) == expected, "\(value)")
        }
    }

    @Test("an incremental update equals a full computation", arguments: 0..<50)
    func incremental(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<400 {
            var bytes = generator.bytes(generator.pick(20..<80))
            // A packet in which not all words are zero, as no header is.
            bytes[0] = 0x45
            bytes[2] = 0
            bytes[3] = 0
            var check = ~NaiveChecksum.sum(bytes)
            var delta: UInt16 = 0
            for _ in 0..<generator.pick(1..<5) {
                let place = generator.pick(2..<bytes.count / 4 - 1) * 4
                let old = bytes[place..<place + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                let new = generator.chance(20) ? generator.pick([0, .max, 0xffff_0000]) : generator.word()
                delta = Checksum.add(delta, Checksum.delta(from: old, to: new))
                check = Checksum.update(check, replacing: old, with: new)
                for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: new >> UInt32(24 - 8 * index)) }
            }
            let full = ~NaiveChecksum.sum(bytes)
            #expect(check == full)
            #expect(Checksum.update(~NaiveChecksum.sum(bytes), by: 0) == full)
            var before = bytes
            before[1] ^= 0x5a
            let halfword = Checksum.delta(
                from: UInt16(before[0]) << 8 | UInt16(before[1]),
                to: UInt16(bytes[0]) << 8 | UInt16(bytes[1])
            )
            #expect(Checksum.update(~NaiveChecksum.sum(before), by: halfword) == full)
        }
    }

    @Test("deltas of several fields add up to one update", arguments: 0..<20)
    func deltas(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<500 {
            let (old, new) = (generator.word(), generator.word())
            let (oldPort, newPort) = (generator.port(), generator.port())
            let check = generator.port()
            let together = Checksum.add(Checksum.delta(from: old, to: new), Checksum.delta(from: oldPort, to: newPort))
            let apart = Checksum.update(
                Checksum.update(check, replacing: old, with: new),
                replacing: oldPort,
                with: newPort
            )
            #expect(Checksum.update(check, by: together) == apart)
        }
    }

    @Test("the pseudo-header sums up as its twelve bytes do", arguments: 0..<10)
    func pseudoHeader(seed: Int) {
        var generator = TestGenerator(seed: seed)
        for _ in 0..<200 {
            let (source, destination) = (generator.address(), generator.address())
            let length = generator.pick(0..<65516)
            var bytes: [UInt8] = []
            bytes.append(big: source.bits)
            bytes.append(big: destination.bits)
            bytes += [0, 17, UInt8(length / 256), UInt8(length % 256)]
            let found = Checksum.pseudoHeader(source: source, destination: destination, transport: 17, length: length)
            #expect(found == NaiveChecksum.sum(bytes))
        }
    }
}
