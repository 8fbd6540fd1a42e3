package import Wire

/// A capture point: a place on a packet's path that has its own interface in the trace.
package struct TracePoint: Equatable, Sendable {
    /// `LABEL:rx`, `LABEL:tx`, `drop`.
    package var name: String
    /// What happens there, for Wireshark's list of interfaces.
    package var details: String?

    package init(name: String, details: String? = nil) {
        self.name = name
        self.details = details
    }
}

/// A name of an address, for the name resolution block.
///
/// An address may have several; the first one is displayed.
package struct TraceName: Equatable, Sendable {
    package var address: IPv4Address
    package var name: String

    package init(_ address: IPv4Address, _ name: String) {
        self.address = address
        self.name = name
    }
}

/// The file format of a trace.
package enum TraceFormat: Sendable {
    /// One pcapng file with everything.
    case pcapng
    /// A classic pcap file per capture point, for tools that read nothing else: packets and times only.
    case pcap
}

/// When a trace goes on in another file, and how many of them are kept.
///
/// The file that the user named `NAME.pcapng` becomes `NAME_00001.pcapng` and so on; each can be read by itself.
package struct TraceRotation: Equatable, Sendable {
    /// A file that has about as many bytes is ended; of a classic trace, the files of all capture points together.
    package var bytes: UInt64?
    /// A file whose first packet is as many seconds old is ended, once there is another one.
    package var seconds: UInt64?
    /// How many files there are at most, those of earlier traces of the same name included; the oldest go.
    package var keptFiles: Int?

    package init(bytes: UInt64? = nil, seconds: UInt64? = nil, keptFiles: Int? = nil) {
        (self.bytes, self.seconds, self.keptFiles) = (bytes, seconds, keptFiles)
    }
}

/// What a trace is to contain, besides its packets.
package struct TraceOptions: Sendable {
    package var format = TraceFormat.pcapng
    /// shb_userappl; begins with `culvert`, by which a Culvert trace is recognised.
    package var application: String
    /// Comment of the section: scenario, seed, configuration hash.
    package var comment: String?
    /// The capture points, at most 65,532; a record names one by its index.
    package var points: [TracePoint]
    package var names: [TraceName] = []
    /// Which epb_verdict to write; nil writes none (Wireshark 4.0 damages them when it rewrites a trace).
    package var verdicts: TraceVerdictKind? = .expressDataPath
    package var mode = TraceMode.blocking
    /// Whether what was written stays where writing fails later on, up to the last whole block: for what cannot be recorded
    /// again.
    package var keepsUnfinished = false
    /// Nil writes one file, however long it becomes.
    package var rotation: TraceRotation?
    /// How many workers write into the trace.
    package var producers = 1
    /// Bytes of the ring that each of them has.
    package var ringCapacity = 16 << 20

    package init(application: String, points: [TracePoint]) {
        self.application = application
        self.points = points
    }

    /// The files of a trace that the user named `path`.
    func paths(_ path: String) -> [String] {
        format == .pcapng ? [path] : points.map { Self.classicPath(path, point: $0.name) }
    }

    /// The file of a capture point in a classic trace that the user named `path`: `NAME.POINT.pcap`.
    package static func classicPath(_ path: String, point: String) -> String {
        var stem = Substring(path)
        for suffix in [".pcapng", ".pcap"] where stem.hasSuffix(suffix) {
            stem = stem.dropLast(suffix.count)
            break
        }
        return stem + "." + String(point.map { $0 == ":" || $0 == "/" ? "-" : $0 }) + ".pcap"
    }
}
