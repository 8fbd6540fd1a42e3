import Capture
import FuzzSupport

/// Captures: classic pcap and pcapng, whatever is wrong with them.
enum CaptureFuzzer {
    private static let file = MemoryFile()
    // Safe: libFuzzer has one thread.
    nonisolated(unsafe) private static var frame = [UInt8](repeating: 0, count: 65535)

    static func run(_ bytes: [UInt8]) {
        file.replace(with: bytes)
        unsafe read(filter: nil, &frame)
        // Where the input says so, a filter stands before each packet.
        if bytes.count % 4 == 0 { unsafe read(filter: "ip and not port 53", &frame) }
    }

    private static func read(filter: String?, _ frame: inout [UInt8]) {
        var last: UInt64 = 0
        do throws(CaptureError) {
            var reader = try CaptureReader(path: file.path, filter: filter)
            while true {
                var elements = frame.mutableSpan
                var span = unsafe elements.mutableBytes
                guard let packet = try reader.next(into: &span) else { break }
                precondition(packet.number > last, "packets are numbered as in the file")
                last = packet.number
                precondition(packet.capturedLength <= 65535 && packet.capturedLength <= packet.wireLength)
                _ = reader.interfaceName(of: packet)
            }
            precondition(reader.packetsRead >= last)
        } catch {
            precondition(!error.reason.isEmpty, "an error says why")
        }
    }
}
