internal import Capture
internal import Datapath
internal import Tables

// The part of the recorder for packets with partial checksums and super-packets, which look different on a wire.

extension TraceRecorder {
    /// Records a packet that came with a partial checksum.
    @inline(never)
    mutating func recordOffloaded(_ number: Int, _ batch: borrowing Batch) {
        if let segmentation = Segmentation(batch.packets[number]), !isKeptWhole(number, batch) {
            recordSegments(segmentation, number, batch)
            return
        }
        let emissions = Int(batch.packets[number].emissions)
        recordArrival(number, batch, point: batch.packets[number].ingress * 2, isLast: false)
        if emissions == 0 { recordArrival(number, batch, point: output.dropPoint, isLast: true) }
        let first = Int(batch.packets[number].firstEmission)
        for index in first..<first + emissions {
            let emission = batch.emissions[index]
            if emission.isScratch {
                recordSent(emission, of: number, isFirst: index == first, batch)
            } else {
                recordFrame(emission, of: number, batch)
            }
        }
    }

    /// Records a packet as it came, with its checksum completed.
    private mutating func recordArrival(_ number: Int, _ batch: borrowing Batch, point: UInt16, isLast: Bool) {
        let length = Int(batch.packets[number].length)
        let kept = min(length, Batch.preimageLength)
        workspace.copy(from: batch.preimages, number, 0..<kept, to: 0, at: 0)
        let tail = batch.frames.bytes(number, length: length).extracting(kept..<length)
        let packetID = batch.packets[number].number
        recordCompleted(number, batch, kept, tail, .inbound, point: point, packetID: packetID, isLast: isLast)
    }

    /// Records a packet as it left in its frame, with its checksum completed.
    private mutating func recordFrame(_ emission: Emission, of number: Int, _ batch: borrowing Batch) {
        let length = Int(emission.length)
        let kept = min(length, Batch.preimageLength)
        workspace.copy(from: batch.frames, number, 0..<kept, to: 0, at: 0)
        let tail = batch.frames.bytes(number, length: length).extracting(kept..<length)
        let (point, packetID) = (emission.egress * 2 + 1, emission.packetNumber)
        recordCompleted(number, batch, kept, tail, .outbound, point: point, packetID: packetID, isLast: true)
    }

    /// Completes the checksum of a packet, whose first `kept` bytes are in the workspace, and records it.
    private mutating func recordCompleted(
        _ number: Int,
        _ batch: borrowing Batch,
        _ kept: Int,
        _ tail: RawSpan,
        _ direction: TraceDirection,
        point: UInt16,
        packetID: UInt64,
        isLast: Bool
    ) {
        do {
            var head = workspace.frame(0, length: kept)
            PartialChecksum.complete(&head, followedBy: tail)
        }
        output.append(
            number,
            batch.packets,
            point: point,
            direction: direction,
            packetID: packetID,
            workspace: workspace,
            kept: kept,
            tail: tail,
            isLast: isLast
        )
    }

    // MARK: Super-packets

    /// Whether a super-packet is shown as one: where that is wanted and it did not leave in parts.
    private func isKeptWhole(_ number: Int, _ batch: borrowing Batch) -> Bool {
        let emissions = batch.packets[number].emissions
        guard keepsSuperpackets, emissions < 2 else { return false }
        return emissions == 0 || !batch.emissions[Int(batch.packets[number].firstEmission)].isScratch
    }

    /// Records each segment as the packet that it would be on a wire: as it came, and what became of it.
    private mutating func recordSegments(_ segmentation: Segmentation, _ number: Int, _ batch: borrowing Batch) {
        let whole = batch.packets[number]
        var next = Int(whole.firstEmission)
        let end = next + Int(whole.emissions)
        for index in 0..<segmentation.count {
            var segment = whole
            segment.number &+= UInt64(truncatingIfNeeded: index)
            segment.segmentSize = 0
            if index > 0 { segment.marks.remove(.opensFlow) }
            madeUp[0] = segment
            makeArrival(index, of: segmentation, number, batch)
            recordMadeUp(segmentation.length(index), .inbound, point: whole.ingress * 2, isLast: false)
            if next < end && !batch.emissions[next].isScratch {
                // The whole has left, so each of its parts.
                makeDeparture(index, of: segmentation, batch.emissions[next], batch)
                let point = batch.emissions[next].egress * 2 + 1
                recordMadeUp(segmentation.length(index), .outbound, point: point, isLast: true)
                continue
            }
            var isFirst = true
            while next < end && batch.emissions[next].packetNumber == segment.number {
                recordCaused(batch.emissions[next], batch, isFirst: isFirst)
                isFirst = false
                next += 1
            }
            if isFirst { recordLoss(index, of: segmentation, number, batch) }
        }
    }

    /// Records the end of a segment for which nothing was sent.
    private mutating func recordLoss(
        _ index: Int,
        of segmentation: Segmentation,
        _ number: Int,
        _ batch: borrowing Batch
    ) {
        madeUp[0].emissions = 0
        if madeUp[0].verdict == .answer {
            madeUp[0].verdict = .drop
            madeUp[0].reason = .dnsNoQuery
        }
        makeArrival(index, of: segmentation, number, batch)
        recordMadeUp(segmentation.length(index), .inbound, point: output.dropPoint, isLast: true)
    }

    private mutating func makeArrival(
        _ index: Int,
        of segmentation: Segmentation,
        _ number: Int,
        _ batch: borrowing Batch
    ) {
        let head = batch.preimages.bytes(number, length: min(segmentation.length, Batch.preimageLength))
        let frame = batch.frames.bytes(number, length: segmentation.length)
        var target = workspace.frame(0, length: segmentation.length(index))
        segmentation.write(index, head, frame, into: &target)
    }

    private mutating func makeDeparture(
        _ index: Int,
        of segmentation: Segmentation,
        _ emission: Emission,
        _ batch: borrowing Batch
    ) {
        let frame = batch.frames.bytes(Int(emission.buffer), length: segmentation.length)
        var target = workspace.frame(0, length: segmentation.length(index))
        segmentation.write(index, frame, frame, into: &target)
    }

    /// Records the packet in the workspace.
    private mutating func recordMadeUp(_ length: Int, _ direction: TraceDirection, point: UInt16, isLast: Bool) {
        output.append(
            0,
            madeUp,
            point: point,
            direction: direction,
            packetID: madeUp[0].number,
            workspace: workspace,
            kept: length,
            isLast: isLast
        )
    }

    /// Records a packet that left because of a segment.
    private mutating func recordCaused(_ emission: Emission, _ batch: borrowing Batch, isFirst: Bool) {
        output.append(
            0,
            madeUp,
            point: emission.egress * 2 + 1,
            direction: .outbound,
            packetID: emission.packetNumber,
            head: batch.sentBytes(of: emission),
            tail: RawSpan(),
            originalLength: Int(emission.length),
            isLast: isFirst
        )
    }
}
