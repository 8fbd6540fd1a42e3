import Capture
import Control
import Foundation
import Testing
import Wire

/// A captured packet of a trace, as its file has it.
struct TracedPacket: Equatable {
    let point: String
    let number: UInt64
    let bytes: [UInt8]
    let comments: [String]
}

/// What a replay made.
struct Replayed {
    var events: [UInt8] = []
    var trace: [UInt8] = []
    var summary: ReplaySummary?
    /// What was wrong with the capture, if anything was.
    var damage: CaptureError?
}

/// How a replay is run in this process.
struct ReplayRun {
    var batch = 64
    var filter: String?
    var reconstructs = true
    var version = "test"
    var reloads: [ReplayReload] = []

    /// Replays a file, with events and trace kept.
    func callAsFunction(_ input: String, _ cluster: Cluster) throws -> Replayed {
        let scratch = try VerifyScratch()
        var settings = ReplaySettings(input: input)
        settings.batch = batch
        settings.filter = filter
        settings.output = .json
        settings.reconstructsReplies = reconstructs
        settings.reloads = reloads
        settings.trace = TraceSettings(path: "\(scratch.path)/trace.pcapng")
        var session = ReplaySession(cluster, settings, version: version)
        var result = Replayed()
        do throws(CaptureError) {
            result.summary = try session.run { result.events += $0 }
        } catch {
            result.damage = error
        }
        result.trace = try scratch.read("trace.pcapng")
        return result
    }

    /// Replays packets through the cluster of the verifier's tests, a millisecond apart.
    func callAsFunction(_ packets: [[UInt8]]) throws -> Replayed {
        let scratch = try VerifyScratch()
        let manifests = try scratch.write("web.yaml", Array(VerifyCluster.manifests.utf8))
        let cluster = try Cluster(try configuration(VerifyCluster.configuration), manifests: [manifests])
        return try self(try scratch.write("capture.pcap", VerifyCluster.capture(packets)), cluster)
    }
}

/// A folder of `captures/`: a capture, and what a replay makes of it.
struct RecordedCapture: Sendable, CustomTestStringConvertible {
    let name: String
    var testDescription: String { name }

    static let all = [
        "http-clusterip", "nodeport-masquerade", "udp-dns", "half-open", "icmp", "fragments", "drops",
    ].map { RecordedCapture(name: $0) }

    /// The folder that has them all, in the sources that this file is a part of.
    static var folder: String {
        let file = URL(fileURLWithPath: #filePath)
        return file.deletingLastPathComponent().appendingPathComponent("../../captures").standardized.path
    }

    var input: String { path("capture.pcap") }
    func path(_ file: String) -> String { "\(Self.folder)/\(name)/\(file)" }
    func bytes(_ file: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(file)))) }

    func cluster() throws -> Cluster {
        try Cluster(try ConfigurationReader.read(path: path("culvert.yaml")), manifests: [path("manifests.yaml")])
    }

    /// The version of Culvert that wrote the trace.
    func version() throws -> String {
        var reader = try PcapngReader(path: path("trace.pcapng"))
        guard case .section(let section) = try reader.next(), let application = section.application else { return "" }
        return String(application.dropFirst("culvert ".count))
    }
}

/// The packets of a trace.
func packets(ofTrace bytes: [UInt8]) throws -> [TracedPacket] {
    let scratch = try VerifyScratch()
    var reader = try PcapngReader(path: try scratch.write("trace.pcapng", bytes))
    var found: [TracedPacket] = []
    while let event = try reader.next() {
        guard case .packet(let packet) = event else { continue }
        let view = reader.packetBytes
        let bytes = (0..<view.byteCount).map { view.load8($0) }
        found.append(
            TracedPacket(
                point: reader.interfaces[packet.interface].name,
                number: packet.packetID ?? 0,
                bytes: bytes,
                comments: reader.comments()
            )
        )
    }
    return found
}

/// A classic capture of `count` packets, a microsecond apart, that takes `packets` in turn; nanoseconds, link type RAW.
func longCapture(_ count: Int, of packets: [[UInt8]]) -> [UInt8] {
    var bytes = Array(VerifyCluster.capture([]))
    func put(_ number: Int) {
        for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
    for number in 0..<count {
        let packet = packets[number % packets.count]
        put(1_700_000_000)
        put(number * 1000)
        put(packet.count)
        put(packet.count)
        bytes += packet
    }
    return bytes
}
