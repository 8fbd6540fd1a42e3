// Half a million packets take long without the optimizer, which does not decide what is kept.
#if !DEBUG
    import Foundation
    import TestSupport
    import Testing
    import Wire

    @Suite("Memory of a replay")
    struct ReplayMemoryTests {
        /// The greatest memory of a process so far, in bytes.
        private static func peak(_ process: Process) throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) }) * 1024
        }

        /// Has the program replay packets of 1,000 flows, and looks at its memory shortly before it ends.
        ///
        /// In a process of its own: this one belongs to all tests, which use more and less as they run.
        private static func peak(packets count: Int) throws -> Int {
            let client = (0..<1_000).map { port in
                PacketBuilder(from: Host.pod, to: Host.web).tcp(UInt16(port + 1024), 80, flags: [.syn])
            }
            let scratch = try VerifyScratch()
            let process = Process()
            let output = Pipe()
            let program: URL = try #require(Program.url, "the program is not built")
            process.executableURL = program
            process.arguments = [
                "replay", "-o", "json", "-w", "\(scratch.path)/trace.pcapng",
                "-c", try scratch.write("culvert.yaml", Array(VerifyCluster.configuration.utf8)),
                "-f", try scratch.write("web.yaml", Array(VerifyCluster.manifests.utf8)),
                try scratch.write("c.pcap", longCapture(count, of: client)),
            ]
            process.standardOutput = output
            try process.run()
            var (lines, peak) = (0, 0)
            // A pipe holds 64 KiB: with 1,000 lines to come, of 300 bytes and more, the program is still there.
            while case let part = output.fileHandleForReading.availableData, !part.isEmpty {
                lines += part.count { $0 == UInt8(ascii: "\n") }
                if peak == 0 && lines >= count - 1_000 { peak = try Self.peak(process) }
            }
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(lines >= count)
            return peak
        }

        /// A program changed to keep its events took 76 MB for the short capture, and 398 MB for the long one.
        @Test("does not grow with the capture")
        func constant() throws {
            let short = try Self.peak(packets: 50_000)
            let long = try Self.peak(packets: 500_000)
            #expect(short > 0 && long - short < 16 << 20, "\(short) and \(long)")
        }
    }
#endif
