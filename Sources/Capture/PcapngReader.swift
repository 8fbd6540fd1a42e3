// # Theory of operation
//
// A pcapng file is a chain of blocks, each with its length in front and behind (draft-ietf-opsawg-pcapng section 3.1).
// The reader makes sure that the next block is in its window, and parses what it knows where it lies. Nothing in a file
// is believed: a block must be at least 12 bytes, a multiple of 4, and end with the length that it began with; a block that
// is parsed may have 16 MiB. Blocks of other kinds are read past, however long. An interface table has at most 65,536
// rows, and names in it 255 bytes.
//
// Errors give the offset of the block in the file. After an error the reader is at its end.
//
// Limits: no Custom Blocks, no secrets, and names are not read back.

/// Reads pcapng in either byte order from a file or a pipe; made for Culvert's own traces, safe with anybody's.
@safe package struct PcapngReader: ~Copyable {
    /// The current block begins at its `start`.
    private var window: CaptureWindow
    private var start: Int { window.start }
    /// Length of the current block, to be passed over by the next call.
    private var blockLength = 0
    private var packetRange = 0..<0
    private var optionRange = 0..<0
    private var isBigEndian = false
    private var begun = false
    private var ended = false
    private var offset: UInt64 = 0

    /// The interfaces of the current section so far.
    package private(set) var interfaces: [PcapngInterface] = []
    /// Packets read so far.
    package private(set) var packetCount: UInt64 = 0

    private static let parsedBlockLimit = 1 << 24
    private static let skipStep = 1 << 16
    private static let interfaceLimit = 1 << 16

    /// Reads `input` from its beginning.
    package init(_ input: CaptureInput) { window = CaptureWindow(input) }

    /// Reads the file at `path`, or standard input for `-`.
    package init(path: String) throws(CaptureError) {
        self.init(try CaptureInput(path: path))
    }

    /// The file as the user named it.
    package var name: String { window.name }

    /// The bytes of the packet that `next` has just told of.
    package var packetBytes: RawSpan {
        @_lifetime(borrow self) get {
            // Safe: the window is a part of `self` and changes only through `mutating` methods.
            unsafe _overrideLifetime(window.bytes.extracting(packetRange), borrowing: self)
        }
    }

    /// The comments of the packet that `next` has just told of, in their order.
    package func comments() -> [String] {
        var options = PcapngOptions(range: optionRange, isBigEndian: isBigEndian)
        var result: [String] = []
        while let option = options.next(in: window.bytes) {
            if option.code == 1 { result.append(window.bytes.text(option.range)) }
        }
        return result
    }

    /// The next section, interface, packet or statistics; nil at the end of the file.
    package mutating func next() throws(CaptureError) -> PcapngEvent? {
        if ended { return nil }
        do throws(CaptureError) {
            while let type = try nextBlock() {
                if let event = try parse(type: type) { return event }
            }
        } catch {
            ended = true
            (packetRange, optionRange) = (0..<0, 0..<0)
            throw error
        }
        ended = true
        return nil
    }

    private func damaged(_ reason: String) -> CaptureError {
        CaptureError(.damaged, file: name, reason: "\(reason) (block at offset \(offset))")
    }

    /// Brings the next block into the window; nil at the end of the file.
    ///
    /// Of blocks that are not parsed, nothing stays.
    private mutating func nextBlock() throws(CaptureError) -> UInt32? {
        (packetRange, optionRange) = (0..<0, 0..<0)
        window.skip(blockLength)
        offset += UInt64(blockLength)
        blockLength = 0
        guard try window.fill(8) else { return try atEnd() }
        let type = window.bytes.number32(at: start, bigEndian: isBigEndian)
        if type == PcapngBlockType.section {  // Reads the same in both orders.
            guard try window.fill(12) else { throw damaged("the file ends inside a section header") }
            guard let order = PcapngSection.byteOrder(window.bytes.number32(at: start + 8, bigEndian: false)) else {
                throw damaged("the section header has no byte-order magic")
            }
            isBigEndian = order
        } else if !begun {
            throw CaptureError(.format, file: name, reason: "not a pcapng file")
        }
        let total = window.bytes.number32(at: start + 4, bigEndian: isBigEndian)
        guard total >= 12 && total.isMultiple(of: 4) else { throw damaged("a block length of \(total) bytes") }
        guard PcapngBlockType.isParsed(type) else {
            try skip(Int(total))
            return type
        }
        guard total <= Self.parsedBlockLimit else { throw damaged("a block length of \(total) bytes") }
        guard try window.fill(Int(total)) else { throw damaged("the file ends inside a block") }
        blockLength = Int(total)
        try checkTrailer(total)
        return type
    }

    private mutating func atEnd() throws(CaptureError) -> UInt32? {
        if window.available > 0 { throw damaged("the file ends inside a block header") }
        if !begun { throw CaptureError(.format, file: name, reason: "the file is empty") }
        return nil
    }

    private func checkTrailer(_ total: UInt32) throws(CaptureError) {
        let trailing = window.bytes.number32(at: start + blockLength - 4, bigEndian: isBigEndian)
        guard trailing == total else { throw damaged("a block of \(total) bytes ends with a length of \(trailing)") }
    }

    /// Passes over a block of any length, up to its trailing length.
    private mutating func skip(_ total: Int) throws(CaptureError) {
        var left = total - 4
        while left > 0 {
            let step = min(left, Self.skipStep)
            guard try window.fill(step) else { throw damaged("the file ends inside a block") }
            window.skip(step)
            offset += UInt64(step)
            left -= step
        }
        guard try window.fill(4) else { throw damaged("the file ends inside a block") }
        blockLength = 4
        try checkTrailer(UInt32(total))
    }

    private mutating func parse(type: UInt32) throws(CaptureError) -> PcapngEvent? {
        let end = start + blockLength - 4
        switch type {
        case PcapngBlockType.section: return .section(try parseSection(end: end))
        case PcapngBlockType.interface: return .interface(try parseInterface(end: end))
        case PcapngBlockType.enhancedPacket: return .packet(try parseEnhancedPacket(end: end))
        case PcapngBlockType.obsoletePacket: return .packet(try parseObsoletePacket(end: end))
        case PcapngBlockType.simplePacket: return .packet(try parseSimplePacket(end: end))
        case PcapngBlockType.statistics: return .statistics(try parseStatistics(end: end))
        default: return nil
        }
    }
}

