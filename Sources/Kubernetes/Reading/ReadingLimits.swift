/// What one input may cost.
///
/// All limits are counted while reading, before anything is kept that exceeds them.
package struct ReadingLimits: Hashable, Sendable {
    /// The size of one file or of standard input, in bytes.
    ///
    /// 10,000 Services with 10 endpoints each are about 20 MB.
    package var bytes = 64 << 20
    /// How deep mappings and lists may lie in each other.
    ///
    /// Schemas inside CustomResourceDefinitions reach some 70.
    package var depth = 128
    /// The mappings, lists, keys and values of one document.
    package var nodes = 8 << 20
    /// The different keys of one input, in all its documents.
    package var keys = 250_000
    /// How many nodes the aliases of one document may stand for, aliases inside anchored values counted in full.
    package var aliasedNodes = 100_000
    /// How many bytes of text the aliases of one document may stand for.
    package var aliasedBytes = 4 << 20

    /// The limits for everyday use.
    package init() {}
}

/// A text that is no acceptable YAML or JSON.
struct SyntaxFault: Error, Hashable {
    /// Whether another reader may find the text good.
    ///
    /// False for limits and duplicated keys.
    var isGrammatical = true
    /// From 1.
    var line: Int?
    /// From 1, in characters for YAML and in bytes for JSON.
    var column: Int?
    var problem: String

    /// The same fault, placed where none was known.
    func located(line: Int, column: Int) -> SyntaxFault {
        var result = self
        result.line = self.line ?? line
        result.column = self.column ?? column
        return result
    }
}

/// What is checked of the bytes of an input before any reader sees them.
enum Encoding {
    /// Refuses what is not plain UTF-8: UTF-16 and UTF-32 by their marks, NUL bytes, broken sequences.
    static func check(_ bytes: [UInt8]) throws(SyntaxFault) {
        if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) {
            throw SyntaxFault(isGrammatical: false, problem: "the text is UTF-16 or UTF-32; only UTF-8 is read")
        }
        if let place = bytes.firstIndex(of: 0) {
            throw SyntaxFault(
                isGrammatical: false,
                line: line(of: place, in: bytes),
                problem: "the text has a NUL byte"
            )
        }
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            let place = error.byteOffsets.lowerBound
            throw SyntaxFault(isGrammatical: false, line: line(of: place, in: bytes), problem: "the text is not UTF-8")
        }
    }

    /// Refuses a flood of tag directives, each of which libyaml holds against all before it.
    static func checkDirectives(_ bytes: [UInt8], limit: Int = 64) throws(SyntaxFault) {
        var count = 0
        var place = bytes.startIndex
        while place < bytes.endIndex {
            count += bytes[place] == UInt8(ascii: "%") ? 1 : 0
            if count > limit { throw SyntaxFault(isGrammatical: false, problem: "more than \(limit) directives (%)") }
            place = (bytes[place...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex - 1) + 1
        }
    }

    /// The line, from 1, that the byte at `place` is on.
    static func line(of place: Int, in bytes: [UInt8]) -> Int {
        bytes.prefix(place).reduce(1) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 }
    }
}
