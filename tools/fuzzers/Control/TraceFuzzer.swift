import Capture
import Control
import FuzzSupport

/// Damaged traces, to be verified: the answer is findings or an error.
enum TraceFuzzer {
    private static let file = MemoryFile()

    static func run(_ bytes: [UInt8]) {
        file.replace(with: bytes)
        do throws(CaptureError) {
            let report = try TraceVerifier.verify(path: file.path)
            precondition(report.holds == (report.total == 0) && report.omitted <= report.total)
        } catch {
            precondition(!error.reason.isEmpty, "an error says why")
        }
    }
}
