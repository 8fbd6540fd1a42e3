internal import Devices
internal import Foundation

/// What the files and directories behind `-f` arguments looked like at a time, without their contents.
///
/// Two snapshots are equal when nothing was written, replaced, added or removed in between, as far as stat(2) tells.
package struct ManifestSnapshot: Hashable, Sendable {
    /// The arguments as the user gave them.
    package let arguments: [String]
    /// What each path led to; nil for nothing.
    private var stamps: [String: FileStamp?] = [:]
    /// Where names come and go: the directories of manifests, and those of files that were named one by one.
    private(set) var directories: Set<String> = []
    /// The names of single files, in whose directories other files change for reasons of their own.
    private(set) var names: Set<String> = []

    /// How deep directories may lie in each other, as for the loader.
    private static let maximumDepth = 32

    /// Looks at everything behind the arguments.
    package init(_ arguments: [String]) {
        self.arguments = arguments
        for argument in arguments where argument != "-" { add(argument) }
    }

    /// Whether there is anything that can be read a second time: standard input cannot.
    package var isWatchable: Bool { !arguments.contains("-") }

    /// Whether a look at the known paths shows any difference; does not look for new names but by their directories.
    var isStale: Bool { stamps.contains { FileStamp(path: $0.key) != $0.value } }

    /// Whether an entry of a watched directory may concern the manifests.
    func concerns(_ name: String, in directory: String) -> Bool {
        // Kubernetes puts a whole volume in place by renaming "..data" (pkg/volume/util/atomic_writer.go).
        if name.isEmpty || name.hasPrefix("..") || names.contains(name) { return true }
        return stamps[directory] != nil && !name.hasPrefix(".")
    }

    private mutating func add(_ argument: String) {
        let stamp = FileStamp(path: argument)
        stamps[argument] = .some(stamp)
        let path = Self.withoutSlash(argument)
        directories.insert(Self.parent(of: path))
        names.insert(Self.name(of: path))
        follow(argument)
        if stamp?.isDirectory ?? false { addContents(of: argument) }
    }

    private mutating func addContents(of directory: String) {
        var left = [(path: directory, depth: 0)]
        while let (path, depth) = left.popLast() {
            directories.insert(path)
            for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] where !name.hasPrefix(".") {
                let entry = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
                let stamp = FileStamp(path: entry)
                stamps[entry] = .some(stamp)
                follow(entry)
                if stamp?.isDirectory ?? false, depth < Self.maximumDepth { left.append((entry, depth + 1)) }
            }
        }
    }

    /// A link's target changes in a directory of its own.
    private mutating func follow(_ path: String) {
        guard let target = FileStamp.target(ofLink: path) else { return }
        directories.insert(Self.parent(of: target))
        names.insert(Self.name(of: target))
    }

    private static func withoutSlash(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func name(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
}
