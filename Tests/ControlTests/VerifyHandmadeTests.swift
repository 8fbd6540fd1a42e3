import Capture
import Control
import Testing
import Wire

/// Traces put together by hand, with mistakes that a datapath could make: all their checksums are right.
@Suite("verify: mistakes of a datapath")
struct VerifyHandmadeTests {
    /// A record: point 0 is `pods:rx`, 1 `pods:tx`, 2 `drop`.
    private struct Record {
        var point: UInt16
        var packet: UInt64
        var bytes: [UInt8]
        var comment = ""
        var time: UInt64 = 1
    }

    private static let new =
        "culvert: verdict=forward interface=pods service=default/web:http frontend=ClusterIP "
        + "backend=10.244.1.12:8080 conntrack=new"

    private static func trace(_ records: [Record], comment: String = "replay, by hand") throws -> VerificationReport {
        let scratch = try VerifyScratch()
        let points = [
            TracePoint(name: "pods:rx", details: "received from pods"),
            TracePoint(name: "pods:tx", details: "sent to pods"),
            TracePoint(name: "drop", details: "dropped, as received"),
        ]
        var options = TraceOptions(application: "culvert test", points: points)
        options.comment = comment
        let path = "\(scratch.path)/trace.pcapng"
        let texts = records.map { [UInt8]($0.comment.utf8) }
        // The annotation is the number of the text.
        let writer = try TraceWriter(path: path, options: options) { annotation, text in
            guard annotation.byteCount > 0 else { return }
            text += texts[Int(annotation.load8(0))]
        }
        write(records, writer)
        try writer.finish()
        return try TraceVerifier.verify(path: path)
    }

    private static func write(_ records: [Record], _ writer: TraceWriter) {
        guard var producer = writer.producer() else { return }
        for (number, record) in records.enumerated() {
            let annotation: [UInt8] = record.comment.isEmpty ? [] : [UInt8(number)]
            // Safe: the arrays outlive the call, and bytes have no padding.
            unsafe producer.append(
                point: record.point,
                direction: record.point == 1 ? .outbound : .inbound,
                packetID: record.packet,
                time: record.time,
                annotation: annotation.span.bytes,
                head: record.bytes.span.bytes,
                tail: RawSpan(),
                originalLength: record.bytes.count
            )
        }
        producer.flush()
    }

    private static func builder(_ source: IPv4Address, _ destination: IPv4Address, ttl: UInt8 = 64) -> PacketBuilder {
        var builder = PacketBuilder(from: source, to: destination)
        builder.timeToLive = ttl
        return builder
    }

    /// A packet to the frontend, and what is to be sent for it.
    private static func forth(
        _ packet: UInt64,
        port: UInt16 = 41000,
        backend: IPv4Address = Host.backend,
        ttl: UInt8 = 63,
        flow: Int? = nil,
        flags: TCPFlags = [.ack]
    ) -> [Record] {
        [
            Record(point: 0, packet: packet, bytes: builder(Host.pod, Host.web).tcp(port, 80, flags: flags)),
            Record(
                point: 1,
                packet: packet,
                bytes: builder(Host.pod, backend, ttl: ttl).tcp(port, 8080, flags: flags),
                comment: flow.map { "\(new) flow=\($0) egress=pods" } ?? ""
            ),
        ]
    }

    private static func back(_ packet: UInt64, to port: UInt16 = 41000) -> [Record] {
        [
            Record(point: 0, packet: packet, bytes: builder(Host.backend, Host.pod).tcp(8080, 41000, flags: [.ack])),
            Record(point: 1, packet: packet, bytes: builder(Host.web, Host.pod, ttl: 63).tcp(80, port, flags: [.ack])),
        ]
    }

    private static func checks(_ records: [Record], comment: String = "replay") throws -> Set<VerificationCheck> {
        Set(try trace(records, comment: comment).counts.keys)
    }

    @Test("what is right holds")
    func right() throws {
        #expect(try Self.trace(Self.forth(1, flow: 1) + Self.forth(2) + Self.back(3)).findings == [])
    }

    @Test("the TTL is one less")
    func timeToLive() throws {
        #expect(try Self.checks(Self.forth(1, ttl: 64, flow: 1)) == [.timeToLive])
        #expect(try Self.checks(Self.forth(1, ttl: 62, flow: 1)) == [.timeToLive])
    }

    @Test("a flow keeps its backend")
    func mapping() throws {
        let other = Self.forth(2, backend: Host.echo)
        #expect(try Self.checks(Self.forth(1, flow: 1) + other) == [.flows])
        // A SYN begins a new flow where there are no comments; an acknowledgement of a flow with replies does not.
        #expect(try Self.checks(Self.forth(1) + Self.back(2) + Self.forth(3, backend: Host.echo)) == [.flows])
        let again = Self.forth(3, backend: Host.echo, flags: [.syn])
        #expect(try Self.checks(Self.forth(1) + Self.back(2) + again) == [])
    }

