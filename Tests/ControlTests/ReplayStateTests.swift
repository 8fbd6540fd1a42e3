import Capture
import Control
import Foundation
import TestSupport
import Testing

/// `replay --state-out` and `--state-in`.
@Suite("A capture in parts")
struct ReplayStateTests {
    /// A classic pcap file, as its header and its records with theirs.
    private struct Pcap {
        var header: [UInt8]
        var records: [[UInt8]] = []

        init(_ bytes: [UInt8]) {
            header = Array(bytes.prefix(24))
            var offset = 24
            while offset + 16 <= bytes.count {
                let length = (0..<4).reduce(0) { $0 | Int(bytes[offset + 8 + $1]) << (8 * $1) }
                records.append(Array(bytes[offset..<min(offset + 16 + length, bytes.count)]))
                offset += 16 + length
            }
        }

        func part(_ range: Range<Int>) -> [UInt8] { header + records[range].joined() }
    }

    private static func replay(
        _ input: String,
        _ cluster: Cluster,
        from state: ReplayState? = nil
    ) throws -> (events: [UInt8], state: ReplayState) {
        var settings = ReplaySettings(input: input)
        settings.output = .json
        settings.seed = state?.seed ?? 1
        var session = ReplaySession(cluster, settings, version: "test")
        if let state { try session.resume(state) }
        var events: [UInt8] = []
        do throws(CaptureError) {
            _ = try session.run { events += $0 }
        } catch {
            throw error
        }
        return (events, session.state)
    }

    @Test("gives what the whole gives, wherever it is cut", arguments: RecordedCapture.all)
    func parts(capture: RecordedCapture) throws {
        let scratch = try VerifyScratch()
        let settings = try ConfigurationReader.read(path: capture.path("culvert.yaml"), environment: [:])
        let manifests = [capture.path("manifests.yaml")]
        let whole = try Self.replay(capture.input, try Cluster(settings, manifests: manifests))
        let file = Pcap(try capture.bytes("capture.pcap"))
        #expect(file.records.count > 10)
        for place in 1..<file.records.count {
            let first = try scratch.write("1.pcap", file.part(0..<place))
            let second = try scratch.write("2.pcap", file.part(place..<file.records.count))
            let (before, left) = try Self.replay(first, try Cluster(settings, manifests: manifests))
            let path = "\(scratch.path)/state"
            try left.write(path: path)
            let state = try ReplayState(path: path)
            let cluster = try Cluster(
                settings,
                manifests: manifests,
                registry: state.registry,
                allocations: state.allocations
            )
            let (after, end) = try Self.replay(second, cluster, from: state)
            #expect(before + after == whole.events, "cut after packet \(place)")
            #expect(try end.bytes() == whole.state.bytes(), "cut after packet \(place)")
        }
    }

    @Test("whose state is damaged, of another version, or of another configuration is refused")
    func refused() throws {
        let scratch = try VerifyScratch()
        let capture = try #require(RecordedCapture.all.first)
        let settings = try ConfigurationReader.read(path: capture.path("culvert.yaml"), environment: [:])
        let cluster = try Cluster(settings, manifests: [capture.path("manifests.yaml")])
        let state = try Self.replay(capture.input, cluster).state
        let bytes = try state.bytes()
        func reason(_ change: (inout [UInt8]) -> Void) -> String {
            var changed = bytes
            change(&changed)
            do throws(StateError) {
                _ = try ReplayState.decode(changed)
                return ""
            } catch {
                return error.description
            }
        }
        #expect(reason { _ in } == "")
        #expect(reason { $0 = [] } == "is no state of a replay")
        #expect(reason { $0[0] ^= 1 } == "is no state of a replay")
        #expect(reason { $0[16] ^= 2 }.hasPrefix("is of version 0."))
        #expect(reason { $0.removeLast() } == "is damaged")
        #expect(reason { $0.append(0) } == "is damaged")
        for offset in stride(from: 24, to: bytes.count, by: 97) {
            #expect(reason { $0[offset] ^= 0x10 } == "is damaged")
        }
        var small = settings
        small.conntrack.capacity = 1
        let session = {
            ReplaySession(try Cluster(small, manifests: [capture.path("manifests.yaml")]), $0, version: "")
        }
        var other = try session(ReplaySettings(input: try scratch.write("1.pcap", bytes)))
        do throws(StateError) {
            try other.resume(state)
            Issue.record("two flows fit into a table for one")
        } catch {
            #expect(error.description == "is damaged, or does not fit this configuration")
        }
        let missing = "\(scratch.path)/missing"
        #expect(throws: StateError.self) { _ = try ReplayState(path: missing) }
    }
}
