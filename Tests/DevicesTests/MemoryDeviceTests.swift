import Devices
import Foundation
import Glibc
import Testing

@Suite("Memory devices")
struct MemoryDeviceTests {
    @Test("what one end writes the other reads, in order, both ways")
    func order() throws {
        var (near, far) = try MemoryDevice.pair(capacity: 3)
        var buffer = Buffer()
        // More rounds than the ring has slots, so that it wraps.
        for round in 0..<UInt8(5) {
            #expect(try near.write([1, round]) == .sent)
            #expect(try near.write([2, round, 3]) == .sent)
            #expect(try far.write([9]) == .sent)
            #expect(far.waiting == 2)
            #expect(try buffer.read(&far) == [1, round])
            #expect(try buffer.read(&far) == [2, round, 3])
            #expect(try buffer.read(&near) == [9])
            #expect(try buffer.result(of: &far) == .empty)
        }
    }

    @Test("a full queue takes nothing and loses nothing")
    func full() throws {
        var (near, far) = try MemoryDevice.pair(capacity: 2)
        var buffer = Buffer()
        #expect(try near.write([1]) == .sent)
        #expect(try near.write([2]) == .sent)
        #expect(try near.write([3]) == .full)
        #expect(try buffer.read(&far) == [1])
        #expect(try near.write([4]) == .sent)
        #expect(try buffer.read(&far) == [2])
        #expect(try buffer.read(&far) == [4])
    }

    @Test("frames without bytes and frames that are too long are refused")
    func refused() throws {
        var (near, _) = try MemoryDevice.pair(frameLength: 4)
        #expect(try near.write([]) == .refused)
        #expect(try near.write([1, 2, 3, 4, 5]) == .refused)
        #expect(try near.write([1, 2, 3, 4]) == .sent)
    }

    @Test("a short buffer gets the front of the frame, as from a TUN; one without room gets nothing")
    func short() throws {
        var (near, far) = try MemoryDevice.pair()
        _ = try near.write([1, 2, 3])
        var none = Buffer(count: 0)
        #expect(try none.result(of: &far) == .empty)
        var small = Buffer(count: 2)
        #expect(try small.read(&far) == [1, 2])
        #expect(try small.result(of: &far) == .empty)
    }

    @Test("down and gone are told apart")
    func states() throws {
        var (near, far) = try MemoryDevice.pair()
        var buffer = Buffer()
        _ = try near.write([1])
        try far.setState(.down)
        #expect(try near.write([2]) == .down)
        #expect(try buffer.read(&far) == [1])
        #expect(try buffer.result(of: &far) == .down)
        try far.setState(.up)
        #expect(try near.write([3]) == .sent)
        try near.setState(.gone)
        #expect(try near.write([4]) == .gone)
        #expect(try buffer.result(of: &far) == .gone)
        #expect(try becomesReadable(far.pollDescriptor, milliseconds: 0))
    }

    @Test("the descriptor is readable exactly while a frame waits")
    func polling() throws {
        var (near, far) = try MemoryDevice.pair()
        var buffer = Buffer()
        #expect(try !becomesReadable(far.pollDescriptor, milliseconds: 0))
        _ = try near.write([1])
        _ = try near.write([2])
        #expect(try becomesReadable(far.pollDescriptor, milliseconds: 0))
        _ = try buffer.read(&far)
        #expect(try becomesReadable(far.pollDescriptor, milliseconds: 0))
        _ = try buffer.read(&far)
        #expect(try !becomesReadable(far.pollDescriptor, milliseconds: 0))
    }

    @Test("ends on different threads lose nothing and miss no wake-up")
    func concurrent() throws {
        let (near, far) = try MemoryDevice.pair(capacity: 8, frameLength: 8)
        let total = 20_000
        // A thread of its own, because tests that run beside this one may occupy all those of the task pool.
        let writer = Thread {
            var near = near
            var sent = 0
            while sent < total, !Thread.current.isCancelled {
                let bytes = [UInt8(sent & 255), UInt8(sent >> 8 & 255)]
                guard let result = try? near.write(bytes) else { return }
                if result == .sent { sent += 1 } else { sched_yield() }
            }
        }
        writer.start()
        var device = far
        var buffer = Buffer(count: 8)
        var received = 0
        let deadline = monotonicNanoseconds() + 60_000_000_000
        while received < total, monotonicNanoseconds() < deadline {
            // Only what the descriptor announces is read.
            guard try becomesReadable(device.pollDescriptor, milliseconds: 100) else { continue }
            while let frame = try buffer.read(&device) {
                if frame != [UInt8(received & 255), UInt8(received >> 8 & 255)] {
                    Issue.record("frame \(received) is \(frame)")
                }
                received += 1
            }
        }
        #expect(received == total)
        writer.cancel()
    }
}
