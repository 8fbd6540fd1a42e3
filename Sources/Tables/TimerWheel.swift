/// What a timer wheel needs of the elements it holds: their deadline, and room for its links.
public protocol TimerElement: SlabElement {
    /// When the element expires, in nanoseconds of the clock that is passed in.
    var deadline: UInt64 { get }
    /// The next element in the same slot, 0 for none; written by the wheel.
    var nextTimer: UInt32 { get set }
    /// The previous element in the same slot, 0 for the first; written by the wheel.
    var previousTimer: UInt32 { get set }
    /// The slot the element stands in, plus one; 0 when it is in none.
    var timerSlot: UInt16 { get set }
}

/// A hierarchical timer wheel over the elements of a slab (Varghese and Lauck, 1987).
///
/// Theory of operation: time is cut into ticks of 2^28 ns (0.27 s). Level 0 has a slot for each of the next 64 ticks,
/// level 1 for each of the next 64 times 64, and so on; four levels reach 52 days, later deadlines wait in the
/// furthest slot. The wheel is lazy: an element that is used gets a new deadline written into it and stays where it
/// is; when its slot comes up the wheel looks at the deadline, and enters it again if that is still to come. So a
/// packet never touches the wheel, and the cost of expiry follows what expires, not the size of the table. Only an
/// element whose deadline became an earlier one must be taken out and entered anew.
/// Whoever needs an exact end looks at the deadline itself; the wheel only clears away.
public struct TimerWheel: ~Copyable {
    /// A tick is 2 to the power of this many nanoseconds.
    public static var tickShift: UInt64 { 28 }
    /// How many slots a level has.
    public static var slotsPerLevel: Int { 64 }
    /// How many levels there are; a slot of each is as long as all of the level below.
    public static var levels: Int { 4 }

    /// The first element of each slot, level by level; 0 for an empty slot.
    public var heads: FixedArray<UInt32>
    /// A bit for each slot that holds something, a word a level.
    public var occupied: InlineArray<4, UInt64> = [0, 0, 0, 0]
    /// The tick up to which everything has been looked at.
    public var current: UInt64 = 0
    /// Whether `start` has set the clock.
    public var isStarted = false

    /// An empty wheel, whose clock is not set.
    public init() { heads = FixedArray(count: Self.slotsPerLevel * Self.levels) }

    /// The slot for a deadline as seen from the current tick.
    @inlinable func slot(for deadline: UInt64) -> Int {
        let tick = max(deadline >> Self.tickShift, current &+ 1)
        let distance = tick &- current
        if distance < 64 { return Int(tick & 63) }
        if distance < 64 << 6 { return 64 + Int(tick >> 6 & 63) }
        if distance < 64 << 12 { return 128 + Int(tick >> 12 & 63) }
        let reachable = min(tick, current &+ (63 << 18))
        return 192 + Int(reachable >> 18 & 63)
    }

    /// Enters an element by its deadline; it must be in no slot.
    @inlinable public mutating func insert<Element: TimerElement>(_ number: UInt32, in slab: inout Slab<Element>) {
        insert(number, at: slot(for: slab[number].deadline), in: &slab)
    }

    /// Enters an element, which must be in no slot, into a slot; before those that are in it.
    @inlinable mutating func insert<Element: TimerElement>(
        _ number: UInt32,
        at slot: Int,
        in slab: inout Slab<Element>
    ) {
        let head = heads[slot]
        slab[number].timerSlot = UInt16(truncatingIfNeeded: slot &+ 1)
        slab[number].nextTimer = head
        slab[number].previousTimer = 0
        if head != 0 { slab[head].previousTimer = number }
        heads[slot] = number
        occupied[slot >> 6] |= 1 << UInt64(truncatingIfNeeded: slot & 63)
    }

    /// Takes an element out of its slot, if it is in one.
    @inlinable public mutating func remove<Element: TimerElement>(_ number: UInt32, in slab: inout Slab<Element>) {
        let slot = slab[number].timerSlot
        guard slot != 0 else { return }
        let next = slab[number].nextTimer
        let previous = slab[number].previousTimer
        if next != 0 { slab[next].previousTimer = previous }
        if previous != 0 {
            slab[previous].nextTimer = next
        } else {
            let index = Int(slot) &- 1
            heads[index] = next
            if next == 0 { occupied[index >> 6] &= ~(1 << UInt64(truncatingIfNeeded: index & 63)) }
        }
        slab[number].timerSlot = 0
    }

    /// Sets the clock of a wheel that holds nothing yet, in nanoseconds; later calls do nothing.
    @inlinable public mutating func start(at now: UInt64) {
        if !isStarted {
            current = now >> Self.tickShift
            isStarted = true
        }
    }

    /// Whether a tick has gone by since the last look, so that `nextExpired` may have something to do.
    @inlinable public func isDue(_ now: UInt64) -> Bool { now >> Self.tickShift > current }

    /// Moves on to `now` and hands out what is due, element by element; elements with time left are entered again.
    ///
    /// At most `budget` elements are looked at in one call; the rest comes with the next one. Returns one expired
    /// element, taken out of the wheel, or nil when nothing more is due.
    @inlinable public mutating func nextExpired<Element: TimerElement>(
        _ now: UInt64,
        in slab: inout Slab<Element>,
        budget: inout Int
    ) -> UInt32? {
        let target = now >> Self.tickShift
        while current < target {
            let tick = nextOccupiedTick
            guard tick <= target else {
                current = target
                break
            }
            // What ends with this tick: a slot of level 0, and those of the higher levels whose turn it is.
            for level in 0..<Self.levels {
                let shift = UInt64(truncatingIfNeeded: 6 &* level)
                if tick & ((1 << shift) &- 1) != 0 { break }
                let slot = level &* 64 &+ Int(truncatingIfNeeded: tick >> shift & 63)
                while heads[slot] != 0 {
                    if budget <= 0 { return nil }
                    budget &-= 1
                    let number = heads[slot]
                    remove(number, in: &slab)
                    if slab[number].deadline <= now { return number }
                    // A later look must find it in a slot that is still ahead of this tick.
                    let before = current
                    current = tick
                    insert(number, in: &slab)
                    current = before
                }
            }
            current = tick
        }
        return nil
    }

    /// The first tick after the current one at which a slot with something in it comes up; `max` when all are empty.
    ///
    /// However far the clock jumps, only occupied slots are visited.
    @inlinable var nextOccupiedTick: UInt64 {
        var earliest = UInt64.max
        for level in 0..<Self.levels where occupied[level] != 0 {
            let shift = UInt64(truncatingIfNeeded: 6 &* level)
            let next = (current >> shift) &+ 1
            let turn = next & 63
            let rotated = occupied[level] >> turn | occupied[level] << ((64 &- turn) & 63)
            earliest = min(earliest, (next &+ UInt64(rotated.trailingZeroBitCount)) << shift)
        }
        return earliest
    }
}
