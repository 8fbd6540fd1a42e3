internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore

/// Writes an answer that is a list, `{"items":[…]}` with a line for each item, in pieces as they become ready.
///
/// Theory of operation: nothing is sent before the first piece is full or the list is at its end, so that what fails until
/// then can still be answered with a status. Sending waits until the client has taken enough of what was sent before: a slow client
/// makes only its own answer wait. A list that breaks off ends without its last line and without the last chunk.
struct ItemWriter: ~Copyable {
    private var head: ResponseWriter?
    private var body: (any ResponseBodyWriter)?
    private var text = TextBuffer(capacity: ItemWriter.pieceSize + 4096)
    private var count = 0

    /// The size of a piece in bytes.
    private static let pieceSize = 32768

    init(_ writer: consuming ResponseWriter) {
        head = consume writer
        text.append("{\"items\":[\n")
    }

    /// Adds an item; `write` appends its JSON to the text.
    mutating func append(_ write: (inout TextBuffer) -> Void) {
        if count > 0 { text.append(",\n") }
        count += 1
        write(&text)
    }

    /// Adds an item that is there already.
    mutating func append(_ item: JSONValue) { append { item.append(to: &$0) } }

    /// Sends what has come together, if it is enough for a piece.
    mutating func sendIfFull() async throws {
        if text.count >= Self.pieceSize { try await send() }
    }

    private mutating func send() async throws {
        if let writer = head.take() {
            body = try await writer.writeHead(HTTPResponse(status: .ok, headerFields: ControlRouter.fields))
        }
        try await body?.write(ByteBuffer(bytes: text.bytes))
        text.clear()
    }

    /// Ends the list.
    mutating func finish() async throws {
        text.append(count > 0 ? "\n]}\n" : "]}\n")
        try await send()
        try await body?.finish(nil)
    }

    /// Gives back the writer as long as nothing was sent, for an answer with a status.
    mutating func takeUnused() -> ResponseWriter? { head.take() }
}
