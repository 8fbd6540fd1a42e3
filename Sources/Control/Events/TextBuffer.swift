package import Wire

/// Bytes of text under construction; grows once, is emptied and used again.
package struct TextBuffer {
    /// The text so far, in UTF-8.
    package private(set) var bytes: [UInt8] = []

    /// An empty buffer, with room for `capacity` bytes.
    package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// The length in bytes.
    package var count: Int { bytes.count }

    /// Empties the buffer and keeps its room.
    package mutating func clear() { bytes.removeAll(keepingCapacity: true) }

    /// Appends text as it is.
    package mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Appends a byte as it is; several may make up a character.
    package mutating func append(_ byte: UInt8) { bytes.append(byte) }

    /// A number in decimal.
    package mutating func append(_ number: UInt64) {
        if number < 10 { return bytes.append(UInt8(ascii: "0") + UInt8(number)) }
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var count = 0
        var rest = number
        while rest > 0 {
            digits[count] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
            count += 1
        }
        while count > 0 {
            count -= 1
            bytes.append(digits[count])
        }
    }

    /// A number in decimal with leading zeros.
    package mutating func append(_ number: UInt64, digits: Int) {
        var scale: UInt64 = 1
        for _ in 1..<max(digits, 1) { scale *= 10 }
        while scale > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(number / scale % 10))
            scale /= 10
        }
    }

    /// An address in dotted form.
    package mutating func append(_ address: IPv4Address) {
        append(UInt64(address.bits >> 24))
        bytes.append(UInt8(ascii: "."))
        append(UInt64(address.bits >> 16 & 255))
        bytes.append(UInt8(ascii: "."))
        append(UInt64(address.bits >> 8 & 255))
        bytes.append(UInt8(ascii: "."))
        append(UInt64(address.bits & 255))
    }

    /// An address and a port, `10.0.0.1:80`.
    package mutating func append(_ address: IPv4Address, port: UInt16) {
        append(address)
        bytes.append(UInt8(ascii: ":"))
        append(UInt64(port))
    }

    /// A time in nanoseconds since 1970 as RFC 3339 writes it, in UTC with nine digits.
    package mutating func append(time: UInt64) {
        let (seconds, nanoseconds) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
        let (days, second) = seconds.quotientAndRemainder(dividingBy: 86400)
        let date = Self.date(days: Int(days))
        append(UInt64(date.year), digits: 4)
        bytes.append(UInt8(ascii: "-"))
        append(UInt64(date.month), digits: 2)
        bytes.append(UInt8(ascii: "-"))
        append(UInt64(date.day), digits: 2)
        bytes.append(UInt8(ascii: "T"))
        append(second / 3600, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        append(second / 60 % 60, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        append(second % 60, digits: 2)
        bytes.append(UInt8(ascii: "."))
        append(nanoseconds, digits: 9)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// The date a number of days after 1970-01-01 in the Gregorian calendar; years begin in March here, so that the
    /// odd day comes last.
    static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
        return (year, month < 10 ? month + 3 : month - 9, day)
    }

    /// A string in JSON's quotes.
    package mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                append("\\u00")
                append(UInt64(byte >> 4))
                bytes.append(byte & 15 < 10 ? UInt8(ascii: "0") + (byte & 15) : UInt8(ascii: "a") + (byte & 15) - 10)
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
