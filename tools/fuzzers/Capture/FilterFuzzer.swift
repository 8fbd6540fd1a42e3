import Capture
import FuzzSupport

/// Capture filters: any text, compiled and then run over a packet.
enum FilterFuzzer {
    private static let file = makeFile()
    // Safe: libFuzzer has one thread.
    nonisolated(unsafe) private static var frame = [UInt8](repeating: 0, count: 2048)

    /// A capture of one packet, a TCP SYN in Ethernet.
    private static func makeFile() -> MemoryFile {
        let file = MemoryFile()
        let header: [UInt8] = [
            0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0,
        ]
        let record: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 54, 0, 0, 0]
        let ethernet: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]
        let network: [UInt8] = [
            0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 244, 1, 2, 10, 96, 0, 10,
        ]
        let segment: [UInt8] = [0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0]
        file.replace(with: header + record + ethernet + network + segment)
        return file
    }

    static func run(_ bytes: [UInt8]) {
        guard bytes.count <= 256 else { return }
        unsafe run(String(decoding: bytes, as: UTF8.self), &frame)
    }

    private static func run(_ expression: String, _ frame: inout [UInt8]) {
        do throws(CaptureError) {
            var reader = try CaptureReader(path: file.path, filter: expression)
            var elements = frame.mutableSpan
            var span = unsafe elements.mutableBytes
            let packet = try reader.next(into: &span)
            precondition((packet == nil) == (reader.packetsFiltered == 1))
        } catch {
            precondition(
                error.kind == .filter && !error.reason.isEmpty,
                "only the filter can be wrong, and that is told"
            )
        }
    }
}
