internal import Tables
internal import Wire

/// Finds packets of a batch that can leave as one super-packet, which the kernel of the other side takes apart again.
///
/// Theory of operation: writing into a TUN costs its time for each write, hardly for the bytes. So packets of one flow that
/// follow each other go in one write: headers made here, then the payloads from the frames where they are. Both ends must not
/// notice: only what `Segmentation` would give back byte for byte is put together, so UDP datagrams of one size (the last may be
/// shorter) and TCP segments that continue each other, with the same headers but for what segmentation sets. The
/// identification counts up, or "don't fragment" says that it means nothing (RFC 6864 section 4.1). A checksum that is
/// full is looked at before, because the kernel believes what it gets so: a bad one stays bad, and alone.
///
/// A batch is planned as a whole: each packet joins the group that its flow has open, or begins one. Groups are written in the
/// order of their first packets, so the packets of each flow keep their order, whatever stood between them; a packet that
/// cannot go with others closes all groups. Nothing waits for another batch, and frames are not touched.
package struct Coalescer: ~Copyable {
    /// What the other side can take apart.
    package struct Kinds: OptionSet, Sendable {
        /// The bits of the set.
        package var rawValue: UInt8
        /// The kinds of those bits.
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// TCP segments.
        package static let tcp = Kinds(rawValue: 1 << 0)
        /// UDP datagrams.
        package static let udp = Kinds(rawValue: 1 << 1)
    }

    /// What the interfaces can take, by their numbers; nothing for those beyond.
    package var kinds: [Kinds]
    /// How many writes the batch that was planned makes.
    package private(set) var groupCount = 0
    private var groups = FixedArray<CoalescedGroup>(count: Coalescer.planLimit)
    /// The emission that follows another one in its group; 0 for none.
    private var links = FixedArray<UInt16>(count: Coalescer.planLimit)
    /// The open groups, by the flows' numbers; the number of a group plus one.
    private var open = FixedArray<UInt16>(count: Coalescer.openLimit)
    private var hasOpen = false

    /// The headers of the group that was asked for last.
    private var headers = FramePool(count: 1, capacity: 128)
    /// The length of these headers without the virtio-net header, and so of each of the group's packets.
    package private(set) var headerLength = 0

    /// How many packets go together at most: UDP_MAX_SEGMENTS of older kernels (linux/udp.h).
    package static let limit = 64
    /// The most emissions that a batch may have to be planned: more come only of fragments.
    package static let planLimit = 256
    private static let openLimit = 64

    /// A coalescer for interfaces that can take these kinds.
    package init(_ kinds: [Kinds]) { self.kinds = kinds }

    /// Plans what is written together; the batch has at most `planLimit` emissions.
    package mutating func plan(_ batch: borrowing Batch) {
        groupCount = 0
        closeAll()
        for index in 0..<min(batch.emissionCount, Self.planLimit) {
            links[index] = 0
            let emission = batch.emissions[index]
            let egress = Int(emission.egress)
            guard egress < kinds.count, !kinds[egress].isEmpty,
                let shape = CoalescibleShape(emission, batch, kinds[egress])
            else {
                closeAll()
                begin(CoalescedGroup(index))
                continue
            }
            let slot = Int(truncatingIfNeeded: shape.flow) & (Self.openLimit - 1)
            let group = Int(open[slot]) - 1
            if group >= 0, groups[group].join(shape, emission, batch) {
                links[Int(groups[group].last)] = UInt16(truncatingIfNeeded: index)
                groups[group].last = UInt16(truncatingIfNeeded: index)
                continue
            }
            begin(CoalescedGroup(index, shape, emission))
            open[slot] = UInt16(truncatingIfNeeded: groupCount)
            hasOpen = true
        }
    }

    private mutating func begin(_ group: CoalescedGroup) {
        groups[groupCount] = group
        groupCount += 1
    }

    private mutating func closeAll() {
        guard hasOpen else { return }
        for slot in 0..<Self.openLimit { open[slot] = 0 }
        hasOpen = false
    }

    /// How many packets a group has; more than one have headers of their own (`makeHeaders`).
    package func count(_ group: Int) -> Int { Int(groups[group].count) }

    /// The first emission of a group.
    package func first(_ group: Int) -> Int { Int(groups[group].first) }

    /// The emission that follows in its group; nil for the last one.
    package func next(_ emission: Int) -> Int? { links[emission] == 0 ? nil : Int(links[emission]) }

    /// The headers that were made last, the virtio-net header first; payloads follow (`Batch.payload`).
    @_lifetime(borrow self)
    package func headerBytes() -> RawSpan { headers.bytes(0, length: headerLength, header: VirtioNetHeader.length) }

    /// Makes the headers of a group.
    package mutating func makeHeaders(_ group: Int, _ batch: borrowing Batch) {
        let group = groups[group]
        let length = Int(group.headers)
        headerLength = length
        headers.copy(from: batch.frames, Int(group.frame), 0..<length, to: 0, at: 0)
        var bytes = headers.frame(0, length: length, header: VirtioNetHeader.length)
        var header = VirtioNetHeader.plain
        header.needsChecksum = true
        header.segmentation = group.isTCP ? .tcp4 : .udp
        header.headerLength = UInt16(truncatingIfNeeded: length)
        header.segmentSize = group.payload
        header.checksumStart = UInt16(IPv4Packet.minimumHeaderLength)
        header.checksumOffset = UInt16(group.isTCP ? TCPSegment.checksumOffset : UDPDatagram.checksumOffset)
        header.write(to: &bytes)

        let ip = VirtioNetHeader.length
        let transport = ip + IPv4Packet.minimumHeaderLength
        let field = IPv4Packet.Field.self
        let old = bytes.loadBE16(ip + field.totalLength)
        let new = UInt16(truncatingIfNeeded: group.total)
        bytes.storeBE(new, at: ip + field.totalLength)
        let check = bytes.loadBE16(ip + field.checksum)
        bytes.storeBE(Checksum.update(check, by: Checksum.delta(from: old, to: new)), at: ip + field.checksum)
        let carried = Int(group.total) - IPv4Packet.minimumHeaderLength
        let pseudo = Checksum.pseudoHeader(
            source: IPv4Address(bits: bytes.loadBE32(ip + field.source)),
            destination: IPv4Address(bits: bytes.loadBE32(ip + field.destination)),
            transport: (group.isTCP ? TransportProtocol.tcp : .udp).rawValue,
            length: carried
        )
        if group.isTCP {
            bytes.store8(group.flags.rawValue, at: transport + TCPSegment.Field.flags)
            bytes.storeBE(pseudo, at: transport + TCPSegment.checksumOffset)
        } else {
            bytes.storeBE(UInt16(truncatingIfNeeded: carried), at: transport + UDPDatagram.Field.length)
            bytes.storeBE(pseudo, at: transport + UDPDatagram.checksumOffset)
        }
    }
}

extension Batch {
    /// What a packet carries that leaves behind the headers of a super-packet, of which each has `headers` bytes.
    @_lifetime(borrow self)
    package func payload(of emission: Emission, behind headers: Int) -> RawSpan {
        frames.bytes(Int(emission.buffer), length: Int(emission.length)).extracting(headers..<Int(emission.length))
    }
}
