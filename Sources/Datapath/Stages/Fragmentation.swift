internal import Tables
internal import Wire

// Part of "translate": a packet that may be fragmented and is longer than its egress takes leaves in fragments
// (RFC 791 section 3.2); one that may not was refused by "route".

/// Where the bytes of a packet stand that is to be sent.
enum PacketPlace {
    /// In the frame it was read into.
    case frame(Int)
    /// In a scratch buffer, copied from where it was held.
    case released(Int)
    /// In a scratch buffer, cut from a super-packet.
    case segment(Int)
}

extension Pipeline {
    /// How many fragments a packet may fall into: 65,535 bytes at an MTU of 1,044 and more.
    static var fragmentLimit: Int { 64 }

    /// How many fragments a packet, or each segment of a super-packet, falls into on an interface; more than any limit
    /// where not one of them has room.
    func fragmentCount(_ packet: inout Packet, mtu: Int) -> Int {
        if packet.longestLength <= mtu || packet.length < Int32(packet.totalLength) { return 1 }
        let step = (mtu - Int(packet.headerLength)) & ~7
        guard step >= 8 else { return .max }
        return (packet.longestLength - Int(packet.headerLength) + step - 1) / step
    }

    /// Emits a packet that was rewritten in its frame, in fragments if it must be; all of it or nothing.
    mutating func emitWithinMTU(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) -> Bool {
        let mtu = Int(interfaces.facts[Int(packet.egress)].mtu)
        if packet.longestLength <= mtu {
            batch.emit(packet.emission(number))
            return true
        }
        if let segmentation = Segmentation(packet) {
            return emitSegments(&packet, segmentation, mtu: mtu, number, &batch)
        }
        Self.completeChecksum(packet.marks, length: Int(packet.length), number, &batch)
        return emit(&packet, from: .frame(number), mtu: mtu, number, &batch)
    }

    /// Emits a packet because of frame `number`; false, with nothing emitted, when it would take more scratch than a
    /// packet has.
    func emit(_ packet: inout Packet, from place: PacketPlace, mtu: Int, _ number: Int, _ batch: inout Batch) -> Bool {
        // What a capture cut cannot be cut again.
        if Int(packet.totalLength) > mtu && packet.length == Int32(packet.totalLength) {
            return fragment(&packet, from: place, mtu: mtu, number, &batch)
        }
        switch place {
        case .frame: batch.emit(packet.emission(number))
        case .released(let buffer), .segment(let buffer):
            emit(&packet, buffer, length: Int(packet.length), place, number, &batch)
        }
        return true
    }

    private func emit(
        _ packet: inout Packet,
        _ buffer: Int,
        length: Int,
        _ place: PacketPlace,
        _ number: Int,
        _ batch: inout Batch
    ) {
        var emission = packet.generated(buffer, length: length, number)
        emission.isGenerated = false
        if case .released = place { emission.isReleased = true }
        batch.emit(emission)
    }

    private func copy(
        _ range: Range<Int>,
        from place: PacketPlace,
        to buffer: Int,
        at offset: Int,
        _ batch: inout Batch
    ) {
        switch place {
        case .frame(let number): batch.scratch.copy(from: batch.frames, number, range, to: buffer, at: offset)
        case .released(let source), .segment(let source):
            batch.scratch.copyWithin(source, range, to: buffer, at: offset)
        }
    }

    private func fragment(
        _ packet: inout Packet,
        from place: PacketPlace,
        mtu: Int,
        _ number: Int,
        _ batch: inout Batch
    ) -> Bool {
        let header = Int(packet.headerLength)
        let step = (mtu - header) & ~7
        let end = Int(packet.length)
        let count = fragmentCount(&packet, mtu: mtu)
        guard count <= Self.fragmentLimit, batch.hasScratch(for: count, of: header + step) else { return false }
        var at = header
        while at < end {
            let part = min(step, end - at)
            guard let buffer = batch.takeScratch(header + part) else { return false }
            copy(0..<header, from: place, to: buffer, at: 0, &batch)
            copy(at..<at + part, from: place, to: buffer, at: header, &batch)
            var target = batch.scratch.frame(buffer, length: header + part)
            let isLast = at + part == end && !packet.fragment.moreFragments
            let offset = packet.fragment.offset + at - header
            let bits = UInt16(truncatingIfNeeded: offset / 8) | (isLast ? 0 : FragmentField.moreFragmentsBit)
            let field = IPv4Packet.Field.self
            target.storeBE(UInt16(truncatingIfNeeded: header + part), at: field.totalLength)
            target.storeBE(bits, at: field.fragment)
            if at > header { dropUncopiedOptions(&target, header: header) }
            target.storeBE(UInt16(0), at: field.checksum)
            target.storeBE(~Checksum.sum(target.bytes, 0..<header), at: field.checksum)
            emit(&packet, buffer, length: header + part, place, number, &batch)
            at += part
        }
        return true
    }

    /// Options without the "copied" flag stand in the first fragment only (RFC 791 section 3.1); they become padding.
    private func dropUncopiedOptions(_ bytes: inout MutableRawSpan, header: Int) {
        var at = IPv4Packet.minimumHeaderLength
        while at < header {
            let type = bytes.load8(at)
            if type == 0 { return }
            if type == 1 {
                at += 1
                continue
            }
            guard header - at >= 2 else { return }
            let length = Int(bytes.load8(at + 1))
            guard length >= 2, length <= header - at else { return }
            if type & 0x80 == 0 {
                for place in at..<at + length { bytes.store8(1, at: place) }
            }
            at += length
        }
    }
}
