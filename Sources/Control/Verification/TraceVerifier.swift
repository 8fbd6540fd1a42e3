package import Capture
internal import Wire

// # Theory of operation
//
// `culvert verify` reads a trace once, from its beginning to its end, and keeps no more of it than it must: the packets
// whose sightings are not complete (`PacketWindow`), the flows (`FlowLedger`), the ways of fragmented datagrams
// (`FragmentPaths`) and the first findings. Each record is put beside the record of the same packet as received, and what
// became of it decides what it is compared with: itself (`drop`), itself translated (`Translation`, `Fragmentation`), or
// what the datapath had to make of it (`GeneratedPacket`). What comments and verdict options say is checked against
// that (`CommentChecks`).
//
// Limits: a byte that nothing else depends on cannot be seen to be wrong: names and reserved fields, padding, the time of
// a packet that is seen once, the data of a fragment that is never released, what a refusal
// does not quote where nothing tells that checksums are verified.

/// Checks the NAT and checksum invariants of a trace.
package enum TraceVerifier {
    /// Reads the trace at `path`, `-` for standard input, and checks it.
    ///
    /// Throws what makes it unreadable: damaged, no pcapng file, none of Culvert's.
    package static func verify(path: String) throws(CaptureError) -> VerificationReport {
        var reader = try PcapngReader(path: path)
        var report = VerificationReport(trace: reader.name)
        var section: SectionVerifier?
        while let event = try reader.next() {
            switch event {
            case .section(let header):
                section?.finish(&report)
                guard isCulvert(header.application) else {
                    throw CaptureError(.format, file: reader.name, reason: "not a Culvert trace")
                }
                section = SectionVerifier(header)
            case .interface(let number):
                section?.points.add(reader.interfaces[number], &report)
            case .statistics(let statistics):
                section?.points.add(statistics)
            case .packet(let record):
                section?.add(record, copy(reader.packetBytes), reader.comments(), &report)
            }
        }
        section?.finish(&report)
        return report
    }

    private static func isCulvert(_ application: String?) -> Bool {
        application == "culvert" || application?.hasPrefix("culvert ") ?? false
    }

    private static func copy(_ span: RawSpan) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(span.byteCount)
        for offset in 0..<span.byteCount { bytes.append(span.load8(offset)) }
        return bytes
    }
}