// What is in the blocks. `number` counts from the block's first byte; its body is at 8 and goes to `end` in the window.
extension PcapngReader {
    private func number16(_ offset: Int) -> UInt16 { window.bytes.number16(at: start + offset, bigEndian: isBigEndian) }
    private func number32(_ offset: Int) -> UInt32 { window.bytes.number32(at: start + offset, bigEndian: isBigEndian) }
    private func number64(_ offset: Int) -> UInt64 { window.bytes.number64(at: start + offset, bigEndian: isBigEndian) }

    /// Calls `body` for every option in `range`.
    private func eachOption(
        in range: Range<Int>,
        _ body: (UInt16, Range<Int>) throws(CaptureError) -> Void
    ) throws(CaptureError) {
        var options = PcapngOptions(range: range, isBigEndian: isBigEndian)
        while let option = options.next(in: window.bytes) { try body(option.code, option.range) }
        if options.overran { throw damaged("an option is longer than its block") }
    }

    private mutating func parseSection(end: Int) throws(CaptureError) -> PcapngSection {
        guard end - start >= 8 + 16 else { throw damaged("the section header is too short") }
        let version = number16(12)
        guard version == 1 else { throw damaged("pcapng version \(version) is not known") }
        begun = true
        interfaces.removeAll(keepingCapacity: true)
        var section = PcapngSection(isBigEndian: isBigEndian)
        try eachOption(in: start + 24..<end) { code, range throws(CaptureError) in
            if code == 1 && section.comment == nil { section.comment = window.bytes.text(range) }
            if code == 4 && section.application == nil { section.application = window.bytes.text(range) }
        }
        return section
    }

