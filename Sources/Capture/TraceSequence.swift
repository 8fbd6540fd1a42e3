internal import Glibc

// # Theory of operation
//
// A trace that rotates is a sequence of files with numbers: `-w trace.pcapng` writes trace_00001.pcapng, trace_00002.pcapng and
// so on. The numbers go on behind those that are there, so that a process that begins anew overwrites nothing of what the
// last one has left, and the oldest files go, whoever wrote them, so that the disk is bounded also for a process that is
// killed again and again. What has no such name is never touched.

/// The names of the files of a trace that rotates, and which of them are there.
struct TraceSequence {
    private let options: TraceOptions
    private let keptFiles: Int
    /// The path up to the number, and what comes behind it.
    private let stem: String
    private let suffix: String
    /// The files that are there, the oldest first.
    private var numbers: [Int]

    /// Looks for the files that earlier traces of this path have left.
    init(path: String, options: TraceOptions, rotation: TraceRotation) {
        self.options = options
        keptFiles = rotation.keptFiles ?? .max
        let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
        let ending = name.lastIndex(of: ".").flatMap { $0 == name.startIndex ? nil : name[$0...] } ?? ""
        suffix = String(ending)
        stem = path.dropLast(ending.count) + "_"
        numbers = []
        let directory = String(path.dropLast(name.count))
        // A classic trace has several files of each number.
        numbers = Set(Self.names(in: directory.isEmpty ? "." : directory).compactMap { number(of: directory + $0) })
            .sorted()
    }

    /// The files that are written next; those that are too old are removed.
    mutating func next() -> [String] {
        let number = (numbers.last ?? 0) + 1
        numbers.append(number)
        while numbers.count > keptFiles {
            // Safe: terminated strings go in. A file that is gone already is what is wanted.
            for path in paths(numbers.removeFirst()) { unsafe unlink(path) }
        }
        return paths(number)
    }

    private func paths(_ number: Int) -> [String] {
        let digits = String(number)
        return options.paths(stem + String(repeating: "0", count: max(0, 5 - digits.count)) + digits + suffix)
    }

    /// The number of a file of this sequence.
    private func number(of path: String) -> Int? {
        guard path.hasPrefix(stem) else { return nil }
        let digits = path.dropFirst(stem.count).prefix { $0.isASCII && $0.isNumber }
        guard (5...9).contains(digits.count), let number = Int(digits), paths(number).contains(path) else { return nil }
        return number
    }

    /// The names in a directory; none of one that cannot be read, whose files will not open either.
    private static func names(in directory: String) -> [String] {
        // Safe: a terminated string goes in.
        guard let stream = unsafe opendir(directory) else { return [] }
        // Safe: the stream is open, and an entry is read before the next one is asked for.
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                // Text that is not UTF-8 is of no file of ours.
                unsafe String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let name { names.append(name) }
        }
        return names
    }
}
