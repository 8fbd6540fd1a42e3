internal import CPcap
internal import Glibc

// # Theory of operation
//
// `CaptureReader` gives the packets of a capture one by one, without their link-layer header, as the datapath takes
// them. libpcap reads classic pcap of all byte orders and time resolutions, and runs the filter. Culvert's own reader
// (`PcapngReader`) reads pcapng: there libpcap refuses several interfaces whose link types, resolutions or snapshot
// lengths differ, which is what Wireshark writes when it captures on more than one.
//
// A Culvert trace has every packet several times: only what was received (`LABEL:rx`) is fed again.
//
// The frame numbers are the file's: packets that a filter or the capture point leaves out are counted. A frame without
// an IPv4 packet is delivered too, with its `fault`: the datapath has one event for every packet.
//
// A damaged file gives its packets up to the damage, then the error.
//
// Per packet: reading it, the link-layer header, one copy; nothing is allocated.

/// A packet of a capture, without its bytes.
package struct CapturedPacket: Equatable, Sendable, BitwiseCopyable {
    /// The frame number in the file, from 1.
    package var number: UInt64
    /// Nanoseconds since 1970; what the file gives beyond that range becomes the nearest value.
    package var time: UInt64
    /// How many bytes of the network layer were copied.
    ///
    /// Padding behind the IP packet is among them.
    package var capturedLength: Int
    /// How many bytes of network layer the frame had; never less than `capturedLength`.
    package var wireLength: Int
    /// Why there is no IPv4 packet, if so.
    ///
    /// Nothing was copied then, except for IPv6.
    package var fault: LinkFault?
    /// The interface's number in its section of a pcapng file; 0 in a pcap file.
    package var interface: UInt32

    /// Whether the packet was longer than what there is of it: cut in the capture, or by the size of the span.
    package var isTruncated: Bool { capturedLength < wireLength }
}

