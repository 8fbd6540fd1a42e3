package import Foundation

/// The program `culvert`, for tests of what only a process of its own shows.
package enum Program {
    /// Where it is: built beside the tests; nil where only a part of the package was built.
    package static var url: URL? {
        let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let program = tests.deletingLastPathComponent().appending(path: "culvert")
        return FileManager.default.isExecutableFile(atPath: program.path) ? program : nil
    }
}
