import Foundation
import TestSupport
import Testing

/// The exit codes of the command, which scripts go by.
@Suite("culvert diff")
struct DiffCommandTests {
    private static func run(_ arguments: [String]) throws -> (code: Int32, output: String, error: String) {
        let process = Process()
        let (output, error) = (Pipe(), Pipe())
        let program: URL = try #require(Program.url, "the program is not built")
        process.executableURL = program
        process.arguments = arguments
        process.standardOutput = output
        process.standardError = error
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let message = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: text, as: UTF8.self), String(decoding: message, as: UTF8.self)
        )
    }

    @Test("exits with 0 for the same, 1 for a difference, 2 for what is invalid")
    func codes() throws {
        let web = DifferenceCase.web
        let files = ["node: {name: node-a}", web, web.replacing("10.244.1.1", with: "10.244.1.2"), "kind: Service"]
        let folder = try folder(of: files)
        defer { try? FileManager.default.removeItem(at: folder) }
        let paths = files.indices.map { folder.appending(path: "\($0).yaml").path }
        func diff(_ old: Int, _ new: Int, _ options: String...) throws -> (code: Int32, output: String, error: String) {
            try Self.run(["diff", "-c", paths[0], paths[old], paths[new]] + options)
        }
        let same = try diff(1, 1)
        #expect(same.code == 0 && same.output == "No differences.\n")
        let other = try diff(1, 2, "-o", "json")
        #expect(other.code == 1 && other.output.hasPrefix("{\"frontends\":"))
        let quiet = try diff(1, 2, "-q")
        #expect(quiet.code == 1 && quiet.output.isEmpty && quiet.error.isEmpty)
        let invalid = try diff(1, 3)
        #expect(invalid.code == 2 && invalid.output.isEmpty && invalid.error.contains(paths[3]))
        #expect(try Self.run(["diff", "-c", paths[0], paths[1]]).code == 2)
        #expect(try Self.run(["diff", "-c", paths[0], "-", "-"]).code == 2)
    }
}