/// Reads the packets of a pcap or pcapng capture.
@safe package struct CaptureReader: ~Copyable {
    private let input: CaptureInput
    /// libpcap's, for classic pcap.
    private let handle: OpaquePointer?
    /// For pcapng, where there is no `handle`.
    private var blocks: PcapngReader
    /// What is done with the packets of an interface; a pcap file has one.
    private var sources: [Source]
    /// The filter as compiled for each link type so far.
    private var filters: [Int32: CaptureFilter]
    private let expression: String?
    private var ended = false

    /// Whether the capture is one of Culvert's own traces.
    package let isCulvertTrace: Bool
    /// How many packets of the file were read so far, those left out included.
    package private(set) var packetsRead: UInt64 = 0
    /// How many of these the filter left out.
    package private(set) var packetsFiltered: UInt64 = 0

    /// How to read the packets of one interface.
    private struct Source {
        /// LINKTYPE_…, or DLT_….
        var number: Int32
        /// nil if the datapath cannot use such packets.
        var link: LinkType?
        var filter: CaptureFilter?
        /// Whether the datapath gets its packets.
        var isFed = true
    }

    /// Opens the capture at `path`, or standard input for `-`; `filter` is a pcap filter expression.
    package init(path: String, filter: String? = nil) throws(CaptureError) {
        try self.init(try CaptureInput(path: path), filter: filter)
    }

    /// Reads `input` from its beginning.
    package init(_ input: CaptureInput, filter expression: String? = nil) throws(CaptureError) {
        try input.refuseOtherFormats()
        var blocks = PcapngReader(input)
        var sources: [Source] = []
        var filters: [Int32: CaptureFilter] = [:]
        let isTrace = input.isCulvertTrace
        let handle: OpaquePointer?
        if input.isPcapng {
            unsafe handle = nil
            // Up to the first interface, so that a bad header and a bad filter show at once.
            while sources.isEmpty, let event = try blocks.next() {
                guard case .interface(let index) = event else { continue }
                sources = [try Self.source(blocks.interfaces[index], isTrace, expression, &filters)]
            }
        } else {
            let opened = unsafe try Self.open(input, filter: expression)
            unsafe handle = opened.handle
            sources = unsafe [opened.source]
        }
        self.input = input
        unsafe self.handle = handle
        self.blocks = blocks
        self.sources = sources
        self.filters = filters
        self.expression = expression
        isCulvertTrace = isTrace
    }

    deinit {
        // Safe: the handle is ours alone. The stream's buffer outlives it, being `input`'s.
        if let handle = unsafe handle { unsafe pcap_close(handle) }
    }

    /// The name of the interface that a packet was captured on, such as `web-1:rx`; nil in a pcap file.
    package func interfaceName(of packet: CapturedPacket) -> String? {
        guard packet.interface < blocks.interfaces.count else { return nil }
        return blocks.interfaces[Int(packet.interface)].name
    }

    /// Copies the network layer of the next packet to the beginning of `frame`; nil at the end of the capture.
    package mutating func next(into frame: inout MutableRawSpan) throws(CaptureError) -> CapturedPacket? {
        if ended { return nil }
        guard let handle = unsafe handle else { return try nextOfBlocks(into: &frame) }
        while true {
            // Safe: after a result of 1 both pointers are set, and `caplen` bytes can be read until the next call.
            var header: UnsafeMutablePointer<pcap_pkthdr>?
            var data: UnsafePointer<UInt8>?
            let result = unsafe pcap_next_ex(handle, &header, &data)
            guard result == 1, let header = unsafe header, let data = unsafe data else {
                ended = true
                if result == PCAP_ERROR_BREAK { return nil }
                let reason = unsafe String(cString: pcap_geterr(handle))
                throw CaptureError(.damaged, file: input.name, reason: reason, packet: packetsRead + 1)
            }
            packetsRead += 1
            if let filter = sources[0].filter, unsafe !filter.matches(header, data) {
                packetsFiltered += 1
                continue
            }
            let captured = unsafe Int(header.pointee.caplen)
            let bytes = unsafe RawSpan(_unsafeStart: data, byteCount: captured)
            let time = unsafe Self.nanoseconds(header.pointee.ts)
            return unsafe deliver(
                bytes,
                wireLength: Int(header.pointee.len),
                link: sources[0].link ?? .raw,
                time: time,
                interface: 0,
                into: &frame
            )
        }
    }

    @inline(__always)
    private func deliver(
        _ bytes: RawSpan,
        wireLength: Int,
        link: LinkType,
        time: UInt64,
        interface: UInt32,
        into frame: inout MutableRawSpan
    ) -> CapturedPacket {
        let header = link.header(of: bytes)
        let available = bytes.byteCount - header.length
        var packet = CapturedPacket(
            number: packetsRead,
            time: time,
            capturedLength: 0,
            wireLength: max(wireLength - header.length, available),
            fault: header.fault,
            interface: interface
        )
        guard header.fault == nil || header.fault == .unsupportedIPv6 else { return packet }
        packet.capturedLength = min(available, frame.byteCount)
        // Safe: both have that many bytes, and they are different memory.
        unsafe bytes.withUnsafeBytes { from in
            unsafe frame.withUnsafeMutableBytes { to in
                guard packet.capturedLength > 0, let from = from.baseAddress, let to = to.baseAddress
                else { return }
                unsafe to.copyMemory(from: from + header.length, byteCount: packet.capturedLength)
            }
        }
        return packet
    }

    private mutating func nextOfBlocks(into frame: inout MutableRawSpan) throws(CaptureError) -> CapturedPacket? {
        do throws(CaptureError) {
            while let event = try blocks.next() {
                switch event {
                case .packet(let found):
                    packetsRead += 1
                    if let packet = try deliver(found, into: &frame) { return packet }
                case .section: sources.removeAll()
                case .interface(let index):
                    sources.append(
                        try Self.source(blocks.interfaces[index], isCulvertTrace, expression, &filters)
                    )
                case .statistics: break
                }
            }
        } catch {
            ended = true
            guard error.kind == .damaged else { throw error }
            throw CaptureError(.damaged, file: error.file, reason: error.reason, packet: packetsRead + 1)
        }
        ended = true
        return nil
    }

    /// A packet of a pcapng file, if it is for the datapath and passes the filter.
    private mutating func deliver(
        _ found: PcapngPacket,
        into frame: inout MutableRawSpan
    ) throws(CaptureError) -> CapturedPacket? {
        let source = sources[found.interface]
        guard source.isFed else { return nil }
        guard let link = source.link else {
            throw CaptureError(.format, file: input.name, reason: Self.refusal(source.number), packet: found.number)
        }
        if let filter = source.filter, !filter.matches(blocks.packetBytes, wireLength: found.wireLength) {
            packetsFiltered += 1
            return nil
        }
        return deliver(
            blocks.packetBytes,
            wireLength: found.wireLength,
            link: link,
            time: found.time,
            interface: UInt32(found.interface),
            into: &frame
        )
    }
}

