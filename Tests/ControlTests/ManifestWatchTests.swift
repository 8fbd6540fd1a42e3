import Control
import Devices
import Foundation
import Glibc
import Logging
import Testing

/// A way to change what lies behind `-f`, and whether it is one.
private struct Edit: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// The argument, below the scratch directory.
    var argument: String
    var isChange = true
    var prepare: @Sendable (String) throws -> Void = { _ in }
    var change: @Sendable (String) throws -> Void
}

private func put(_ path: String, _ text: String = "kind: A\n") throws {
    try text.write(toFile: path, atomically: false, encoding: .utf8)
}

private func link(_ path: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
}

private func move(_ path: String, to target: String) throws {
    // Safe: both strings live for the call. Foundation has nothing that replaces a link in one step.
    guard unsafe rename(path, target) == 0 else { throw POSIXError(.EIO) }
}

private func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }

private func directory(_ path: String) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
}

/// A volume as the kubelet mounts it: the files are links through "..data".
private func volume(_ path: String, _ version: Int) throws {
    try directory("\(path)/..version_\(version)")
    try put("\(path)/..version_\(version)/web.yaml", "kind: V\(version)\n")
    try link("\(path)/..data_new", to: "..version_\(version)")
    try move("\(path)/..data_new", to: "\(path)/..data")
}

