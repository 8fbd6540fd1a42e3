import Devices
import Glibc
import Testing
import Wire

/// What live tests need and whether it is here; they are skipped, with this as the reason, where it is not.
enum Live {
    static let isPossible: Bool = {
        do throws(SystemError) {
            let namespace = try NetworkNamespace.anonymous(label: "probe")
            _ = try TunQueue(.creating, name: "probe0", in: namespace)
            return true
        } catch {
            return false
        }
    }()

    static let reason: Comment = "needs CAP_SYS_ADMIN, CAP_NET_ADMIN and /dev/net/tun"

    /// A namespace of the test's own; nothing is left of it when the value goes.
    static func namespace(_ label: String = "test") throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace.anonymous(label: label)
    }

    /// Gives `body` the name of a namespace under /run/netns; a symbolic link, so there is no mount to undo.
    static func withNamedNamespace(_ body: (String) throws -> Void) throws {
        let namespace = try NetworkNamespace.anonymous(label: "named")
        let name = "culvert-test-\(getpid())-\(namespace.inode)"
        _ = unsafe mkdir("/run/netns", 0o755)
        let target = "/proc/\(getpid())/fd/" + namespace.path.split(separator: "/").suffix(1).joined()
        try #require(unsafe symlink(target, "/run/netns/\(name)") == 0)
        defer { _ = unsafe unlink("/run/netns/\(name)") }
        try body(name)
    }
}

/// Bytes that a device reads into, as an owner of spans.
struct Buffer {
    var bytes: [UInt8]

    init(count: Int = 2048) { bytes = Array(repeating: 0xa5, count: count) }

    /// Reads one frame; nil unless the result is a frame.
    mutating func read(_ device: inout some Device & ~Copyable) throws(SystemError) -> [UInt8]? {
        guard case .frame(let length) = try result(of: &device) else { return nil }
        return Array(bytes[..<length])
    }

    mutating func result(of device: inout some Device & ~Copyable) throws(SystemError) -> ReadResult {
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        return try device.read(into: &raw)
    }
}

extension Device where Self: ~Copyable {
    /// Writes bytes as a frame.
    mutating func write(_ bytes: [UInt8]) throws(SystemError) -> WriteResult {
        let span = bytes.span
        return try unsafe write(span.bytes)
    }
}

/// Whether a descriptor becomes readable within two seconds.
func becomesReadable(_ descriptor: Int32, milliseconds: Int32 = 2000) throws(SystemError) -> Bool {
    var epoll = try Epoll(capacity: 1)
    try epoll.add(descriptor, token: 1)
    return try epoll.wait(milliseconds: milliseconds) == 1
}

/// A UDP datagram in IPv4, without UDP checksum (RFC 768 allows zero).
func udp(
    from source: (IPv4Address, UInt16),
    to destination: (IPv4Address, UInt16),
    payload: [UInt8]
) -> [UInt8] {
    func two(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
    func four(_ address: IPv4Address) -> [UInt8] {
        two(UInt16(address.bits >> 16)) + two(UInt16(truncatingIfNeeded: address.bits))
    }
    let length = UInt16(28 + payload.count)
    var header: [UInt8] = [0x45, 0] + two(length) + [0, 1, 0, 0, 64, 17, 0, 0]
    header += four(source.0) + four(destination.0)
    var sum: UInt32 = 0
    for index in stride(from: 0, to: 20, by: 2) { sum += UInt32(header[index]) << 8 | UInt32(header[index + 1]) }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    header.replaceSubrange(10..<12, with: two(~UInt16(sum)))
    return header + two(source.1) + two(destination.1) + two(length - 20) + [0, 0] + payload
}

/// A UDP socket of a namespace.
struct UDPSocket: ~Copyable {
    private let descriptor: Descriptor
    var number: Int32 { descriptor.number }

    init(in namespace: borrowing NetworkNamespace, address: IPv4Address, port: UInt16) throws {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = try namespace.openSocket(domain: AF_INET, type: type)
        let bound = unsafe Self.withAddress(address, port) { [number = descriptor.number] name, length in
            unsafe bind(number, name, length)
        }
        try #require(bound == 0)
        self.descriptor = descriptor
    }

    func send(_ payload: [UInt8], to address: IPv4Address, port: UInt16) throws {
        let sent = unsafe Self.withAddress(address, port) { [number] name, length in
            unsafe sendto(number, payload, payload.count, 0, name, length)
        }
        try #require(sent == payload.count)
    }

    func receive() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 2048)
        let count = unsafe recv(number, &bytes, bytes.count, 0)
        try #require(count >= 0)
        return Array(bytes[..<count])
    }

    private static func withAddress<R>(
        _ address: IPv4Address,
        _ port: UInt16,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) -> R {
        var name = sockaddr_in()
        name.sin_family = UInt16(AF_INET)
        name.sin_port = port.bigEndian
        name.sin_addr.s_addr = address.bits.bigEndian
        // Safe: a `sockaddr_in` begins like every `sockaddr`, and its length goes with it.
        return unsafe withUnsafeBytes(of: &name) { bytes in
            let pointer = unsafe bytes.assumingMemoryBound(to: sockaddr.self)
            guard let base = pointer.baseAddress else { preconditionFailure("a structure has an address") }
            return unsafe body(base, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
