import Capture
import Control
import Foundation
import Testing
import Wire

/// The recorded captures, replayed in this process.
@Suite("Replay")
struct ReplayTests {
    @Test(arguments: RecordedCapture.all, [1, 7, 64])
    func recordedCapturesGiveTheSameBytes(_ capture: RecordedCapture, _ batch: Int) throws {
        let replayed = try ReplayRun(batch: batch, version: try capture.version())(
            capture.input,
            try capture.cluster()
        )
        #expect(replayed.damage == nil)
        #expect(String(decoding: replayed.events, as: UTF8.self).split(separator: "\n") == (try lines(capture)))
        let expected = try capture.bytes("trace.pcapng")
        #expect(replayed.trace.count == expected.count)
        #expect(zip(replayed.trace, expected).enumerated().first { $1.0 != $1.1 }?.offset == nil)
        #expect(try replayed.events == capture.bytes("events.jsonl"))
    }

    private func lines(_ capture: RecordedCapture) throws -> [Substring] {
        String(decoding: try capture.bytes("events.jsonl"), as: UTF8.self).split(separator: "\n")
    }

    @Test func allFoldersAreReplayed() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: RecordedCapture.folder)
        #expect(Set(folders).subtracting(["README.md"]) == Set(RecordedCapture.all.map(\.name)))
    }

    /// A capture that ends inside its last packet, or before the end of a header.
    @Test(arguments: [1, 40, 60, 70])
    func aDamagedCaptureDeliversWhatCameBefore(_ missing: Int) throws {
        let capture = RecordedCapture(name: "http-clusterip")
        let scratch = try VerifyScratch()
        let input = try scratch.write("cut.pcap", Array(try capture.bytes("capture.pcap").dropLast(missing)))
        for batch in [1, 7, 64] {
            let replayed = try ReplayRun(batch: batch)(input, try capture.cluster())
            #expect(replayed.damage?.kind == .damaged)
            #expect(replayed.damage?.file == input)
            #expect(replayed.summary == nil)
            let events = String(decoding: replayed.events, as: UTF8.self).split(separator: "\n")
            let whole = try lines(capture)
            #expect(events.count < whole.count && events.count >= whole.count - 2)
            #expect(events == Array(whole.prefix(events.count)))
            #expect(Set(try packets(ofTrace: replayed.trace).map(\.number)).count == events.count)
        }
    }

    @Test func whatIsNoCaptureDeliversNothing() throws {
        let scratch = try VerifyScratch()
        let capture = RecordedCapture(name: "http-clusterip")
        for (name, kind) in [("missing.pcap", CaptureError.Kind.open), ("text.pcap", .format), ("cut.pcap", .damaged)] {
            if name == "text.pcap" { _ = try scratch.write(name, Array("no capture, but long enough for one".utf8)) }
            if name == "cut.pcap" { _ = try scratch.write(name, Array(try capture.bytes("capture.pcap").prefix(30))) }
            var session = ReplaySession(
                try capture.cluster(),
                ReplaySettings(input: "\(scratch.path)/\(name)"),
                version: "test"
            )
            var thrown: CaptureError?
            do throws(CaptureError) {
                _ = try session.run { _ in }
            } catch {
                thrown = error
            }
            #expect(thrown?.kind == kind)
        }
    }

    @Test func aFilterKeepsFrameNumbers() throws {
        let capture = RecordedCapture(name: "http-clusterip")
        let all = try events(try capture.bytes("events.jsonl"))
        let replayed = try ReplayRun(filter: "src host 10.244.0.5")(capture.input, try capture.cluster())
        let left = try events(replayed.events)
        let sent = all.filter { $0.text("source")?.hasPrefix("10.244.0.5:") ?? false }
        #expect(!left.isEmpty && left.count < all.count)
        #expect(left.map { $0.number("packet") } == sent.map { $0.number("packet") })
        #expect(left.map { $0.text("time") } == sent.map { $0.text("time") })
        #expect(left.map { $0.text("source") } == sent.map { $0.text("source") })
        #expect(left.last?.number("packet") ?? 0 > left.count)
        #expect(
            Set(try packets(ofTrace: replayed.trace).map { Int($0.number) })
                == Set(left.map { $0.number("packet") ?? 0 })
        )
        #expect(replayed.summary?.received == UInt64(left.count))
        #expect(replayed.summary?.filtered == UInt64(all.count - left.count))
    }

    @Test func aFilterThatIsNoneIsRefused() throws {
        let capture = RecordedCapture(name: "http-clusterip")
        var settings = ReplaySettings(input: capture.input)
        settings.filter = "tcp and and"
        var session = ReplaySession(try capture.cluster(), settings, version: "test")
        var kind: CaptureError.Kind?
        do throws(CaptureError) {
            _ = try session.run { _ in }
        } catch {
            kind = error.kind
        }
        #expect(kind == .filter)
    }

    /// A trace feeds what its datapath received; the same datapath decides the same about it.
    @Test(arguments: RecordedCapture.all)
    func aTraceGivesTheSameVerdicts(_ capture: RecordedCapture) throws {
        let replayed = try ReplayRun()(capture.path("trace.pcapng"), try capture.cluster())
        #expect(replayed.damage == nil)
        // Frames without an IP packet are not in a trace.
        let traced = Set(try packets(ofTrace: try capture.bytes("trace.pcapng")).map { Int($0.number) })
        let first = try events(try capture.bytes("events.jsonl")).filter { traced.contains($0.number("packet") ?? 0) }
        let second = try events(replayed.events)
        let compared = [
            "verdict", "reason", "time", "interface", "source", "destination", "translatedSource",
            "translatedDestination", "service", "frontend", "backend", "conntrack", "egress", "protocol", "flags",
        ]
        #expect(second.count == first.count)
        for (one, other) in zip(first, second) {
            for key in compared { #expect(one.text(key) == other.text(key), "\(one.line)\n\(other.line)") }
            #expect(one.number("flow") == other.number("flow"))
            #expect(one.number("length") == other.number("length"))
            #expect(other.flag("reconstructed") == nil)
        }
        let numbers = second.compactMap { $0.number("packet") }
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func repliesAsTheyAreAreForgeries() throws {
        let capture = RecordedCapture(name: "http-clusterip")
        let cluster = try capture.cluster()
        let rebuilt = try events(try ReplayRun()(capture.input, cluster).events)
        let plain = try events(try ReplayRun(reconstructs: false)(capture.input, cluster).events)
        #expect(rebuilt.count == plain.count)
        var replies = 0
        for (one, other) in zip(rebuilt, plain) {
            #expect(other.flag("reconstructed") == nil)
            if one.flag("reconstructed") ?? false {
                replies += 1
                #expect(one.summary == "forward -")
                #expect(one.text("conntrack") == "reply")
                #expect(one.text("source") == one.text("backend"))
                #expect(one.text("translatedSource") == "10.96.0.10:80")
                #expect(other.summary == "drop spoof.vip")
                #expect(other.text("source") == "10.96.0.10:80")
                #expect(other.text("destination") == one.text("translatedDestination"))
            } else {
                #expect(one.text("destination") == "10.96.0.10:80")
                #expect(other.text("destination") == "10.96.0.10:80")
            }
        }
        #expect(replies > 0 && replies < rebuilt.count)
    }
}