@Suite("Watching manifests")
struct ManifestWatchTests {
    private static let edits: [Edit] = [
        Edit(testDescription: "written in place", argument: "web.yaml") { try put("\($0)/web.yaml", "kind: B\n") },
        Edit(testDescription: "another file renamed over it", argument: "web.yaml") { path in
            try put("\(path)/new", "kind: A\n")
            try move("\(path)/new", to: "\(path)/web.yaml")
        },
        Edit(testDescription: "written with the old size and times", argument: "web.yaml") { path in
            let before = try FileManager.default.attributesOfItem(atPath: "\(path)/web.yaml")
            try put("\(path)/web.yaml", "kind: B\n")
            let time = try #require(before[.modificationDate])
            try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: "\(path)/web.yaml")
        },
        Edit(testDescription: "mode 000", argument: "web.yaml") {
            try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: "\($0)/web.yaml")
        },
        Edit(testDescription: "emptied", argument: "web.yaml") { try put("\($0)/web.yaml", "") },
        Edit(testDescription: "deleted", argument: "web.yaml") { try remove("\($0)/web.yaml") },
        Edit(testDescription: "deleted and made again", argument: "web.yaml") { path in
            try remove("\(path)/web.yaml")
            try put("\(path)/web.yaml")
        },
        Edit(testDescription: "made, where there was none", argument: "later.yaml") { try put("\($0)/later.yaml") },
        Edit(testDescription: "a new file in the directory", argument: "") { try put("\($0)/second.yaml") },
        Edit(testDescription: "a file deep in the directory", argument: "", prepare: { try directory("\($0)/a/b") }) {
            try put("\($0)/a/b/second.yaml")
        },
        Edit(testDescription: "a new directory with a file", argument: "") { path in
            try directory("\(path)/a/b")
            try put("\(path)/a/b/second.yaml")
        },
        Edit(testDescription: "the directory itself replaced", argument: "set", prepare: { try directory("\($0)/set") })
        {
            try directory("\($0)/other")
            try put("\($0)/other/web.yaml")
            try move("\($0)/other", to: "\($0)/set")
        },
        Edit(
            testDescription: "a volume swapped, by its directory",
            argument: "volume",
            prepare: { path in
                try directory("\(path)/volume")
                try volume("\(path)/volume", 1)
                try link("\(path)/volume/web.yaml", to: "..data/web.yaml")
            },
            change: { try volume("\($0)/volume", 2) }
        ),
        Edit(
            testDescription: "a volume swapped, by a file of it",
            argument: "volume/web.yaml",
            prepare: { path in
                try directory("\(path)/volume")
                try volume("\(path)/volume", 1)
                try link("\(path)/volume/web.yaml", to: "..data/web.yaml")
            },
            change: { try volume("\($0)/volume", 2) }
        ),
        Edit(
            testDescription: "the target of a link written",
            argument: "link.yaml",
            prepare: { path in
                try directory("\(path)/elsewhere")
                try put("\(path)/elsewhere/real.yaml")
                try link("\(path)/link.yaml", to: "elsewhere/real.yaml")
            },
            change: { try put("\($0)/elsewhere/real.yaml", "kind: B\n") }
        ),
        // Nothing that inotify sees: only the look once a second does.
        Edit(
            testDescription: "a link on the way replaced, in a directory that is not watched",
            argument: "link.yaml",
            prepare: { path in
                for name in ["away", "one", "two"] { try directory("\(path)/\(name)") }
                for name in ["one", "two"] { try put("\(path)/\(name)/real.yaml") }
                try link("\(path)/away/way", to: "../one")
                try link("\(path)/link.yaml", to: "away/way/real.yaml")
            },
            change: { path in
                try link("\(path)/away/new", to: "../two")
                try move("\(path)/away/new", to: "\(path)/away/way")
            }
        ),
        Edit(testDescription: "another file beside it", argument: "web.yaml", isChange: false) {
            try put("\($0)/other.yaml")
        },
        Edit(testDescription: "read", argument: "web.yaml", isChange: false) {
            _ = try String(contentsOfFile: "\($0)/web.yaml", encoding: .utf8)
        },
    ]

    /// Whether the next look, or the second that follows, shows a change.
    private static func sees(_ watch: inout ManifestWatch) throws -> Bool {
        for _ in 0..<2 {
            if case .changed = try watch.wait() { return true }
        }
        return false
    }

    @Test("every way of changing a file is seen, and nothing else", arguments: edits)
    private func seen(_ edit: Edit) async throws {
        let (isSeen, isSeenAgain) = try await onThread {
            let scratch = try VerifyScratch()
            try put("\(scratch.path)/web.yaml")
            try edit.prepare(scratch.path)
            let argument = edit.argument.isEmpty ? scratch.path : "\(scratch.path)/\(edit.argument)"
            let event = try EventFD()
            var watch = try ManifestWatch(ManifestSnapshot([argument]), wokenBy: event, logger: Logger(label: "test"))
            try edit.change(scratch.path)
            return (try Self.sees(&watch), try Self.sees(&watch))
        }
        #expect(isSeen == edit.isChange)
        #expect(!isSeenAgain, "it is seen once")
    }

    @Test("a file that is being written is left alone until it is closed")
    func slowWriter() async throws {
        let (isSeen, duration, size) = try await onThread {
            let scratch = try VerifyScratch()
            let path = try scratch.write("web.yaml", Array("kind: A\n".utf8))
            let event = try EventFD()
            var watch = try ManifestWatch(ManifestSnapshot([path]), wokenBy: event, logger: Logger(label: "test"))
            let begin = monotonicNanoseconds()
            let thread = Thread {
                guard let file = FileHandle(forWritingAtPath: path) else { return }
                try? file.truncate(atOffset: 0)
                for _ in 0..<4 {
                    try? file.write(contentsOf: Data("# a line\n".utf8))
                    usleep(400_000)
                }
                try? file.close()
            }
            thread.start()
            let isSeen = try Self.sees(&watch)
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
            return (isSeen, monotonicNanoseconds() - begin, size)
        }
        #expect(isSeen)
        #expect(duration >= 1_550_000_000)
        #expect(size == 36)
    }

    @Test("an event wakes the watch; standard input is not watched")
    func woken() async throws {
        let snapshot = ManifestSnapshot(["-"])
        #expect(!snapshot.isWatchable)
        let isWoken = try await onThread {
            let event = try EventFD()
            var watch = try ManifestWatch(snapshot, wokenBy: event, logger: Logger(label: "test"))
            try event.signal()
            for _ in 0..<2 {
                if case .woken = try watch.wait() { return true }
            }
            return false
        }
        #expect(isWoken)
    }

    @Test("looks are put off while things happen, but not for ever")
    func debounce() {
        let unit: Int64 = 1_000_000
        var debounce = ChangeDebounce()
        #expect(debounce.due == nil)
        debounce.note(at: 0)
        #expect(debounce.due == ChangeDebounce.quiet)
        for step in 1..<100 { debounce.note(at: Int64(step) * 40 * unit) }
        #expect(debounce.due == ChangeDebounce.limit)
        debounce.reset()
        #expect(debounce.due == nil)
        debounce.noteWrite(to: "a", at: 0)
        debounce.noteWrite(to: "b", at: 0)
        debounce.noteEnd(of: "a", at: unit)
        #expect(debounce.due == ChangeDebounce.writeLimit)
        debounce.noteEnd(of: "b", at: 2 * unit)
        #expect(debounce.due == 2 * unit + ChangeDebounce.quiet)
    }
}
