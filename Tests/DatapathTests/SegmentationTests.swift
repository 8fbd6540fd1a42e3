import Datapath
import TestSupport
import Testing
import Wire

/// Cutting against the plain model of `Superpackets.onWire`.
@Suite("Segmentation")
struct SegmentationTests {
    private func cut(_ bytes: [UInt8], _ segmentation: Segmentation) -> [[UInt8]] {
        (0..<segmentation.count).map { index in
            var target = [UInt8](repeating: 0xa5, count: segmentation.length(index))
            withMutableBytes(of: &target) { target in
                withBytes(of: bytes) { segmentation.write(index, $0, $0, into: &target) }
            }
            return target
        }
    }

    @Test("TCP: lengths, identifications, sequence numbers, FIN and PSH last, CWR first", arguments: 0..<100)
    func tcpSegments(seed: Int) throws {
        var generator = TestGenerator(seed: seed)
        var builder = PacketBuilder(from: generator.address(), to: generator.address())
        builder.identification = generator.port()
        builder.options = generator.bytes(generator.pick([0, 4, 40]))
        if builder.options.count > 0 { builder.options[0] = 0 }
        let size = generator.pick([1, 2, 7, 536, 1448])
        let payload = generator.bytes(generator.pick(size + 1..<size * 12 + 2))
        let bytes = builder.tcp(
            generator.port(),
            generator.port(),
            flags: TCPFlags(rawValue: UInt8(generator.pick(0..<256))),
            sequence: generator.chance(50) ? generator.word() : UInt32.max - 3,
            tcpOptions: generator.bytes(generator.pick([0, 12, 40])),
            payload: payload
        )
        let (partial, header) = Superpackets.make(bytes, size: size)
        let segmentation = try #require(
            Segmentation(headers: bytes.count - payload.count, size: size, length: bytes.count)
        )
        #expect(cut(partial, segmentation) == Superpackets.onWire(partial, header))
    }

    @Test("UDP: datagrams of one size, the last one may be shorter", arguments: 0..<100)
    func datagrams(seed: Int) throws {
        var generator = TestGenerator(seed: seed)
        let size = generator.pick([1, 3, 64, 1400])
        let payload = generator.bytes(generator.pick(size + 1..<size * 20 + 2))
        var builder = PacketBuilder(from: generator.address(), to: generator.address())
        builder.identification = UInt16.max - 2
        builder.flagsAndOffset = generator.chance(50) ? 0 : FragmentField.doNotFragmentBit
        let (bytes, header) = Superpackets.make(builder.udp(5, 6, payload: payload), size: size)
        let segmentation = try #require(Segmentation(headers: 28, size: size, length: bytes.count))
        let parts = cut(bytes, segmentation)
        #expect(parts == Superpackets.onWire(bytes, header))
        #expect(parts.flatMap { $0.dropFirst(28) } == payload)
        #expect(parts.dropLast().allSatisfy { $0.count == 28 + size })
        #expect(parts.last?.count == 28 + (payload.count % size == 0 ? size : payload.count % size))
    }

    @Test("what is no super-packet does not fall apart")
    func none() {
        #expect(Segmentation(Packet()) == nil)
        #expect(Segmentation(headers: 28, size: 0, length: 100) == nil)
        #expect(Segmentation(headers: 28, size: 10, length: 28) == nil)
        #expect(Segmentation(headers: 0, size: 10, length: 28) == nil)
    }
}
