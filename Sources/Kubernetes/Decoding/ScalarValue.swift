/// What a plain scalar means, by the rules that kubectl reads YAML with (YAML 1.1, as go-yaml resolves it).
enum ScalarValue: Equatable {
    case null
    case bool(Bool)
    /// `isPlain` is false for octal, hexadecimal, binary and other forms that programs read in different ways.
    case integer(Int, isPlain: Bool)
    /// A number with a fraction or an exponent, or an integer beyond 64 bits.
    case number
    case string

    init(_ text: String) {
        let word = text.utf8.count <= 5 ? Self.words[text] : nil
        self = word ?? Self.numeric(text) ?? .string
    }

    // `y` and `n` alone stay strings: they are YAML 1.1 booleans, and in practice always meant as names.
    private static let words: [String: ScalarValue] = {
        var result: [String: ScalarValue] = [:]
        for word in ["", "~", "null", "Null", "NULL"] { result[word] = .null }
        for word in ["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"] { result[word] = .bool(true) }
        for word in ["false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"] { result[word] = .bool(false) }
        return result
    }()

    private static func numeric(_ text: String) -> ScalarValue? {
        let bytes = text.utf8
        guard let first = bytes.first, isDigit(first) || "+-.".utf8.contains(first) else { return nil }
        let isNegative = first == UInt8(ascii: "-")
        let isSigned = isNegative || first == UInt8(ascii: "+")
        let digits = text.dropFirst(isSigned ? 1 : 0)
        if [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"].contains(digits) { return .number }
        if let other = radixForm(digits) {
            return .integer(isNegative ? -other : other, isPlain: false)
        }
        if !digits.isEmpty, digits.utf8.allSatisfy(isDigit) {
            guard let value = Int(text) else { return .number }
            return .integer(
                value,
                isPlain: first != UInt8(ascii: "+") && !(digits.utf8.count > 1 && digits.hasPrefix("0"))
            )
        }
        return isFloat(digits) ? .number : nil
    }

    /// `0120`, `0o120`, `0x50`, `0b1010000` and `1_000`.
    private static func radixForm(_ digits: Substring) -> Int? {
        let bare = digits.utf8.contains(UInt8(ascii: "_")) ? Substring(digits.filter { $0 != "_" }) : digits
        guard let first = bare.utf8.first, isDigit(first), bare.utf8.count > 1 else { return nil }
        if bare.hasPrefix("0x") { return Int(bare.dropFirst(2), radix: 16) }
        if bare.hasPrefix("0b") { return Int(bare.dropFirst(2), radix: 2) }
        if bare.hasPrefix("0o") { return Int(bare.dropFirst(2), radix: 8) }
        if bare.hasPrefix("0") { return Int(bare.dropFirst(1), radix: 8) }
        return bare.utf8.count < digits.utf8.count ? Int(bare) : nil
    }

    /// Digits with a point or an exponent.
    private static func isFloat(_ digits: Substring) -> Bool {
        var rest = digits.utf8[...]
        func skipDigits() -> Bool {
            let count = rest.prefix(while: isDigit).count
            rest = rest.dropFirst(count)
            return count > 0
        }
        let whole = skipDigits()
        var fraction = false
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            fraction = skipDigits()
        }
        guard whole || fraction else { return false }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            guard skipDigits() else { return false }
        }
        return rest.isEmpty
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
}
