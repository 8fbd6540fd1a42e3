import Devices
import Glibc
import Testing

@Suite("Epoll, events and timers")
struct EpollTests {
    @Test("an event is seen with its token until it is cleared")
    func event() throws {
        var epoll = try Epoll()
        let first = try EventFD()
        let second = try EventFD()
        try epoll.add(first.descriptor.number, token: 1)
        try epoll.add(second.descriptor.number, token: .max)
        #expect(try epoll.wait(milliseconds: 0) == 0)
        try second.signal()
        try second.signal()
        #expect(try epoll.wait(milliseconds: 1000) == 1)
        let seen = epoll[0]
        #expect(seen.token == .max && seen.isReadable && !seen.isWritable && !seen.isFailed)
        #expect(try epoll.wait(milliseconds: 0) == 1)
        #expect(try second.clear())
        #expect(try !second.clear())
        #expect(try epoll.wait(milliseconds: 0) == 0)
    }

    @Test("writability is reported to those who ask, and removal ends the reports")
    func interest() throws {
        var epoll = try Epoll()
        let event = try EventFD()
        let number = event.descriptor.number
        try epoll.add(number, token: 5, writable: true)
        #expect(try epoll.wait(milliseconds: 0) == 1)
        #expect(epoll[0].isWritable && !epoll[0].isReadable)
        try epoll.modify(number, token: 6, writable: false)
        #expect(try epoll.wait(milliseconds: 0) == 0)
        try epoll.remove(number)
        try event.signal()
        #expect(try epoll.wait(milliseconds: 0) == 0)
        #expect(throws: SystemError(call: .epollControl, object: "descriptor \(number)", code: ENOENT)) {
            try epoll.remove(number)
        }
    }

    @Test("more events than the buffer holds come with the next wait")
    func capacity() throws {
        var epoll = try Epoll(capacity: 1)
        let first = try EventFD()
        let second = try EventFD()
        try epoll.add(first.descriptor.number, token: 1)
        try epoll.add(second.descriptor.number, token: 2)
        try first.signal()
        try second.signal()
        var seen: Set<UInt64> = []
        for _ in 0..<2 {
            #expect(try epoll.wait(milliseconds: 0) == 1)
            seen.insert(epoll[0].token)
        }
        #expect(seen == [1, 2])
    }

    @Test("a wait takes as long as it was told")
    func timeout() throws {
        var epoll = try Epoll()
        let start = monotonicNanoseconds()
        #expect(try epoll.wait(milliseconds: 30) == 0)
        #expect(monotonicNanoseconds() - start >= 29_000_000)
    }

    @Test("a signal does not end a wait")
    func interrupted() async throws {
        // SIGUSR2 interrupts and does nothing.
        _ = signal(SIGUSR2) { _ in }
        let (stream, handOver) = AsyncStream<UInt>.makeStream()
        let waiter = Task.detached {
            handOver.yield(UInt(pthread_self()))
            var epoll = try Epoll()
            let start = monotonicNanoseconds()
            let count = try epoll.wait(milliseconds: 200)
            return (count, monotonicNanoseconds() - start)
        }
        var iterator = stream.makeAsyncIterator()
        let thread = try #require(await iterator.next())
        for _ in 0..<5 {
            try await Task.sleep(for: .milliseconds(20))
            _ = pthread_kill(pthread_t(thread), SIGUSR2)
        }
        let (count, elapsed) = try await waiter.value
        #expect(count == 0)
        #expect(elapsed >= 199_000_000)
    }

    @Test("a timer expires once, or again and again, or not at all")
    func timer() throws {
        let timer = try TimerFD()
        #expect(try timer.clear() == 0)
        try timer.arm(afterNanoseconds: 0)
        #expect(try becomesReadable(timer.descriptor.number))
        #expect(try timer.clear() == 1)
        #expect(try !becomesReadable(timer.descriptor.number, milliseconds: 5))

        try timer.arm(afterNanoseconds: 1_000_000, every: 1_000_000)
        #expect(try becomesReadable(timer.descriptor.number))
        #expect(try timer.clear() >= 1)
        #expect(try becomesReadable(timer.descriptor.number))
        try timer.disarm()
        #expect(try timer.clear() == 0)
        #expect(try !becomesReadable(timer.descriptor.number, milliseconds: 5))
    }
}
