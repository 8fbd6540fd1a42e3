internal import Datapath
internal import Devices
internal import Logging
internal import Tables
internal import Wire

// The worker's way with frames: from the queues into a batch, and from the batch to the queues.

extension Worker {
    /// How many bytes of a port are read in a turn before others have theirs.
    private static let bytesPerTurn: UInt64 = 128 * 1024

    /// Adds frames of a port to the batch, as long as there are any and both have room.
    ///
    /// It stops after some bytes: super-packets that are written soon are still in the processor's cache.
    mutating func read(_ port: Port, _ number: Int, atMost share: Int) throws(SystemError) {
        // Where frames come one by one, it is not asked each time whether there is another: epoll would tell again.
        let isAsked = port.singles < 2 || port.singles & 7 == 7
        var count = 0
        let limit = port.counters.bytesRead.value &+ Self.bytesPerTurn
        while count < share && batch.count < Batch.maximumCount && port.counters.bytesRead.value < limit {
            if count == 1 && !isAsked { break }
            let result: ReadResult
            do {
                var buffer = batch.frames.buffer(batch.count, header: VirtioNetHeader.length)
                result = try port.queue.read(into: &buffer)
            }
            if case .frame(let length) = result {
                append(length, from: port, number)
                count += 1
                continue
            }
            if case .gone = result {
                port.counters.markGone()
                // All workers see it, and one tells.
                if isFirst { logger.warning("interface \(port.label) was deleted") }
            }
            break
        }
        port.singles = count == 1 ? port.singles &+ 1 : 0
    }

    /// Adds the frame that was read to the batch: `length` bytes, its header included.
    private mutating func append(_ length: Int, from port: Port, _ number: Int) {
        port.counters.framesRead.add(1)
        var packet = Packet()
        packet.length = Int32(truncatingIfNeeded: max(length - VirtioNetHeader.length, 0))
        packet.wireLength = packet.length
        port.counters.bytesRead.add(Int(packet.length))
        packet.ingress = UInt16(truncatingIfNeeded: number)
        if length > VirtioNetHeader.length {
            let header: VirtioNetHeader
            do {
                let bytes = batch.frames.frame(batch.count, length: 0, header: VirtioNetHeader.length)
                header = VirtioNetHeader(bytes.bytes)
            }
            if !header.isPlain {
                var frame = batch.frames.frame(batch.count, length: Int(packet.length))
                packet.accept(header, &frame)
            }
        }
        _ = batch.append(packet)
    }

    /// Lets the pipeline decide about a batch, and sends what leaves; `now` is the time of the clock of timers.
    mutating func processBatch(now: UInt64) throws(SystemError) {
        let time = realtimeNanoseconds()
        var count: UInt64 = 0
        for index in 0..<batch.count {
            batch.packets[index].number = count
            count &+= UInt64(truncatingIfNeeded: batch.packets[index].segmentCount)
        }
        let first = numbers.take(count)
        for index in 0..<batch.count {
            batch.packets[index].number &+= first
            batch.packets[index].now = now
            batch.packets[index].time = time
        }
        shared.process(&batch, worker: number)
        // Before it is sent: an answer may come to another worker, and be recorded by it, while this one is still sending.
        if let failure = recorder?.record(batch) {
            logger.error("\(failure); the trace ends here, traffic goes on without it")
        }
        try writeAll()
    }

    /// Sends what leaves: what belongs together at once.
    private mutating func writeAll() throws(SystemError) {
        guard batch.emissionCount > 1, batch.emissionCount <= Coalescer.planLimit else {
            for index in 0..<batch.emissionCount { try write(batch.emissions[index]) }
            return
        }
        coalescer.plan(batch)
        for group in 0..<coalescer.groupCount {
            if coalescer.count(group) == 1 {
                try write(batch.emissions[coalescer.first(group)])
            } else {
                try writeTogether(group)
            }
        }
    }

    private mutating func write(_ emission: Emission) throws(SystemError) {
        let port = ports[Int(emission.egress)]
        let result: WriteResult
        do {
            let bytes = batch.framedBytes(of: emission)
            result = try port.queue.write(bytes.bytes)
        }
        port.count(result, frames: 1, bytes: Int(emission.length))
    }

    /// Writes a group of emissions as one.
    private mutating func writeTogether(_ group: Int) throws(SystemError) {
        let first = coalescer.first(group)
        let egress = Int(batch.emissions[first].egress)
        coalescer.makeHeaders(group, batch)
        let bytes = Self.collect(&parts, coalescer, batch, first)
        let result = try ports[egress].queue.write(parts)
        guard case .refused = result else {
            ports[egress].count(result, frames: coalescer.count(group), bytes: bytes)
            return
        }
        // The kernel would not have it so, and will not have the next one.
        coalescer.kinds[egress] = []
        var next: Int? = first
        while let number = next {
            try write(batch.emissions[number])
            next = coalescer.next(number)
        }
    }

    /// Puts headers and payloads into the list of parts; returns how many bytes the packets have.
    private static func collect(
        _ parts: inout GatherList,
        _ coalescer: borrowing Coalescer,
        _ batch: borrowing Batch,
        _ first: Int
    ) -> Int {
        var bytes = 0
        parts.clear()
        // Safe: headers and frames stay where they are until the next batch.
        unsafe parts.append(coalescer.headerBytes())
        var next: Int? = first
        while let number = next {
            let emission = batch.emissions[number]
            unsafe parts.append(batch.payload(of: emission, behind: coalescer.headerLength))
            bytes += Int(emission.length)
            next = coalescer.next(number)
        }
        return bytes
    }
}
