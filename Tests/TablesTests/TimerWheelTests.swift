import Tables
import TestSupport
import Testing

/// A timer as the wheel sees it.
private struct Timer: TimerElement {
    var deadline: UInt64
    var nextTimer: UInt32
    var previousTimer: UInt32
    var timerSlot: UInt16
    var link: UInt32
}

@Suite("The timer wheel")
struct TimerWheelTests {
    private static let tick: UInt64 = 1 << TimerWheel.tickShift
    private static let day: UInt64 = 86_400_000_000_000

    /// A wheel with its slab, and the deadlines that it should know of.
    private struct Wheel: ~Copyable {
        var slab: Slab<Timer>
        var wheel = TimerWheel()
        var deadlines: [UInt32: UInt64] = [:]
        /// How many elements were looked at in all.
        var looks = 0

        init(capacity: Int, now: UInt64) {
            slab = Slab(capacity: capacity)
            wheel.start(at: now)
        }

        mutating func insert(_ deadline: UInt64) {
            guard let number = slab.allocate() else { return }
            slab[number].deadline = deadline
            slab[number].timerSlot = 0
            wheel.insert(number, in: &slab)
            deadlines[number] = deadline
        }

        /// A later deadline is only written down; for an earlier one the element is entered anew.
        mutating func touch(_ number: UInt32, _ deadline: UInt64) {
            let isEarlier = deadline < slab[number].deadline
            if isEarlier { wheel.remove(number, in: &slab) }
            slab[number].deadline = deadline
            if isEarlier { wheel.insert(number, in: &slab) }
            deadlines[number] = deadline
        }

        mutating func remove(_ number: UInt32) {
            wheel.remove(number, in: &slab)
            slab.release(number)
            deadlines[number] = nil
        }

        /// Lets the wheel come to `now`, and returns what expired with its deadline.
        mutating func advance(_ now: UInt64, budget: Int = .max) -> [UInt64] {
            var left = budget
            var expired: [UInt64] = []
            while let number = wheel.nextExpired(now, in: &slab, budget: &left) {
                expired.append(deadlines[number] ?? .max)
                deadlines[number] = nil
                slab.release(number)
            }
            looks += budget - left
            return expired
        }

        /// The elements that stand in the lists of the wheel.
        var standing: Int {
            var count = 0
            for slot in 0..<TimerWheel.slotsPerLevel * TimerWheel.levels {
                var number = wheel.heads[slot]
                while number != 0 {
                    count += slab[number].timerSlot == UInt16(slot + 1) ? 1 : 1_000_000
                    number = slab[number].nextTimer
                }
            }
            return count
        }
    }

    /// A step of time: mostly small, sometimes days or months.
    private func step(_ generator: inout TestGenerator) -> UInt64 {
        switch generator.pick(0..<20) {
        case 0..<8: UInt64(generator.pick(0..<300_000_000))
        case 8..<14: UInt64(generator.pick(0..<20)) * 1_000_000_000
        case 14..<17: UInt64(generator.pick(0..<3600)) * 1_000_000_000
        case 17..<19: UInt64(generator.pick(0..<60)) * Self.day / 2
        default: UInt64(generator.pick(0..<200)) * Self.day
        }
    }

    @Test("every element expires after its deadline, and at most two ticks after it", arguments: 0..<40)
    func model(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var now = UInt64(generator.pick(0..<1_000_000)) * 1_000_000_000
        var wheel = Wheel(capacity: 300, now: now)
        for _ in 0..<600 {
            for _ in 0..<generator.pick(0..<4) { wheel.insert(now &+ step(&generator)) }
            if generator.chance(40), let number = wheel.deadlines.keys.sorted().randomElement(using: &generator) {
                wheel.touch(number, now &+ step(&generator))
            }
            if generator.chance(10), let number = wheel.deadlines.keys.sorted().randomElement(using: &generator) {
                wheel.remove(number)
            }
            now &+= step(&generator)
            let early = wheel.advance(now).filter { $0 > now }
            #expect(early.isEmpty, "expired before its deadline")
            let late = wheel.deadlines.values.filter { $0 &+ 2 &* Self.tick < now }
            #expect(late.isEmpty, "\(late.count) elements are overdue at \(now)")
            let (standing, known) = (wheel.standing, wheel.deadlines.count)
            #expect(standing == known)
        }
    }

    @Test("a jump over months costs no more than what it finds")
    func jump() {
        var wheel = Wheel(capacity: 100, now: 0)
        for number in 0..<100 { wheel.insert(UInt64(number + 1) * 7 * Self.day) }
        let expired = wheel.advance(4000 * Self.day)
        #expect(expired.count == 100)
        // Each element is looked at once for every level at most, and for each 52 days that it lies beyond reach.
        let looks = wheel.looks
        #expect(looks <= 100 * (4 + 700 / 50))
        var later = Wheel(capacity: 1, now: 0)
        later.insert(UInt64.max / 2)
        let none = later.advance(100_000 * Self.day)
        #expect(none.isEmpty)
        let fewLooks = later.looks
        #expect(fewLooks < 3000)
    }

    @Test("a budget bounds one call, and the rest comes with the next", arguments: [1, 3, 10])
    func budget(budget: Int) {
        var wheel = Wheel(capacity: 200, now: 0)
        for number in 0..<200 { wheel.insert(UInt64(number) * 50_000_000) }
        let now = 20 * Self.day
        var rounds = 0
        var expired = 0
        while expired < 200 && rounds < 1000 {
            let batch = wheel.advance(now, budget: budget)
            #expect(batch.count <= budget)
            expired += batch.count
            rounds += 1
        }
        #expect(expired == 200)
        #expect(rounds <= 200 * 4 / budget + 2)
    }

    @Test("what is entered between calls with a budget too small expires all the same", arguments: 0..<10)
    func starved(seed: Int) {
        var generator = TestGenerator(seed: seed)
        var wheel = Wheel(capacity: 500, now: 0)
        var now: UInt64 = 0
        for _ in 0..<300 {
            wheel.insert(now &+ UInt64(generator.pick(0..<100)) &* 1_000_000_000)
            now &+= UInt64(generator.pick(0..<10)) &* 1_000_000_000
            let early = wheel.advance(now, budget: 1).filter { $0 > now }
            #expect(early.isEmpty)
        }
        _ = wheel.advance(now &+ Self.day)
        let left = wheel.deadlines.count
        #expect(left == 0)
    }

    @Test("a wheel is due once a tick, and starts only once")
    func due() {
        var wheel = TimerWheel()
        wheel.start(at: 5 * Self.tick)
        let before = wheel.isDue(5 * Self.tick + Self.tick - 1)
        let after = wheel.isDue(6 * Self.tick)
        #expect(!before && after)
        wheel.start(at: 9 * Self.tick)
        let still = wheel.isDue(6 * Self.tick)
        #expect(still)
    }
}
