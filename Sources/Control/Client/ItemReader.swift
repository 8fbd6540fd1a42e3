/// Takes an answer apart that is a list, a line for each item, as it comes.
///
/// Lines, not documents: so a list of a quarter of a million flows is never one tree.
package struct ItemReader {
    /// The items so far, each as it was written.
    package private(set) var items: [[UInt8]] = []
    private var line: [UInt8] = []
    private var isBegun = false
    /// Whether the end of the list has come.
    package private(set) var isComplete = false
    /// Whether what came is no list.
    package private(set) var isDamaged = false

    /// Nothing read.
    package init() {}

    /// Takes the next bytes of the answer.
    package mutating func read(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            line += rest[..<end]
            rest = rest[(end + 1)...]
            take()
        }
        line += rest
    }

    private mutating func take() {
        defer { line.removeAll(keepingCapacity: true) }
        if isComplete {
            isDamaged = true
        } else if !isBegun {
            isBegun = true
            isDamaged = !line.elementsEqual("{\"items\":[".utf8)
        } else if line.elementsEqual("]}".utf8) {
            isComplete = true
        } else {
            if line.last == UInt8(ascii: ",") { line.removeLast() }
            items.append(line)
        }
    }
}
