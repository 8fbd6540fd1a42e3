internal import Tables
internal import Wire

// Part of "translate": a super-packet whose segments are longer than its egress takes leaves in fragments of each; one
// that may not be fragmented was refused by "route".

extension Pipeline {
    /// Emits all segments of a super-packet that was rewritten in its frame, in fragments; all of them or none.
    mutating func emitSegments(
        _ packet: inout Packet,
        _ segmentation: Segmentation,
        mtu: Int,
        _ number: Int,
        _ batch: inout Batch
    ) -> Bool {
        let before = batch.emissionCount
        for index in 0..<segmentation.count {
            var segment = packet.segment(index, segmentation)
            guard let buffer = Self.cut(index, of: segmentation, number, &batch) else {
                batch.takeBack(to: before)
                return false
            }
            // The first one has got its identification with the whole: see `freshIdentification`.
            if index > 0 && packet.masquerade && !packet.marks.contains(.reconstructed) {
                let sent = packet.translated
                let identification = identifications.next(sent.source, sent.destination, packet.transport)
                var bytes = batch.scratch.frame(buffer, length: Int(segment.length))
                Self.replaceIdentification(&bytes, by: identification)
            }
            guard emit(&segment, from: .segment(buffer), mtu: mtu, number, &batch) else {
                batch.takeBack(to: before)
                return false
            }
        }
        return true
    }

    /// Cuts a segment out of a frame into a scratch buffer; nil when there is none left.
    static func cut(_ index: Int, of segmentation: Segmentation, _ number: Int, _ batch: inout Batch) -> Int? {
        guard let buffer = batch.takeScratch(segmentation.length(index)) else { return nil }
        write(index, of: segmentation, batch.frames, number, &batch.scratch, buffer)
        return buffer
    }

    private static func write(
        _ index: Int,
        of segmentation: Segmentation,
        _ frames: borrowing FramePool,
        _ number: Int,
        _ scratch: inout FramePool,
        _ buffer: Int
    ) {
        let frame = frames.bytes(number, length: segmentation.length)
        var target = scratch.frame(buffer, length: segmentation.length(index))
        segmentation.write(index, frame, frame, into: &target)
    }
}

extension Packet {
    /// What is known of one segment of a super-packet.
    fileprivate func segment(_ index: Int, _ segmentation: Segmentation) -> Packet {
        var segment = self
        segment.number &+= UInt64(truncatingIfNeeded: index)
        segment.length = Int32(truncatingIfNeeded: segmentation.length(index))
        segment.wireLength = segment.length
        segment.totalLength = UInt16(truncatingIfNeeded: segment.length)
        segment.segmentSize = 0
        segment.marks.remove(.partialChecksum)
        return segment
    }
}
