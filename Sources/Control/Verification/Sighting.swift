internal import Capture
internal import Datapath
internal import Wire

/// A record of a trace: a packet at a capture point.
struct Sighting {
    /// The number of the record in the trace, from 1.
    let frame: UInt64
    let packet: UInt64
    let time: UInt64
    let place: CapturePlace
    let bytes: [UInt8]
    let wireLength: Int
    /// Nil for what is no IPv4 packet.
    let ip: SightedPacket?
    /// epb_verdict as it stands in the record.
    let verdictCode: UInt64?
    let comment: TraceComment?

    init(_ record: PcapngPacket, id: UInt64, place: CapturePlace, bytes: [UInt8], comment: TraceComment?) {
        frame = record.number
        packet = id
        time = record.time
        self.place = place
        self.bytes = bytes
        wireLength = record.wireLength
        ip = SightedPacket(bytes)
        verdictCode = record.verdict
        self.comment = comment
    }

    func finding(_ check: VerificationCheck, _ message: String) -> VerificationFinding {
        VerificationFinding(check: check, frame: frame, packet: packet, message: message)
    }
}

/// What happens at a capture point, and on which interface.
struct CapturePlace: Hashable {
    enum Kind { case received, sent, dropped }

    var kind: Kind
    /// The interface's label; empty for drop.
    var label: String

    /// How the writer describes the place.
    var details: String {
        switch kind {
        case .received: "received from \(label)"
        case .sent: "sent to \(label)"
        case .dropped: "dropped, as received"
        }
    }

    /// Reads `LABEL:rx`, `LABEL:tx` or `drop`.
    init?(_ name: String) {
        if name == "drop" {
            (kind, label) = (.dropped, "")
            return
        }
        if name.hasSuffix(":rx") { kind = .received } else if name.hasSuffix(":tx") { kind = .sent } else { return nil }
        label = String(name.dropLast(3))
        if label.isEmpty || label.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7f }) { return nil }
    }
}