    @Test("a reply goes exactly back")
    func reply() throws {
        #expect(try Self.checks(Self.forth(1, flow: 1) + Self.back(2, to: 41001)) == [.flows])
    }

    @Test("an outer tuple belongs to one flow at a time")
    func sharing() throws {
        var second = Self.forth(2, port: 41001, flow: 2)
        second[1].bytes = Self.builder(Host.pod, Host.backend, ttl: 63).tcp(41000, 8080, flags: [.ack])
        #expect(try Self.checks(Self.forth(1, flow: 1) + second) == [])
        #expect(try Self.checks(Self.forth(1, flow: 1) + second + Self.forth(3)) == [.flows])
    }

    @Test("flows are announced in their order")
    func numbers() throws {
        #expect(try Self.checks(Self.forth(1, flow: 1) + Self.forth(2, port: 7777, flow: 3)) == [.flows])
        #expect(try Self.checks(Self.forth(1, flow: 1) + Self.forth(2, port: 7777)) == [.flows])
        #expect(try Self.checks(Self.forth(1, flow: 1) + Self.forth(2, port: 7777), comment: "run") == [])
    }

    @Test("a wrong checksum stays as wrong")
    func laundered() throws {
        var wrong = Self.forth(1, flow: 1)
        wrong[0].bytes[36] ^= 0x40
        #expect(try Self.checks(wrong) == [.checksumTransport])
        // The sequence number of both, so that both checksums are wrong by the same amount.
        wrong = Self.forth(1, flow: 1)
        for number in 0...1 { wrong[number].bytes[24] ^= 0x40 }
        #expect(try Self.checks(wrong) == [])
    }

    @Test("a datagram without a checksum stays without")
    func noChecksum() throws {
        let received = Self.builder(Host.pod, Host.web).udp(5, 6, payload: [1], checksum: false)
        let sent = Self.builder(Host.pod, Host.echo, ttl: 63).udp(5, 7, payload: [1])
        let records = [Record(point: 0, packet: 1, bytes: received), Record(point: 1, packet: 1, bytes: sent)]
        #expect(try Self.checks(records) == [.checksumTransport])
    }

    @Test("what was dropped is not sent, and what was received has an end")
    func ends() throws {
        let sent = Self.forth(1)
        let dropped = Record(point: 2, packet: 1, bytes: sent[0].bytes)
        #expect(try Self.checks([sent[0], dropped]) == [])
        #expect(try Self.checks([sent[0], dropped, sent[1]]).contains(.sightings))
        #expect(try Self.checks([sent[0], sent[1], dropped]).contains(.sightings))
        #expect(try Self.checks([sent[0]]) == [.sightings])
        #expect(try Self.checks([sent[1]]) == [.sightings])
        #expect(try Self.checks([sent[0], sent[1], sent[1]]) == [.sightings])
        #expect(try Self.checks(Self.forth(2) + Self.forth(1)) == [.sightings])
    }

    @Test(
        "comments say what is so",
        arguments: [
            "culvert: verdict=drop interface=pods conntrack=new",
            "culvert: verdict=drop reason=no_such interface=pods conntrack=new",
            "culvert: verdict=drop reason=land interface=host conntrack=new",
            "culvert: verdict=forward interface=pods conntrack=new",
            "culvert: verdict=drop reason=land interface=pods conntrack=new egress=pods",
            "culvert: verdict=drop reason=land interface=pods conntrack=new flow=9",
            "culvert: verdict=drop reason=land interface=pods conntrack=new flow=09",
            "culvert: reason=land verdict=drop interface=pods conntrack=new",
            "culvert: verdict=drop reason=land interface=pods conntrack=new flag",
            "culvert: verdict=drop reason=land interface=pods backend=10.0.0.1:080 conntrack=new",
            "Culvert: verdict=drop reason=land interface=pods conntrack=new", "culvert: ",
        ]
    )
    func comments(_ text: String) throws {
        let bytes = Self.builder(Host.pod, Host.web).tcp(1, 2, flags: [.syn])
        let records = [
            Record(point: 0, packet: 1, bytes: bytes), Record(point: 2, packet: 1, bytes: bytes, comment: text),
        ]
        #expect(try !Self.checks(records).isEmpty)
    }

    @Test("people may comment as well")
    func humanComments() throws {
        var records = Self.forth(1)
        records[1].comment = "look at this one"
        #expect(try Self.checks(records) == [])
    }
}
