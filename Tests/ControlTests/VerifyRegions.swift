/// What each byte of a trace is, so that damage can be aimed at it.
///
/// The list of what is blind is the argument why damage to it goes unseen; all else must be seen.
enum TraceRegion: String, CaseIterable, Hashable {
    // A block is found and read by these.
    case blockType, blockLength
    case magic, application
    case linkType, snapLength, interfaceOption
    case interface, time, capturedLength, wireLength, data
    case flags, packetID, verdict, comment
    case statisticsInterface, statisticsOption

    /// Nothing reads it: reserved fields, padding, the end of options, the length of a section.
    case unused
    /// Names and versions are said once, so nothing contradicts a wrong one.
    case version, sectionComment, names, statisticsTime, serviceName
    /// A name resolution block under another type is one that readers pass over.
    case namesType
    /// Nothing else has the time at which a fragment came that was held.
    case heldTime
    /// The reader takes the captured length for a wire length below it.
    case lowWireLength

    var isBlind: Bool {
        switch self {
        case .unused, .version, .sectionComment, .names, .statisticsTime, .serviceName, .namesType, .lowWireLength,
            .heldTime:
            true
        default: false
        }
    }
}

/// The regions of a trace in little-endian order.
struct TraceRegions {
    private(set) var places: [TraceRegion: [Int]] = [:]
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        var at = 0
        while at < bytes.count {
            let length = Int(number32(at + 4))
            block(at, at + length)
            at += length
        }
    }

    private func contains(_ word: [UInt8], in range: Range<Int>) -> Bool {
        range.dropLast(word.count).contains { bytes[$0..<$0 + word.count].elementsEqual(word) }
    }

    func number16(_ at: Int) -> UInt16 { UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8 }
    func number32(_ at: Int) -> UInt32 { UInt32(number16(at)) | UInt32(number16(at + 2)) << 16 }

    private mutating func mark(_ range: Range<Int>, _ region: TraceRegion) { places[region, default: []] += range }

    private mutating func block(_ start: Int, _ end: Int) {
        let type = number32(start)
        mark(start..<start + 4, type == 4 ? .namesType : .blockType)
        mark(start + 4..<start + 8, .blockLength)
        mark(end - 4..<end, .blockLength)
        switch type {
        case 0x0a0d_0d0a:
            mark(start + 8..<start + 12, .magic)
            mark(start + 12..<start + 24, .unused)
            options(start + 24, end - 4) { [4: .application, 1: .sectionComment][$0] }
        case 1:
            mark(start + 8..<start + 10, .linkType)
            mark(start + 10..<start + 12, .unused)
            mark(start + 12..<start + 16, .snapLength)
            options(start + 16, end - 4) { _ in .interfaceOption }
        case 5:
            mark(start + 8..<start + 12, .statisticsInterface)
            mark(start + 12..<start + 20, .statisticsTime)
            options(start + 20, end - 4) { _ in .statisticsOption }
        case 6:
            mark(start + 8..<start + 12, .interface)
            let isHeld = contains([UInt8]("verdict=hold".utf8), in: start..<end)
            mark(start + 12..<start + 20, isHeld ? .heldTime : .time)
            mark(start + 20..<start + 24, .capturedLength)
            mark(start + 24..<start + 28, .wireLength)
            let data = start + 28 + Int(number32(start + 20))
            mark(start + 28..<data, .data)
            mark(data..<(data + 3) & ~3, .unused)
            options((data + 3) & ~3, end - 4) { [2: .flags, 5: .packetID, 7: .verdict, 1: .comment][$0] }
        default: mark(start + 8..<end - 4, .names)
        }
    }

    private mutating func options(_ start: Int, _ end: Int, _ region: (UInt16) -> TraceRegion?) {
        var at = start
        while at + 4 <= end {
            let code = number16(at)
            let length = Int(number16(at + 2))
            guard code != 0, let region = region(code) else { return mark(at..<end, .unused) }
            let head = region == .sectionComment ? TraceRegion.sectionComment : region
            mark(at..<at + 4, head)
            let next = (at + 4 + length + 3) & ~3
            mark(at + 4 + length..<next, .unused)
            value(at + 4..<at + 4 + length, region)
            at = next
        }
    }

    /// The bytes of an option's value, where some are blind.
    private mutating func value(_ range: Range<Int>, _ region: TraceRegion) {
        switch region {
        case .application:
            mark(range.prefix(8), region)
            mark(range.dropFirst(8), .version)
        case .comment:
            var key = true
            var word: [UInt8] = []
            for place in range {
                if bytes[place] == UInt8(ascii: " ") { (key, word) = (true, []) }
                let isName = !key && word == [UInt8](" service".utf8)
                mark(place..<place + 1, isName ? .serviceName : region)
                if bytes[place] == UInt8(ascii: "=") { key = false }
                if key { word.append(bytes[place]) }
            }
        default: mark(range, region)
        }
    }
}
