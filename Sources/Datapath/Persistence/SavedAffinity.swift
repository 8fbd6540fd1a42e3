internal import Tables
internal import Wire

extension AffinityTable {
    private static var savedSize: Int { 22 }

    /// Writes all remembered clients, with the order of their timers.
    func save(to encoder: inout StateEncoder) {
        var positions = [Int](repeating: 0, count: Int(entries.highWater))
        var numbers: [UInt32] = []
        var number: UInt32 = 1
        while number < entries.highWater {
            if entries[number].timerSlot != 0 {
                positions[Int(number)] = numbers.count
                numbers.append(number)
            }
            number += 1
        }
        encoder.putCount(numbers.count)
        for number in numbers {
            encoder.put(entries[number].key)
            encoder.put(entries[number].backend.address.bits)
            encoder.put(entries[number].backend.port)
            encoder.put(entries[number].deadline)
        }
        wheel.save(entries, to: &encoder) { positions[Int($0)] }
    }

    /// Remembers the clients that were saved at a time, in a table that knows none.
    mutating func restore(from decoder: inout StateDecoder, servicePorts: Int, now: UInt64) {
        let count = decoder.getCount(limit: Self.capacity, size: Self.savedSize)
        for _ in 0..<count {
            let key: UInt64 = decoder.get()
            let address = IPv4Address(bits: decoder.get())
            let backend = FlowEndpoint(address: address, port: decoder.get())
            let deadline: UInt64 = decoder.get()
            guard decoder.isWhole, 1...UInt64(max(servicePorts, 1)) ~= key >> 32, deadline > 0,
                deadline <= now &+ Self.longest,
                enter(key, backend, until: deadline)
            else { return decoder.refuse() }
        }
        wheel.restore(&entries, count: count, from: &decoder, now: now)
    }
}
