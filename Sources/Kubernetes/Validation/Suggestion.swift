/// Finds what somebody may have meant by a word that is not known.
package enum Suggestion {
    /// The candidate nearest to `word`, if any is near: a letter or two off, or different in case only.
    package static func nearest(to word: String, in candidates: some Sequence<String>) -> String? {
        guard (2...48).contains(word.utf8.count) else { return nil }
        let lowered = word.lowercased()
        let allowed = max(1, min(3, word.utf8.count / 3))
        let ranked = candidates.compactMap { candidate -> (distance: Int, word: String)? in
            let distance = distance(Array(lowered.utf8), Array(candidate.lowercased().utf8))
            return distance <= allowed ? (distance, candidate) : nil
        }
        return ranked.min { ($0.distance, $0.word) < ($1.distance, $1.word) }?.word
    }

    /// `; did you mean NAME?`, or nothing.
    package static func hint(for word: String, in candidates: some Sequence<String>) -> String {
        nearest(to: word, in: candidates).map { "; did you mean \($0)?" } ?? ""
    }

    /// The Levenshtein distance of two short words.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var previous = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let replaced = previous[column] + (byte == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
}
