internal import Capture
internal import Datapath
internal import Synchronization
internal import Wire

/// What a record in the trace's ring says besides the packet: plain numbers, made into words by the writer's thread.
struct TraceAnnotation: BitwiseCopyable {
    var flow: UInt64
    var backend: FlowEndpoint
    var service: UInt32
    /// How many segments a super-packet has that is recorded as one, and the bytes of payload of each; 0 for others.
    var segments: UInt16
    var segmentSize: UInt16
    var ingress: UInt16
    var egress: UInt16
    var verdict: Verdict
    var reason: DropReason
    var conntrack: ConntrackState
    var frontend: FrontendKind
    var isMasqueraded: Bool
    var isReconstructed: Bool
    var hasEgress: Bool
    var hasBackend: Bool

    init(_ packet: Packet) {
        flow = packet.flow
        backend = packet.backend
        service = packet.service
        segments = packet.segmentSize > 0 ? UInt16(clamping: packet.segmentCount) : 0
        segmentSize = packet.segmentSize
        ingress = packet.ingress
        egress = packet.egress
        verdict = packet.verdict
        reason = packet.reason
        conntrack = packet.conntrack
        frontend = packet.frontend
        isMasqueraded = packet.masquerade
        isReconstructed = packet.marks.contains(.reconstructed)
        hasEgress = packet.emissions > 0
        hasBackend = packet.hasBackend
    }
}

extension TraceAnnotation {
    /// Reads back what a recorder put into the ring.
    init?(_ bytes: RawSpan) {
        guard bytes.byteCount == MemoryLayout<TraceAnnotation>.size else { return nil }
        // Safe: the bytes are those of an annotation of this process, as its size shows.
        self = unsafe bytes.unsafeLoadUnaligned(as: TraceAnnotation.self)
    }
}

/// The names of ServicePorts that comments use; a reload adds to them while the writer's thread reads.
final class ServicePortNames: Sendable {
    private let names: Mutex<[String]>

    init(_ names: [String]) { self.names = Mutex(names) }

    func replace(_ names: [String]) { self.names.withLock { $0 = names } }

    /// The name of a ServicePort; empty for an unknown one.
    func name(_ number: UInt32) -> String { names.withLock { Int(number) < $0.count ? $0[Int(number)] : "" } }
}

/// Writes the structured comment of a packet: `culvert: verdict=forward service=default/web:http …`, in the words of the
/// events; keys without a value are left out.
struct TraceCommentWriter: Sendable {
    let interfaces: [String]
    let names: ServicePortNames

    /// The function that a trace's writer calls for each annotation.
    static func formatter(interfaces: [String], names: ServicePortNames) -> TraceCommentFormatter {
        let writer = TraceCommentWriter(interfaces: interfaces, names: names)
        return { bytes, text in
            if let annotation = TraceAnnotation(bytes) { writer.append(annotation, to: &text) }
        }
    }

    func append(_ annotation: TraceAnnotation, to text: inout [UInt8]) {
        func add(_ part: String) { text.append(contentsOf: part.utf8) }
        add("culvert: verdict=\(annotation.verdict.word)")
        if annotation.reason != .none { add(" reason=\(annotation.reason.id)") }
        add(" interface=\(label(annotation.ingress))")
        let service = names.name(annotation.service)
        if !service.isEmpty { add(" service=\(service)") }
        if annotation.frontend != .none { add(" frontend=\(annotation.frontend.word)") }
        if annotation.hasBackend { add(" backend=\(annotation.backend)") }
        if annotation.isMasqueraded { add(" masquerade=true") }
        add(" conntrack=\(annotation.conntrack.word)")
        if annotation.flow > 0 { add(" flow=\(annotation.flow)") }
        if annotation.hasEgress { add(" egress=\(label(annotation.egress))") }
        if annotation.isReconstructed { add(" reconstructed=true") }
        if annotation.segments > 0 { add(" superpacket=\(annotation.segments)x\(annotation.segmentSize)") }
    }

    private func label(_ interface: UInt16) -> String {
        Int(interface) < interfaces.count ? interfaces[Int(interface)] : "-"
    }
}
