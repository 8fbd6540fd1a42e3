import Foundation

/// Finds and reads the files that `-f` arguments name.
enum ManifestFiles {
    /// How many directories may lie in each other.
    private static let maximumDepth = 32
    private static let extensions: Set<String> = ["yaml", "yml", "json"]

    /// A file that was found, and its state then; nil for standard input.
    struct Found {
        var path: String
        var identity: FileIdentity?
    }

    /// The files behind an argument, sorted, or why there are none.
    static func find(_ argument: String) -> (files: [Found], fault: ManifestFault?) {
        if argument == "-" { return ([Found(path: argument)], nil) }
        guard let identity = FileIdentity(path: argument) else {
            return ([], ManifestFault(file: argument, expectation: "no such file or directory"))
        }
        if !identity.isDirectory { return ([Found(path: argument, identity: identity)], nil) }
        var files: [Found] = []
        var directories = [(path: argument, depth: 0)]
        while let (path, depth) = directories.popLast() {
            guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
                return ([], ManifestFault(file: path, expectation: "cannot be read"))
            }
            // Hidden entries are left out: a mounted ConfigMap holds its files once more in "..data".
            for name in names where !name.hasPrefix(".") {
                let entry = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
                let identity = FileIdentity(path: entry)
                let isDirectory = identity?.isDirectory ?? false
                if isDirectory, isLink(entry) { continue }
                if isDirectory {
                    if depth == maximumDepth {
                        let text = "lies deeper than \(maximumDepth) directories"
                        return ([], ManifestFault(file: entry, expectation: text))
                    }
                    directories.append((entry, depth + 1))
                } else if let dot = name.lastIndex(of: "."),
                    extensions.contains(String(name[name.index(after: dot)...]))
                {
                    // Whoever means a pipe names it; one in a directory would hold up all that reads it.
                    if identity?.isRegular == false {
                        return ([], ManifestFault(file: entry, expectation: "is no ordinary file"))
                    }
                    files.append(Found(path: entry, identity: identity))
                }
            }
        }
        if files.isEmpty {
            let text = "holds no *.yaml, *.yml or *.json"
            return ([], ManifestFault(severity: .warning, file: argument, expectation: text))
        }
        return (files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }, nil)
    }

    /// Whether a path is a link: links to directories are not followed, as they may lead in circles.
    private static func isLink(_ path: String) -> Bool {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
    }

    /// The bytes of a file or of standard input (`-`), which may be `limit` at most, and its state before it was read.
    static func read(_ file: String, limit: Int) throws(ManifestFault) -> (bytes: [UInt8], identity: FileIdentity?) {
        var bytes: [UInt8] = []
        var identity: FileIdentity?
        do {
            let handle =
                file == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
            identity = file == "-" ? nil : FileIdentity(descriptor: handle.fileDescriptor)
            while let chunk = try handle.read(upToCount: 1 << 20), !chunk.isEmpty {
                bytes.append(contentsOf: chunk)
                if bytes.count > limit { break }
            }
        } catch {
            throw ManifestFault(file: file, expectation: "cannot be read: \(Quoting.bare(error.localizedDescription))")
        }
        if bytes.count > limit {
            throw ManifestFault(file: file, expectation: "larger than the limit of \(limit >> 20) MiB")
        }
        return (bytes, identity)
    }
}
