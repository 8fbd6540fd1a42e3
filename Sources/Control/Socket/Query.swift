/// The query of a request, `protocol=tcp&src=10.0.0.0/8`: keys and values in their order, percent-encoding undone.
package struct Query: Equatable, Sendable {
    /// A key and its value.
    package struct Item: Equatable, Sendable {
        /// What is asked about.
        package var key: String
        /// Empty where there is no `=`.
        package var value: String

        /// An item from its parts.
        package init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    /// In the order of the request.
    package var items: [Item]

    /// A query with these items.
    package init(_ items: [Item] = []) { self.items = items }

    /// Reads the part of a path behind `?`; throws what is wrong with its encoding.
    init(parsing text: Substring) throws(QueryError) {
        items = []
        for part in text.split(separator: "&") {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            items.append(Item(try Self.decode(halves[0]), try Self.decode(halves.count > 1 ? halves[1] : "")))
        }
    }

    /// Reads a query; nil where its encoding is wrong.
    package init?(_ text: String) {
        do throws(QueryError) { try self.init(parsing: text[...]) } catch { return nil }
    }

    private static func decode(_ text: Substring) throws(QueryError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, let high = digit(digits[digits.startIndex]),
                let low = digit(digits[digits.index(after: digits.startIndex)])
            else { throw QueryError("the query has a % without two hexadecimal digits") }
            rest = rest.dropFirst(2)
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else { throw QueryError("the query is not UTF-8") }
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The text behind `?`, empty for no items.
    package var text: String {
        items.map { Self.encoded($0.key) + "=" + Self.encoded($0.value) }.joined(separator: "&")
    }

    /// Everything but RFC 3986's unreserved characters is encoded.
    package static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What is wrong with the encoding of a query.
package struct QueryError: Error, Equatable, Sendable {
    /// In words.
    package let problem: String

    fileprivate init(_ problem: String) { self.problem = problem }
}