extension CaptureReader {
    /// Opens a classic capture.
    private static func open(
        _ input: CaptureInput,
        filter expression: String?
    ) throws(CaptureError) -> (handle: OpaquePointer, source: Source) {
        // Safe: the message buffer has the size that libpcap asks for and is terminated by it; on success the handle
        // owns the stream.
        var reason = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        let stream = unsafe try input.stream()
        let precision = UInt32(PCAP_TSTAMP_PRECISION_NANO)
        guard let handle = unsafe pcap_fopen_offline_with_tstamp_precision(stream, precision, &reason) else {
            unsafe fclose(stream)
            let text = String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw CaptureError(.format, file: input.name, reason: text)
        }
        do throws(CaptureError) {
            let number = unsafe pcap_datalink(handle)
            guard let link = LinkType(number: number) else {
                throw CaptureError(.format, file: input.name, reason: refusal(number))
            }
            var source = Source(number: number, link: link)
            if let expression { source.filter = try CaptureFilter(expression, linkType: number) }
            return unsafe (handle, source)
        } catch {
            unsafe pcap_close(handle)  // Safe: it goes no further.
            throw error
        }
    }

    /// What to do with the packets of a pcapng interface.
    ///
    /// In a Culvert trace all capture points but `LABEL:rx` show packets again that were received before. What is no
    /// capture point came in when somebody merged files.
    private static func source(
        _ interface: PcapngInterface,
        _ isTrace: Bool,
        _ expression: String?,
        _ filters: inout [Int32: CaptureFilter]
    ) throws(CaptureError) -> Source {
        let number = Int32(interface.linkType)
        var source = Source(number: number, link: LinkType(number: number))
        source.isFed = !isTrace || interface.isReceiving || !interface.isCapturePoint
        if let expression, source.isFed {
            if filters[number] == nil { filters[number] = try CaptureFilter(expression, linkType: number) }
            source.filter = filters[number]
        }
        return source
    }

    private static func refusal(_ number: Int32) -> String {
        "link type \(describe(number)) is not one of \(LinkType.names)"
    }

    /// A link type's number, and its name where libpcap knows one.
    private static func describe(_ number: Int32) -> String {
        guard let name = unsafe pcap_datalink_val_to_name(number) else { return "\(number)" }
        return unsafe "\(number) (\(String(cString: name)))"  // Safe: libpcap's names are constants.
    }

    /// A timestamp of libpcap's, of which the second field has nanoseconds here.
    ///
    /// Classic pcap has unsigned seconds, which libpcap takes for signed ones.
    @inline(__always)
    private static func nanoseconds(_ time: timeval) -> UInt64 {
        let seconds = time.tv_sec < 0 ? Int(UInt32(truncatingIfNeeded: time.tv_sec)) : time.tv_sec
        let (product, tooLarge) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow) = product.addingReportingOverflow(UInt64(max(time.tv_usec, 0)))
        return tooLarge || overflow ? .max : sum
    }
}