    private mutating func parseInterface(end: Int) throws(CaptureError) -> Int {
        guard end - start >= 8 + 8 else { throw damaged("the interface description is too short") }
        guard interfaces.count < Self.interfaceLimit else { throw damaged("more than 65536 interfaces") }
        var interface = PcapngInterface(linkType: number16(8), snapLength: number32(12))
        try eachOption(in: start + 16..<end) { code, range throws(CaptureError) in
            switch (code, range.count) {
            case (2, _): interface.name = window.bytes.text(range.prefix(255))
            case (3, _): interface.details = window.bytes.text(range.prefix(255))
            case (9, 1): interface.resolution = window.bytes.byte(at: range.lowerBound)
            case (9, _): throw damaged("a time resolution of \(range.count) bytes")
            case (14, 8): interface.offset = Int64(bitPattern: number64(range.lowerBound - start))
            default: break
            }
        }
        interfaces.append(interface)
        return interfaces.count - 1
    }

    private mutating func parseEnhancedPacket(end: Int) throws(CaptureError) -> PcapngPacket {
        guard end - start >= 8 + 20 else { throw damaged("the packet block is too short") }
        let time = UInt64(number32(12)) << 32 | UInt64(number32(16))
        return try packet(
            interface: number32(8),
            ticks: time,
            captured: number32(20),
            wire: number32(24),
            from: start + 28,
            end: end
        )
    }

    private mutating func parseObsoletePacket(end: Int) throws(CaptureError) -> PcapngPacket {
        guard end - start >= 8 + 20 else { throw damaged("the packet block is too short") }
        let time = UInt64(number32(12)) << 32 | UInt64(number32(16))
        return try packet(
            interface: UInt32(number16(8)),
            ticks: time,
            captured: number32(20),
            wire: number32(24),
            from: start + 28,
            end: end
        )
    }

    private mutating func parseSimplePacket(end: Int) throws(CaptureError) -> PcapngPacket {
        guard end - start >= 8 + 4 else { throw damaged("the packet block is too short") }
        let wire = number32(8)
        var captured = min(wire, UInt32(clamping: end - start - 12))
        if let limit = interfaces.first?.snapLength, limit > 0 { captured = min(captured, limit) }
        return try packet(
            interface: 0,
            ticks: nil,
            captured: captured,
            wire: wire,
            from: start + 12,
            end: end,
            options: false
        )
    }

    private mutating func packet(
        interface: UInt32,
        ticks: UInt64?,
        captured: UInt32,
        wire: UInt32,
        from first: Int,
        end: Int,
        options: Bool = true
    ) throws(CaptureError) -> PcapngPacket {
        guard interface < interfaces.count else {
            throw damaged("a packet of interface \(interface), which is unknown")
        }
        guard captured <= end - first else { throw damaged("a packet of \(captured) bytes is longer than its block") }
        let index = Int(interface)
        packetRange = first..<first + Int(captured)
        packetCount += 1
        var packet = PcapngPacket(
            number: packetCount,
            interface: index,
            time: ticks.map(interfaces[index].nanoseconds) ?? 0,
            capturedLength: Int(captured),
            wireLength: Int(max(captured, wire))
        )
        guard options else { return packet }
        optionRange = min(first + (Int(captured) + 3) & ~3, end)..<end
        do throws(CaptureError) {
            try eachOption(in: optionRange) { code, range throws(CaptureError) in
                switch (code, range.count) {
                case (2, 4): packet.flags = number32(range.lowerBound - start)
                case (5, 8): packet.packetID = number64(range.lowerBound - start)
                case (7, 9) where packet.verdict == nil && (1...2).contains(window.bytes.byte(at: range.lowerBound)):
                    packet.verdictKind = window.bytes.byte(at: range.lowerBound)
                    packet.verdict = number64(range.lowerBound + 1 - start)
                default: break
                }
            }
        } catch {
            packetCount -= 1
            throw error
        }
        return packet
    }

    private func parseStatistics(end: Int) throws(CaptureError) -> PcapngStatistics {
        guard end - start >= 8 + 12 else { throw damaged("the statistics block is too short") }
        let interface = number32(8)
        guard interface < interfaces.count else {
            throw damaged("statistics of interface \(interface), which is unknown")
        }
        var result = PcapngStatistics(interface: Int(interface))
        try eachOption(in: start + 20..<end) { code, range throws(CaptureError) in
            if code == 4 && range.count == 8 { result.received = number64(range.lowerBound - start) }
            if code == 5 && range.count == 8 { result.dropped = number64(range.lowerBound - start) }
        }
        return result
    }
}
