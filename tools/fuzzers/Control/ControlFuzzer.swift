import Control
import Datapath

/// What comes over the control socket: the query of a request, and on the side of the client the answer.
enum ControlFuzzer {
    static func run(_ bytes: [UInt8]) {
        if bytes.first == UInt8(ascii: "?") {
            ask(String(decoding: bytes.dropFirst(), as: UTF8.self))
        } else {
            answer(bytes)
        }
    }

    private static func ask(_ text: String) {
        guard let query = Query(text) else { return }
        precondition(Query(query.text) == query, "a query that is written is read as it was")
        var filter = FlowFilter()
        for item in query.items {
            do throws(FilterError) {
                if try !filter.add(item.key, item.value) { precondition(!FlowFilter.keys.contains(item.key)) }
            } catch {
                precondition(!error.expectation.isEmpty)
            }
        }
        _ = filter.isEmpty
    }

    private static func answer(_ bytes: [UInt8]) {
        if let value = JSONParser.parse(bytes) {
            let written = value.line
            guard let again = JSONParser.parse(written) else { preconditionFailure("what is written is no JSON") }
            precondition(again.line == written, "a document that is written is read as it was")
        }
        var reader = ItemReader()
        reader.read(Array(bytes.prefix(bytes.count / 2)))
        reader.read(Array(bytes.dropFirst(bytes.count / 2)))
        var whole = ItemReader()
        whole.read(bytes)
        precondition(
            whole.items == reader.items && whole.isComplete == reader.isComplete,
            "an answer may come in parts"
        )
    }
}
