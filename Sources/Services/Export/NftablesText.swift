/// A table of nftables as it is put together: maps, sets and chains in the order in which they were first named.
struct NftablesText {
    /// A map, a set or a chain: what it is, and its lines.
    private struct Block {
        var head: String
        var lines: [String]
        var elements: [String] = []
    }

    private var blocks: [Block] = []
    private var places: [String: Int] = [:]

    /// Opens a block, as `chain services`, with lines that declare it; a second call changes nothing.
    mutating func open(_ head: String, _ lines: String...) {
        guard isNew(head) else { return }
        places[head] = blocks.count
        blocks.append(Block(head: head, lines: lines))
    }

    /// Whether nothing has opened a block so far.
    func isNew(_ head: String) -> Bool { places[head] == nil }

    /// Adds a rule to a chain, which is opened if need be.
    mutating func rule(_ chain: String, _ rule: String) {
        open("chain \(chain)")
        if let place = places["chain \(chain)"] { blocks[place].lines.append(rule) }
    }

    /// Adds an element to a set or map that was opened.
    mutating func element(_ head: String, _ element: String) {
        if let place = places[head] { blocks[place].elements.append(element) }
    }

    /// The file: it replaces the table as a whole, so that it can be loaded again.
    func file(table: String, comments: [String]) -> String {
        var text = comments.map { "# \($0)\n" }.joined()
        text += "table ip \(table)\ndelete table ip \(table)\ntable ip \(table) {\n"
        for (number, block) in blocks.enumerated() {
            if number > 0 { text += "\n" }
            text += "\t\(block.head) {\n"
            for line in block.lines { text += "\t\t\(line)\n" }
            if !block.elements.isEmpty {
                text += "\t\telements = {\n"
                for element in block.elements { text += "\t\t\t\(element),\n" }
                text += "\t\t}\n"
            }
            text += "\t}\n"
        }
        return text + "}\n"
    }
}
