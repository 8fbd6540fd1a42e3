internal import Tables
internal import Wire

// Part of "translate": a packet that may be fragmented and is longer than its egress takes leaves in fragments
// (RFC 791 section 3.2); one that may not was refused by "route".

extension Pipeline {
    /// Emits a packet that was rewritten in its frame, in fragments if it must be.
    mutating func emitWithinMTU(_ packet: inout Packet, _ number: Int, _ batch: inout Batch) {
        let mtu = Int(interfaces.facts[Int(packet.egress)].mtu)
        // What a capture cut cannot be cut again.
        if Int(packet.totalLength) <= mtu || packet.length < Int32(packet.totalLength) {
            batch.emit(packet.emission(number))
            return
        }
        fragment(packet, mtu: mtu, number, &batch)
    }

    private func fragment(_ packet: Packet, mtu: Int, _ number: Int, _ batch: inout Batch) {
        let header = Int(packet.headerLength)
        let step = (mtu - header) & ~7
        guard step >= 8 else { return }
        var at = header
        let end = Int(packet.length)
        while at < end {
            guard let buffer = batch.takeScratch() else { return }
            let part = min(step, end - at)
            batch.scratch.copy(from: batch.frames, number, 0..<header, to: buffer, at: 0)
            batch.scratch.copy(from: batch.frames, number, at..<at + part, to: buffer, at: header)
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
            var emission = packet.generated(buffer, length: header + part, number)
            emission.isGenerated = false
            batch.emit(emission)
            at += part
        }
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
