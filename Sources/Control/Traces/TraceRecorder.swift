package import Capture
internal import Datapath
internal import Tables
internal import Wire

/// Which packets carry a comment in the trace.
package enum TraceComments: String, Sendable, CaseIterable {
    /// The first one of a flow, and every one that is not simply forwarded.
    case notable
    /// Every one.
    case all
    /// None.
    case none
}

/// What a trace is to be.
package struct TraceSettings: Sendable {
    /// The file to write, as the user named it.
    package var path: String
    /// The format of the file.
    package var format: TraceFormat = .pcapng
    /// Which packets carry a comment.
    package var comments: TraceComments = .notable
    /// Whether the eBPF verdict option is written; some Wireshark releases damage it when they rewrite a file.
    package var verdicts = true
    /// When the trace goes on in another file; nil for never (run only).
    package var rotation: TraceRotation?
    /// Whether a super-packet is recorded as one, and not cut into its segments.
    package var keepsSuperpackets = false

    /// The defaults for a file.
    package init(path: String) { self.path = path }
}

/// Records what a worker does to its packets, at the capture points of the trace.
///
/// Theory of operation: after a batch is decided, each packet is recorded in order: as it came (`LABEL:rx`; the headers
/// from the preimage that the parser kept, the payload from the frame, where nothing changes), as it left (`LABEL:tx`),
/// or where it ended (`drop`). All sightings of a packet have its number as packet id. Verdict and comment stand on the
/// last sighting. So the order of records does not depend on the size of batches.
///
/// A trace shows packets as they are on a wire. What has offloads is recorded aside (`TraceRecorder+Offload.swift`): partial
/// checksums are completed in a copy, never in the frame, and a super-packet is cut into its segments, each a packet with a
/// number of its own, unless it is to be kept whole.
struct TraceRecorder: ~Copyable {
    var output: TraceRecordOutput
    let keepsSuperpackets: Bool
    /// Where what differs from the frame is made up: the bytes, and what is known of the packet.
    var workspace = FramePool(count: 1, capacity: 65535)
    var madeUp = FixedArray<Packet>(count: 1)

    init(producer: consuming TraceProducer, interfaceCount: Int, settings: TraceSettings) {
        output = TraceRecordOutput(producer, interfaceCount: interfaceCount, settings: settings)
        keepsSuperpackets = settings.keepsSuperpackets
    }

    /// The capture points of some interfaces: `rx` and `tx` of each, and `drop`.
    static func points(_ interfaces: InterfaceTable) -> [TracePoint] {
        interfaces.interfaces.flatMap { interface in
            [
                TracePoint(name: "\(interface.label):rx", details: "received from \(interface.label)"),
                TracePoint(name: "\(interface.label):tx", details: "sent to \(interface.label)"),
            ]
        } + [TracePoint(name: "drop", details: "dropped, as received")]
    }

    /// Why the trace cannot be written any more; nil while it can.
    var failure: CaptureError? { output.failure }

    /// Records all packets of a batch that was processed with its preimages kept.
    mutating func record(_ batch: borrowing Batch) {
        if batch.count > 0 { output.begin(at: batch.packets[0].time) }
        for number in 0..<batch.count {
            // A frame without an IP packet has nothing that an IPv4 trace could show; its event tells of it.
            guard case .none = batch.packets[number].linkReason else { continue }
            // By the bits: `contains` of another module's option set is a call through a witness table.
            if batch.packets[number].marks.rawValue & PacketMarks.partialChecksum.rawValue != 0 {
                recordOffloaded(number, batch)
                continue
            }
            let emissions = Int(batch.packets[number].emissions)
            var isHeld = false
            if emissions == 0, case .hold = batch.packets[number].verdict { isHeld = true }
            recordReceived(number, batch, point: batch.packets[number].ingress * 2, isLast: isHeld)
            if emissions == 0 && !isHeld { recordReceived(number, batch, point: output.dropPoint, isLast: true) }
            let first = Int(batch.packets[number].firstEmission)
            var isFirst = true
            for offset in 0..<emissions {
                let emission = batch.emissions[first + offset]
                recordSent(emission, of: number, isFirst: isFirst && !emission.isReleased, batch)
                if !emission.isReleased { isFirst = false }
            }
        }
        output.flush()
    }

    @inline(__always)
    private mutating func recordReceived(_ number: Int, _ batch: borrowing Batch, point: UInt16, isLast: Bool) {
        let length = Int(batch.packets[number].length)
        let kept = min(length, Batch.preimageLength)
        let wireLength = min(Int(batch.packets[number].wireLength), Int(batch.packets[number].totalLength))
        output.append(
            number,
            batch.packets,
            point: point,
            direction: .inbound,
            packetID: batch.packets[number].number,
            head: batch.preimages.bytes(number, length: kept),
            tail: batch.frames.bytes(number, length: length).extracting(kept..<length),
            originalLength: max(length, wireLength),
            isLast: isLast
        )
    }

    @inline(__always)
    mutating func recordSent(_ emission: Emission, of number: Int, isFirst: Bool, _ batch: borrowing Batch) {
        let totalLength = Int(batch.packets[number].totalLength)
        let isCut = !emission.isScratch && Int(batch.packets[number].length) < totalLength
        output.append(
            number,
            batch.packets,
            point: emission.egress * 2 + 1,
            direction: .outbound,
            packetID: emission.packetNumber,
            head: batch.sentBytes(of: emission),
            tail: RawSpan(),
            originalLength: isCut ? totalLength : Int(emission.length),
            isLast: isFirst
        )
    }
}

extension Verdict {
    /// The action of enum xdp_action in linux/bpf.h that comes nearest; nil where none does.
    var expressDataPathCode: UInt8? {
        switch self {
        case .drop: 1
        case .local: 2
        case .reject, .answer: 3
        case .forward, .pass: 4
        case .hold, .undecided: nil
        }
    }
}
