import Foundation

/// Finds and reads the files that `-f` arguments name.
enum ManifestFiles {
    /// How many directories may lie in each other.
    private static let maximumDepth = 32
    private static let extensions: Set<String> = ["yaml", "yml", "json"]

    /// The files behind an argument, sorted, or why there are none.
    static func find(_ argument: String) -> (files: [String], fault: ManifestFault?) {
        if argument == "-" { return ([argument], nil) }
        guard FileManager.default.fileExists(atPath: argument) else {
            return ([], ManifestFault(file: argument, expectation: "no such file or directory"))
        }
        // Only a directory has contents.
        if (try? FileManager.default.contentsOfDirectory(atPath: argument)) == nil { return ([argument], nil) }
        var files: [String] = []
        var directories = [(path: argument, depth: 0)]
        while let (path, depth) = directories.popLast() {
            guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
                return ([], ManifestFault(file: path, expectation: "cannot be read"))
            }
            // Hidden entries are left out: a mounted ConfigMap holds its files once more in "..data".
            for name in names where !name.hasPrefix(".") {
                let entry = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
                let type = try? FileManager.default.attributesOfItem(atPath: entry)[.type] as? FileAttributeType
                if type == .typeDirectory {
                    if depth == maximumDepth {
                        return (
                            [], ManifestFault(file: entry, expectation: "lies deeper than \(maximumDepth) directories")
                        )
                    }
                    directories.append((entry, depth + 1))
                } else if let dot = name.lastIndex(of: "."),
                    extensions.contains(String(name[name.index(after: dot)...]))
                {
                    files.append(entry)
                }
            }
        }
        if files.isEmpty {
            let text = "holds no *.yaml, *.yml or *.json"
            return ([], ManifestFault(severity: .warning, file: argument, expectation: text))
        }
        return (files.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }, nil)
    }

    /// The bytes of a file or of standard input (`-`), which may be `limit` at most.
    static func read(_ file: String, limit: Int) throws(ManifestFault) -> [UInt8] {
        var bytes: [UInt8] = []
        do {
            let handle =
                file == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(fileURLWithPath: file))
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
        return bytes
    }
}
