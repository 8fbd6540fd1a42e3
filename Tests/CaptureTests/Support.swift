import Capture
import Glibc
import Testing

/// Bytes put together number by number, in either order.
struct Bytes {
    var bytes: [UInt8] = []
    var isBigEndian = false

    mutating func put<Number: FixedWidthInteger>(_ number: Number) {
        for index in 0..<MemoryLayout<Number>.size {
            let shift = 8 * (isBigEndian ? MemoryLayout<Number>.size - 1 - index : index)
            bytes.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }

    mutating func put(_ more: [UInt8]) { bytes += more }

    mutating func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }
}

/// A classic pcap file.
struct ClassicFile {
    var out: Bytes
    let ticks: UInt64

    /// Behind each record header, for Kuznetzov's variant.
    var more: [UInt8] = []

    init(
        link: UInt32 = 101,
        isBigEndian: Bool = false,
        isNano: Bool = false,
        snapLength: UInt32 = 65535,
        magic: UInt32? = nil,
        version: (major: UInt16, minor: UInt16) = (2, 4)
    ) {
        out = Bytes(isBigEndian: isBigEndian)
        ticks = isNano ? 1 : 1000
        out.put(magic ?? (isNano ? 0xa1b2_3c4d : 0xa1b2_c3d4))
        out.put(version.major)
        out.put(version.minor)
        out.put(UInt64(0))
        out.put(snapLength)
        out.put(link)
    }

    mutating func packet(_ bytes: [UInt8], time: UInt64 = 1_700_000_000_000_001_000, wire: Int? = nil) {
        out.put(UInt32(truncatingIfNeeded: time / 1_000_000_000))
        out.put(UInt32(time % 1_000_000_000 / ticks))
        out.put(UInt32(bytes.count))
        out.put(UInt32(wire ?? bytes.count))
        out.put(more)
        out.put(bytes)
    }
}

/// A pcapng file.
struct BlockFile {
    var out: Bytes

    init(isBigEndian: Bool = false, application: String? = nil) {
        out = Bytes(isBigEndian: isBigEndian)
        block(0x0a0d_0d0a) { body in
            body.put(UInt32(0x1a2b_3c4d))
            body.put(UInt16(1))
            body.put(UInt16(0))
            body.put(UInt64.max)
            if let application { Self.option(&body, 4, [UInt8](application.utf8)) }
        }
    }

    static func option(_ body: inout Bytes, _ code: UInt16, _ value: [UInt8]) {
        body.put(code)
        body.put(UInt16(value.count))
        body.put(value)
        body.pad()
    }

    mutating func block(_ type: UInt32, _ fill: (inout Bytes) -> Void) {
        var body = Bytes(isBigEndian: out.isBigEndian)
        fill(&body)
        body.pad()
        out.put(type)
        out.put(UInt32(body.bytes.count + 12))
        out.put(body.bytes)
        out.put(UInt32(body.bytes.count + 12))
    }

    mutating func interface(link: UInt16 = 228, name: String = "", resolution: UInt8? = 9, snapLength: UInt32 = 0) {
        block(1) { body in
            body.put(link)
            body.put(UInt16(0))
            body.put(snapLength)
            if !name.isEmpty { Self.option(&body, 2, [UInt8](name.utf8)) }
            if let resolution { Self.option(&body, 9, [resolution]) }
        }
    }

    mutating func packet(
        _ bytes: [UInt8],
        interface: UInt32 = 0,
        time: UInt64 = 5,
        wire: Int? = nil,
        _ options: (inout Bytes) -> Void = { _ in }
    ) {
        block(6) { body in
            body.put(interface)
            body.put(UInt32(time >> 32))
            body.put(UInt32(truncatingIfNeeded: time))
            body.put(UInt32(bytes.count))
            body.put(UInt32(wire ?? bytes.count))
            body.put(bytes)
            body.pad()
            options(&body)
        }
    }
}

/// A directory of a test's own, removed at its end.
struct Scratch: ~Copyable {
    let path: String

    init() throws {
        var template = [CChar]("/tmp/culvert-capture-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw CaptureError(.open, file: "/tmp", reason: "mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { unsafe system("rm -rf \(path)") }

    func file(_ name: String, _ bytes: [UInt8]) -> String {
        let descriptor = unsafe open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        unsafe write(descriptor, bytes, bytes.count)
        close(descriptor)
        return path + "/" + name
    }
}

/// All bytes of a file.
func contents(of path: String) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY)
    defer { close(descriptor) }
    var result: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe read(descriptor, &part, part.count)
        if count <= 0 { return result }
        result += part[..<count]
    }
}

/// What a reader made of a capture.
struct Outcome {
    var packets: [CapturedPacket] = []
    var bytes: [[UInt8]] = []
    var error: CaptureError?
    var filtered: UInt64 = 0
}

func readAll(_ path: String, filter: String? = nil, span size: Int = 2048) -> Outcome {
    var outcome = Outcome()
    do throws(CaptureError) {
        var reader = try CaptureReader(path: path, filter: filter)
        var frame = [UInt8](repeating: 0xa5, count: size)
        while true {
            var elements = frame.mutableSpan
            var bytes = unsafe elements.mutableBytes
            guard let packet = try reader.next(into: &bytes) else { break }
            outcome.packets.append(packet)
            outcome.bytes.append(Array(frame[..<packet.capturedLength]))
            outcome.filtered = reader.packetsFiltered
        }
        outcome.filtered = reader.packetsFiltered
    } catch {
        outcome.error = error
    }
    return outcome
}

/// An IPv4 header for UDP and `size` bytes in all, port 53 to port 53; checksums are left out.
func datagram(_ size: Int = 28, last: UInt8 = 1) -> [UInt8] {
    var bytes: [UInt8] = [0x45, 0, UInt8(size >> 8), UInt8(size & 255), 0, 0, 0, 0, 64, 17, 0, 0]
    bytes += [10, 0, 0, last, 10, 0, 0, 2, 0, 53, 0, 53, 0, 8, 0, 0]
    while bytes.count < size { bytes.append(UInt8(truncatingIfNeeded: bytes.count)) }
    return Array(bytes[..<size])
}

/// SplitMix64: small, seeded, the same everywhere.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}
