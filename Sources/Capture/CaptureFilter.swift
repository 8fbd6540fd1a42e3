internal import CPcap
internal import Glibc

/// A compiled pcap filter expression (pcap-filter(7)).
@safe package final class CaptureFilter {
    private let program: UnsafeMutablePointer<bpf_program>

    /// Compiles `expression` for packets of a link type, LINKTYPE_… or DLT_…; for IPv4 without a link layer, if not told.
    package init(_ expression: String, linkType: Int32 = 228) throws(CaptureError) {
        // A file's 101 is libpcap's DLT_RAW, 12 on Linux; for the other link types the numbers are the same.
        let number = linkType == 101 ? DLT_RAW : linkType
        // Safe: numbers go in; the program does not refer to the handle, which libpcap wants for its link type alone.
        // pcap_compile fills the program in, or gives a reason in the handle, which is copied.
        guard let handle = unsafe pcap_open_dead(number, 262144) else {
            throw CaptureError(.filter, file: "filter '\(expression)'", reason: "out of memory")
        }
        defer { unsafe pcap_close(handle) }
        unsafe program = .allocate(capacity: 1)
        unsafe program.initialize(to: bpf_program())
        // After a failure the program is empty, and `deinit` releases it all the same.
        guard unsafe pcap_compile(handle, program, expression, 1, PCAP_NETMASK_UNKNOWN) == 0 else {
            let reason = unsafe String(cString: pcap_geterr(handle))
            throw CaptureError(.filter, file: "filter '\(expression)'", reason: reason)
        }
    }

    deinit {
        // Safe: the program is ours alone.
        unsafe pcap_freecode(program)
        unsafe program.deallocate()
    }

    /// Whether the expression holds for a packet of which `data` has the captured bytes.
    @inline(__always)
    func matches(_ header: UnsafePointer<pcap_pkthdr>, _ data: UnsafePointer<UInt8>) -> Bool {
        // Safe: the interpreter checks every load against the captured length.
        unsafe pcap_offline_filter(program, header, data) != 0
    }

    /// Whether the expression holds for `bytes`, of which the wire had `wireLength`.
    func matches(_ bytes: RawSpan, wireLength: Int) -> Bool {
        // Safe: the interpreter checks every load against the captured length; an empty packet gets some address.
        unsafe bytes.withUnsafeBytes { raw in
            var header = pcap_pkthdr()
            header.caplen = UInt32(clamping: raw.count)
            header.len = UInt32(clamping: wireLength)
            guard let base = raw.baseAddress else {
                return unsafe withUnsafePointer(to: UInt8(0)) { unsafe matches(&header, $0) }
            }
            return unsafe matches(&header, base.assumingMemoryBound(to: UInt8.self))
        }
    }
}
