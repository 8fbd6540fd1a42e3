/// How texts from a manifest or a configuration stand in messages: escaped and cut, so that no input can forge or flood a terminal.
package enum Quoting {
    /// The text with control characters escaped and its end cut off.
    package static func bare(_ text: String) -> String {
        var result = ""
        var length = 0
        for scalar in text.unicodeScalars {
            if length == 120 { return result + "…" }
            length += 1
            let isControl =
                scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
            result += isControl ? scalar.escaped(asASCII: true) : String(scalar)
        }
        return result
    }

    /// The name of a file, or what `-` stands for.
    static func file(_ name: String) -> String { name == "-" ? "standard input" : bare(name) }

    /// The same between quotation marks.
    static func quoted(_ text: String) -> String { "\"\(bare(text))\"" }
}
