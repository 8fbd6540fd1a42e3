import Datapath
import FuzzSupport
import Tables
import Wire

/// Frames of a TUN with offloads: any virtio-net header before any packet, through the pipeline and into coalescing.
///
/// The input is a sequence of packets, each behind two bytes of length (little-endian; the top bit marks one behind a header of
/// ten bytes of its own, else the next two bytes are the size of its segments under a header that fits, 0 for a packet
/// with a partial checksum). What leaves must have a header that the kernel can act on, every segment must be a packet with
/// right checksums, and what is put together must have the length of its parts.
enum OffloadFuzzer {
    // Safe: libFuzzer has one thread. The buffers outlive an input.
    nonisolated(unsafe) private static var batch = Batch(frameCapacity: 65535, keepsPreimages: true)
    nonisolated(unsafe) private static var coalescer = Coalescer([[.tcp, .udp], [.tcp, .udp], [.tcp, .udp]])
    nonisolated(unsafe) private static var target = FramePool(count: 1, capacity: 65535)

    static func run(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        var pipeline = PacketFuzzer.makePipeline()
        var number: UInt64 = 0
        while input.left >= 4 {
            unsafe batch.clear()
            while unsafe batch.count < 16, input.left >= 4 {
                number += 1
                append(&input, number)
            }
            unsafe pipeline.process(&batch)
            PacketFuzzer.checkAccounts(&pipeline)
            checkArrivals()
            checkEmissions()
        }
    }

    private static func append(_ input: inout FuzzInput, _ number: UInt64) {
        let wanted = input.word()
        var header = VirtioNetHeader.plain
        var size = 0
        if wanted & 0x8000 != 0 {
            let raw = Array(input.take(10)) + [UInt8](repeating: 0, count: 10)
            header = withBytes(of: raw) { VirtioNetHeader($0) }
        } else {
            size = input.word()
        }
        let bytes = input.take(wanted & 0x7fff)
        if wanted & 0x8000 == 0, let first = bytes.first, bytes.count >= 20 {
            let transport = bytes[bytes.startIndex + 9]
            header.needsChecksum = true
            header.checksumStart = UInt16(first & 15) * 4
            header.checksumOffset = transport == 6 ? 16 : 6
            header.segmentation = size == 0 ? .none : transport == 6 ? .tcp4 : .udp
            header.segmentSize = UInt16(truncatingIfNeeded: size)
        }
        var packet = Packet()
        packet.number = number
        packet.now = number * 1_000_000
        packet.length = Int32(bytes.count)
        packet.wireLength = packet.length
        packet.ingress = 2
        do {
            var frame = unsafe batch.frames.frame(batch.count, length: bytes.count)
            for (offset, byte) in bytes.enumerated() { frame.store8(byte, at: offset) }
            packet.accept(header, &frame)
        }
        _ = unsafe batch.append(packet)
    }

    /// What a trace would show of each super-packet.
    private static func checkArrivals() {
        for number in unsafe 0..<batch.count {
            guard let segmentation = unsafe Segmentation(batch.packets[number]) else { continue }
            precondition(
                unsafe segmentation.count == batch.packets[number].segmentCount,
                "segments are counted wrongly"
            )
            check(segmentation, number)
        }
    }

    /// Every segment is a packet with right checksums; together they are the payload.
    private static func check(_ segmentation: Segmentation, _ number: Int) {
        var payload = 0
        for index in Set([0, 1, segmentation.count / 2, segmentation.count - 1]) where index < segmentation.count {
            let length = segmentation.length(index)
            do {
                let frame = unsafe batch.frames.bytes(number, length: segmentation.length)
                var bytes = unsafe target.frame(0, length: length)
                segmentation.write(index, frame, frame, into: &bytes)
            }
            let bytes = unsafe target.bytes(0, length: length)
            let header = Int(bytes.load8(0) & 15) * 4
            precondition(Checksum.sum(bytes, 0..<header) == 0xffff, "a segment has a bad header checksum")
            let pseudo = Checksum.pseudoHeader(
                source: IPv4Address(bits: bytes.loadBE32(12)),
                destination: IPv4Address(bits: bytes.loadBE32(16)),
                transport: bytes.load8(9),
                length: length - header
            )
            let sum = Checksum.add(pseudo, Checksum.sum(bytes, header..<length))
            precondition(sum == 0xffff, "a segment has a bad checksum")
            payload += segmentation.payload(index).count
        }
        precondition(payload > 0, "a super-packet without payload")
    }

    private static func checkEmissions() {
        for number in unsafe 0..<batch.emissionCount { checkFramed(unsafe batch.emissions[number]) }
        guard unsafe batch.emissionCount <= Coalescer.planLimit else { return }
        unsafe coalescer.plan(batch)
        var seen = 0
        for group in unsafe 0..<coalescer.groupCount {
            seen += unsafe coalescer.count(group)
            if unsafe coalescer.count(group) > 1 { check(group) }
        }
        precondition(unsafe seen == batch.emissionCount, "something is not written, or twice")
    }

    private static func check(_ group: Int) {
        unsafe coalescer.makeHeaders(group, batch)
        var parts = 0
        var count = 0
        var next: Int? = unsafe coalescer.first(group)
        while let number = next {
            parts += unsafe batch.payload(of: batch.emissions[number], behind: coalescer.headerLength).byteCount
            count += 1
            next = unsafe coalescer.next(number)
        }
        precondition(unsafe count == coalescer.count(group), "a group has another number of packets")
        let bytes = unsafe coalescer.headerBytes()
        let total = Int(bytes.loadBE16(VirtioNetHeader.length + 2))
        let expected = unsafe coalescer.headerLength + parts
        precondition(total == expected, "what is put together has another length")
        checkHeader(VirtioNetHeader(bytes), length: total)
    }

    private static func checkFramed(_ emission: Emission) {
        let bytes = unsafe batch.framedBytes(of: emission)
        precondition(bytes.byteCount == Int(emission.length) + VirtioNetHeader.length, "a frame has another length")
        checkHeader(VirtioNetHeader(bytes.bytes), length: Int(emission.length))
    }

    /// As virtio_net_hdr_to_skb of the kernel looks at it.
    private static func checkHeader(_ header: VirtioNetHeader, length: Int) {
        if header.needsChecksum {
            let place = Int(header.checksumStart) + Int(header.checksumOffset)
            precondition(place + 2 <= length, "a checksum lies outside of its packet")
        }
        if header.segmentation == .none { return }
        precondition(header.needsChecksum && header.segmentSize > 0, "a super-packet without what it needs")
        precondition(Int(header.headerLength) + Int(header.segmentSize) < length, "a super-packet that is none")
    }
}
