/// Columns of text as kubectl prints them: a header in capitals, three spaces between, nothing behind the last column.
package struct TextTable: Sendable {
    private let header: [String]
    private var rows: [[String]] = []

    /// A table with these columns and no rows.
    package init(_ header: [String]) { self.header = header }

    /// Adds a row with a cell for each column; an empty cell shows as `<none>`.
    package mutating func add(_ cells: [String]) { rows.append(cells.map { $0.isEmpty ? "<none>" : $0 }) }

    /// The lines of the table, each with its end.
    package var text: String { lines([header] + rows) }

    /// The same without the header.
    package var rowsText: String { lines(rows) }

    private func lines(_ lines: [[String]]) -> String {
        var widths = header.map { _ in 0 }
        for row in lines {
            for (column, cell) in row.enumerated() where column < widths.count {
                widths[column] = max(widths[column], cell.count)
            }
        }
        var text = ""
        for row in lines {
            for (column, cell) in row.enumerated() {
                text += cell
                if column < row.count - 1 { text += String(repeating: " ", count: widths[column] + 3 - cell.count) }
            }
            text += "\n"
        }
        return text
    }
}
