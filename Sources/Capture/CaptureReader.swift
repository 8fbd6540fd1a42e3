internal import CPcap
internal import Glibc

// # Theory of operation
//
// `CaptureReader` gives the packets of a capture one by one, without their link-layer header, as the datapath takes
// them. Classic pcap comes from `PcapReader`, pcapng from `PcapngReader`; libpcap compiles and runs the filter.
//
// A Culvert trace has every packet several times: only what was received (`LABEL:rx`) is fed again.
//
// The frame numbers are the file's: packets that a filter or the capture point leaves out are counted. A frame without
// an IPv4 packet is delivered too, with its `fault`: the datapath has one event for every packet.
//
// A damaged file gives its packets up to the damage, then the error.
//
// Per packet: parsing it where it was read, the link-layer header, one copy; nothing is allocated.

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
    private let isPcapng: Bool
    /// For classic pcap, with the only source.
    private var records: PcapReader
    private let source: Source
    /// For pcapng, with what is done with the packets of each interface.
    private var blocks: PcapngReader
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
        /// LINKTYPE_….
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
        var records = PcapReader(input)
        var blocks = PcapngReader(input)
        var sources: [Source] = []
        var filters: [Int32: CaptureFilter] = [:]
        let isTrace = input.isCulvertTrace
        let isPcapng = input.isPcapng
        let source: Source
        if isPcapng {
            // Up to the first interface, so that a bad header and a bad filter show at once.
            while sources.isEmpty, let event = try blocks.next() {
                guard case .interface(let index) = event else { continue }
                sources = [try Self.source(blocks.interfaces[index], isTrace, expression, &filters)]
            }
            source = Source(number: 0)
        } else {
            try records.begin()
            source = try Self.source(ofAll: records.linkType, input, expression)
        }
        self.input = input
        self.isPcapng = isPcapng
        self.source = source
        self.records = records
        self.blocks = blocks
        self.sources = sources
        self.filters = filters
        self.expression = expression
        isCulvertTrace = isTrace
    }

    /// The name of the interface that a packet was captured on, such as `web-1:rx`; nil in a pcap file.
    package func interfaceName(of packet: CapturedPacket) -> String? {
        guard packet.interface < blocks.interfaces.count else { return nil }
        return blocks.interfaces[Int(packet.interface)].name
    }

    /// Copies the network layer of the next packet to the beginning of `frame`; nil at the end of the capture.
    package mutating func next(into frame: inout MutableRawSpan) throws(CaptureError) -> CapturedPacket? {
        if ended { return nil }
        if isPcapng { return try nextOfBlocks(into: &frame) }
        do throws(CaptureError) {
            while let found = try records.next() {
                packetsRead += 1
                if let filter = source.filter, !filter.matches(records.packetBytes, wireLength: found.wireLength) {
                    packetsFiltered += 1
                    continue
                }
                return deliver(
                    records.packetBytes,
                    wireLength: found.wireLength,
                    link: source.link ?? .raw,
                    time: found.time,
                    interface: 0,
                    into: &frame
                )
            }
        } catch {
            throw end(with: error)
        }
        ended = true
        return nil
    }

    /// The error at which the packets end, with the number of the packet that could not be read.
    private mutating func end(with error: CaptureError) -> CaptureError {
        ended = true
        guard error.kind == .damaged else { return error }
        return CaptureError(.damaged, file: error.file, reason: error.reason, packet: packetsRead + 1)
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
            throw end(with: error)
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
    /// What to do with the packets of a classic capture.
    private static func source(
        ofAll number: Int32,
        _ input: CaptureInput,
        _ expression: String?
    ) throws(CaptureError) -> Source {
        guard let link = LinkType(number: number) else {
            throw CaptureError(.format, file: input.name, reason: refusal(number))
        }
        var source = Source(number: number, link: link)
        if let expression { source.filter = try CaptureFilter(expression, linkType: number) }
        return source
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
}
