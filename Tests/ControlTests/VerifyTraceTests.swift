import Capture
import Control
import Testing
import Wire

/// Traces that a replay makes, and the report about them.
@Suite("verify: traces of a replay")
struct VerifyTraceTests {
    @Test("all that the datapath does holds", arguments: TraceComments.allCases, [true, false])
    func holds(_ comments: TraceComments, _ verdicts: Bool) throws {
        let trace = try VerifyCluster.trace(VerifyScenario.packets, comments: comments, verdicts: verdicts)
        let report = try verified(trace)
        #expect(report.findings == [])
        #expect(report.holds)
        #expect(report.packets == UInt64(VerifyScenario.packets.count))
        #expect(report.frames > report.packets)
        #expect(report.notes == [])
    }

    @Test("two traces in one file are two sections")
    func sections() throws {
        let trace = try VerifyCluster.trace(VerifyScenario.packets)
        let report = try verified(trace + trace)
        #expect(report.holds)
        #expect(report.packets == UInt64(2 * VerifyScenario.packets.count))
    }

    @Test("a capture of somebody else's is none of Culvert's")
    func foreign() throws {
        #expect(throws: CaptureError.self) { try verified(VerifyCluster.capture(VerifyScenario.packets)) }
        #expect(throws: CaptureError.self) { try verified([]) }
        var trace = try VerifyCluster.trace([])
        if let place = trace.firstIndex(of: UInt8(ascii: "c")) { trace[place] = UInt8(ascii: "k") }
        do {
            _ = try verified(trace)
            Issue.record("is not refused")
        } catch let error as CaptureError {
            #expect(error.reason == "not a Culvert trace")
        }
    }

    @Test("findings name their frames, and are limited")
    func findings() throws {
        var trace = try VerifyCluster.trace(VerifyScenario.packets)
        for place in TraceRegions(trace).places[.data] ?? [] where place.isMultiple(of: 9) { trace[place] ^= 0x10 }
        let report = try verified(trace)
        #expect(report.findings.count == VerificationReport.limit)
        #expect(report.omitted > 0)
        #expect(report.text.contains("frame "))
        #expect(report.text.contains("and \(report.omitted) more\n"))
        #expect(report.json.contains("\"holds\":false"))
        #expect(report.json.hasSuffix("]}\n"))
    }

    @Test("every check has a sentence and an id of its own")
    func checks() {
        #expect(Set(VerificationCheck.allCases.map(\.id)).count == VerificationCheck.allCases.count)
        #expect(VerificationCheck.allCases.allSatisfy { !$0.sentence.isEmpty && !$0.sentence.hasSuffix(".") })
    }
}
