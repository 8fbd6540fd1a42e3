import TestSupport
import Testing
import Wire

@Suite("virtio-net headers")
struct VirtioNetHeaderTests {
    private func bytes(_ header: VirtioNetHeader) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xa5, count: 12)
        withMutableBytes(of: &bytes) { header.write(to: &$0) }
        return bytes
    }

    @Test("the layout of struct virtio_net_hdr, in the byte order of the machine")
    func layout() {
        var header = VirtioNetHeader.plain
        #expect(header.isPlain && bytes(header) == [UInt8](repeating: 0, count: 10) + [0xa5, 0xa5])
        header.needsChecksum = true
        header.segmentation = .tcp4
        header.reducesWindow = true
        header.headerLength = 0x0102
        header.segmentSize = 0x0304
        header.checksumStart = 0x0506
        header.checksumOffset = 0x0708
        let words = [0x0102, 0x0304, 0x0506, 0x0708] as [UInt16]
        let expected = words.flatMap { [UInt8($0.bigEndian >> 8), UInt8($0.bigEndian & 255)] }
        #expect(bytes(header) == [1, 0x81] + expected + [0xa5, 0xa5])
        #expect(!header.isPlain)
    }

    @Test("what was written is read back, and unknown bits make no difference", arguments: 0..<50)
    func back(seed: Int) {
        var generator = TestGenerator(seed: seed)
        let raw = generator.bytes(10)
        let header = withBytes(of: raw) { VirtioNetHeader($0) }
        let again = withBytes(of: bytes(header)) { VirtioNetHeader($0) }
        #expect(again == header)
        #expect(header.needsChecksum == (raw[0] & 1 == 1) && header.segmentation.rawValue == raw[1] & 0x7f)
    }
}
