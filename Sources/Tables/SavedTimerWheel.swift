// A wheel is saved as it stands, each slot in its order: what is due in one look, and so what a full table still holds, must
// be the same after a wheel was restored.

extension TimerWheel {
    /// Writes the wheel of a slab whose elements `position` numbers from 0 on, as they were written before.
    public func save<Element: TimerElement>(
        _ slab: borrowing Slab<Element>,
        to encoder: inout StateEncoder,
        position: (UInt32) -> Int
    ) {
        encoder.put(isStarted)
        encoder.put(current)
        for slot in 0..<heads.count {
            var members: [UInt32] = []
            var number = heads[slot]
            while number != 0 {
                members.append(number)
                number = slab[number].nextTimer
            }
            encoder.putCount(members.count)
            for member in members { encoder.putCount(position(member)) }
        }
    }

    /// Enters the elements 1 to `count` of a slab, which are in no slot, as they stood at a time, `now`; each must stand in one.
    public mutating func restore<Element: TimerElement>(
        _ slab: inout Slab<Element>,
        count: Int,
        from decoder: inout StateDecoder,
        now: UInt64
    ) {
        isStarted = decoder.getBool()
        current = decoder.get()
        // A wheel that is ahead of its time would clear nothing away until then.
        decoder.require(current <= now >> Self.tickShift)
        var left = count
        for slot in 0..<heads.count {
            let members = (0..<decoder.getCount(limit: left, size: 4)).map { _ in Int(decoder.get(UInt32.self)) }
            // The last one first, as each goes before the others.
            for position in members.reversed() {
                guard decoder.isWhole, position < count, slab[UInt32(position + 1)].timerSlot == 0 else {
                    decoder.refuse()
                    return
                }
                insert(UInt32(position + 1), at: slot, in: &slab)
                left -= 1
            }
        }
        decoder.require(left == 0)
    }
}
