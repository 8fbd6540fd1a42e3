// How a report looks: lines for people, one object for programs.

extension VerificationReport {
    /// A line for each finding that is kept, then a summary.
    package var text: String {
        var lines = findings.map(\.line)
        if omitted > 0 { lines.append("and \(omitted) more") }
        lines += notes.map { "note: \($0)" }
        let size = "\(trace): \(frames) frames, \(packets) packets, \(flows) flows"
        if holds {
            lines.append("\(size): all \(VerificationCheck.allCases.count) checks hold")
        } else {
            let failed = VerificationCheck.allCases.filter { counts[$0] != nil }.map(\.id).joined(separator: ", ")
            lines.append("\(size): \(total) \(total == 1 ? "finding" : "findings"); failed: \(failed)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One JSON object on one line.
    package var json: String {
        let checks = VerificationCheck.allCases.map { "\"\($0.id)\":\(counts[$0] ?? 0)" }.joined(separator: ",")
        return "{\"trace\":\(Self.quoted(trace)),\"holds\":\(holds),\"frames\":\(frames),\"packets\":\(packets),"
            + "\"flows\":\(flows),\"checks\":{\(checks)},\"findings\":[\(findings.map(\.json).joined(separator: ","))],"
            + "\"omitted\":\(omitted),\"notes\":[\(notes.map(Self.quoted).joined(separator: ","))]}\n"
    }

    /// A JSON string (RFC 8259 section 7).
    fileprivate static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension VerificationFinding {
    /// The finding on a line; what came from the trace cannot end it or move the cursor.
    var line: String {
        let place = frame.map { "frame \($0): " } ?? ""
        let number = packet.map { "packet \($0): " } ?? ""
        return place + "\(check.id): " + number + Self.printable(message)
    }

    fileprivate var json: String {
        let frame = frame.map { "\($0)" } ?? "null"
        let packet = packet.map { "\($0)" } ?? "null"
        return "{\"frame\":\(frame),\"packet\":\(packet),\"check\":\"\(check.id)\","
            + "\"message\":\(VerificationReport.quoted(message))}"
    }

    private static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
            result.unicodeScalars.append(isControl ? "\u{fffd}" : scalar)
        }
        return result
    }
}
